"""The rows of identity's projection as an auditor folds them from events, by code that shares none with it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from domain.identity.completion import GuardianRecoveryCompleted
from domain.identity.creation import DidCreated
from domain.identity.guardian import GuardianRecoveryBegun, GuardiansSet, RecoveryCancelled
from domain.identity.naming import HandleSet
from domain.identity.recovery import DidRecovered
from domain.identity.rotation import KeyRevoked, KeysRotated
from processors.audit_row_keys import row_key
from processors.audit_rows import Change, Get, RowRules

DIDS, KEYS, OPERATIONS = "dids", "identity_keys", "identity_operations"
WINDOWS, HANDLES = "identity_windows", "identity_handles"
UNGUARDED = {"guardians": None, "guardian_threshold": None, "guardian_delay_s": None}


class IdentityRows(RowRules):
    """The identity projection: DIDs, the windows of their keys and their operations, and how they stood."""

    def change(self, get: Get, event: Any, place: tuple[int, int], at: int) -> Iterable[Change]:
        """Give the rows that an event changes; what is decided of handles and sessions has none."""
        kind = type(event)
        if kind not in CHANGES:
            return
        part, pos = place
        for window in getattr(event, "windows", ()):
            yield _window(get, event, window, part, pos)
            yield _stood(event.did, window, pos, at)
        if kind in NAMING:
            yield _row(HANDLES, did=event.did, pos=pos, at=at, handle=event.handle)
        for each in _taken_back(event):
            key = f"{OPERATIONS}/{event.did}/{each}"
            yield key, {**(get(key) or {}), "nullified": True, "nullified_pos": pos}
        if isinstance(event, GuardianRecoveryCompleted):
            key = f"{OPERATIONS}/{event.did}/{event.operation}"
            yield key, {**(get(key) or {}), "effective_at": at, "effective_pos": pos}
        signed = getattr(event, "signed", None)
        if signed is not None:
            yield _row(
                OPERATIONS, did=event.did, hash=signed.hash, prev=signed.prev, signed_by=signed.signed_by,
                operation=signed.operation, signature=signed.signature, part=part, pos=pos, at=at, nullified=False,
                nullified_pos=None, effective_at=None, effective_pos=None,
            )  # fmt: skip
        if kind is DidCreated:
            made = {"pending": None, "pending_at": None, "part": part, "pos": pos, "created_at": at, **UNGUARDED}
        else:
            made = dict(get(f"{DIDS}/{event.did}") or {})
        made |= CHANGES[kind](event, made)
        if signed is not None:
            made["head"] = signed.hash
        yield _row(DIDS, **{**made, "did": event.did, "changed_pos": pos, "changed_at": at})


def _row(table: str, **columns: Any) -> Change:
    return row_key(table, columns), columns


def _window(get: Get, event: Any, window: Any, part: int, pos: int) -> Change:
    did = event.did
    key = f"{KEYS}/{did}/{window.id}/{window.valid_from}"
    known: Mapping[str, Any] = get(key) or {}
    since = window.compromised_since
    word = None if since is None else f"{type(event).__name__} identity/{part}/{pos}"
    said = known.get("compromised_by") if known.get("compromised_since") == since else word
    return key, {
        "did": did,
        "key_id": window.id,
        "valid_from": window.valid_from,
        "type": window.type,
        "public_key": window.public_key_multibase,
        "purposes": " ".join(window.purposes),
        "valid_until": window.valid_until,
        "compromised_since": since,
        "part": part,
        "pos": known.get("pos", pos),
        "changed_pos": pos,
        "compromised_by": said,
    }


def _stood(did: str, window: Any, pos: int, at: int) -> Change:
    """Give a window as it stood from here on."""
    public = {"type": window.type, "public_key": window.public_key_multibase, "purposes": " ".join(window.purposes)}
    name = {"did": did, "key_id": window.id, "valid_from": window.valid_from, "pos": pos}
    return _row(WINDOWS, **name, at=at, **public, valid_until=window.valid_until)


def _taken_back(event: Any) -> Iterable[str]:
    if isinstance(event, DidRecovered):
        return event.nullified
    return (event.operation,) if isinstance(event, RecoveryCancelled) else ()


def _named(event: Any, _was: Mapping[str, Any]) -> dict[str, Any]:
    return {"handle": event.handle}


def _rotating(event: Any, _was: Mapping[str, Any]) -> dict[str, Any]:
    return {"rotation_keys": " ".join(event.rotation_keys)}


def _nothing(_event: Any, _was: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _settled(_event: Any, _was: Mapping[str, Any]) -> dict[str, Any]:
    return {"pending": None, "pending_at": None}


def _begun(event: Any, _was: Mapping[str, Any]) -> dict[str, Any]:
    return {"pending": event.signed.hash, "pending_at": event.effective_at}


def _guarded(event: Any, _was: Mapping[str, Any]) -> dict[str, Any]:
    said = event.guardians
    if said is None:
        return UNGUARDED
    dids = " ".join(said.dids)
    return {"guardians": dids, "guardian_threshold": said.threshold, "guardian_delay_s": said.delay_s}


def _recovered(event: Any, was: Mapping[str, Any]) -> dict[str, Any]:
    undone = _settled(event, was) if was["pending"] in event.nullified else {}
    return _rotating(event, was) | _named(event, was) | _guarded(event, was) | undone


def _created(event: Any, was: Mapping[str, Any]) -> dict[str, Any]:
    return _rotating(event, was) | _named(event, was)


def _completed(event: Any, was: Mapping[str, Any]) -> dict[str, Any]:
    return _rotating(event, was) | _settled(event, was)


CHANGES: Final[Mapping[type, Callable[[Any, Mapping[str, Any]], dict[str, Any]]]] = {
    DidCreated: _created,
    KeysRotated: _nothing,
    KeyRevoked: _nothing,
    DidRecovered: _recovered,
    GuardiansSet: _guarded,
    GuardianRecoveryBegun: _begun,
    RecoveryCancelled: _settled,
    GuardianRecoveryCompleted: _completed,
    HandleSet: _named,
}
"""By event, what it changes of its DID's row beside the head."""
NAMING: Final = frozenset({DidCreated, DidRecovered, HandleSet})
"""Events that say which handle a DID has."""
