"""What the answer to a DID's operation shows: the DID's document as that operation left it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from api.did_documents import did_document
from api.place import Place, Shown
from api.wiring import Api
from domain.decider import State
from domain.did import identity
from domain.identity.completion import GuardianRecoveryCompleted
from domain.identity.creation import DidCreated
from domain.identity.identifier import identifier, past_key
from domain.identity.key import KeyWindow, window_of
from domain.identity.naming import HandleSet
from domain.identity.operation import operation
from domain.identity.recovery import DidRecovered
from domain.json_value import JsonObject
from log.following import Decided
from projections.identity import OPERATIONS

NAMED: Final = (DidCreated, DidRecovered, HandleSet)
"""Events that say which handle the DID has."""


def telling(events: Sequence[Any]) -> Any:
    """Give the event that a decision is about: what was due first is no answer to who asked for something else."""
    first = events[0].payload
    return events[-1].payload if isinstance(first, GuardianRecoveryCompleted) else first


def document_now(state: State, did: str, at: int) -> JsonObject:
    """Show a DID as it stands in a fold at a time not before its last change (ms)."""
    known = identifier(state, did)
    windows = () if known is None else known.windows
    return _document(did, windows, at, None if known is None else known.handle)


def document_then(api: Api, did: str, at: int, event: Any) -> JsonObject:
    """Show a DID as an event of it left it at a time (ms), whatever happened since.

    A window's end is only ever set to a time ahead, so that those of now tell which keys held then.
    """
    store: Any = api.mirror.store  # only asked by key
    name = event.operation if isinstance(event, GuardianRecoveryCompleted) else event.signed.hash
    # What stood before an operation that changes no handle stands after it.
    before = operation(store, did, name)
    handle = event.handle if isinstance(event, NAMED) else None if before is None else before.handle
    windows = {window.name: window for window in (*_windows(api, did, name), *getattr(event, "windows", ()))}
    return _document(did, tuple(windows.values()), at, handle)


def _windows(api: Api, did: str, name: str) -> Sequence[KeyWindow]:
    """Give the windows of a DID among which are those that held after an operation."""
    store: Any = api.mirror.store  # only asked by key
    known = identifier(store, did)
    windows = () if known is None else known.windows
    if known is not None and known.head == name:
        return windows
    over = [window_of(entry) for _, entries in api.mirror.store.scan(past_key(did, "")) for entry in entries]
    return [*over, *windows]


def _document(did: str, windows: Sequence[KeyWindow], at: int, handle: str | None) -> JsonObject:
    holding = sorted((each for each in windows if each.holds(at)), key=lambda each: (each.valid_from, each.id))
    return did_document(did, holding, handle)


def operation_again(api: Api, decided: Decided) -> "JsonObject | None":
    """Show a DID as the operation left it that a decision refuses as there before, asked for in another scope."""
    refusal = decided.decision.refusal
    name = None if refusal is None or refusal.code != "repeated" else refusal.details.get("operation")
    did = (decided.message.key or b"").decode(errors="replace")
    return None if name is None else document_of(api, did, name)


def document_of(api: Api, did: str, name: str) -> "JsonObject | None":
    """Show a DID as an operation of this hash left it; nothing where there is none."""
    store: Any = api.mirror.store  # only asked by key
    there, known = operation(store, did, name), identifier(store, did)
    if there is None or known is None:
        return None
    following = None if there.next is None else operation(store, did, there.next)
    stands = following or (there if there.nullified else known)
    return _document(did, _windows(api, did, name), there.at, stands.handle)


def _left(api: Api, event: Any, place: Place) -> Shown:
    return 201, document_then(api, identity(event.did), place.at, event)


def _completed(api: Api, event: GuardianRecoveryCompleted, place: Place) -> Shown:
    return 200, document_then(api, event.did, place.at, event)


DID_RESULTS: Final[Mapping[type, Callable[[Api, Any, Place], Shown]]] = {
    **dict.fromkeys(OPERATIONS, _left),
    GuardianRecoveryCompleted: _completed,
}
