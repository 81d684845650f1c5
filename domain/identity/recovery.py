"""A rotation key recovers a DID, and takes back for 72 hours what a lower one did; what loses is nullified."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.identity.completion import GuardianRecoveryCompleted, check_signer, ended, settled
from domain.identity.identifier import (
    Guardians,
    Identifier,
    advance,
    begun_now,
    guardians_of,
    identifier,
    windows_of_key,
)
from domain.identity.key import Key, KeyWindow, opened, window_of
from domain.identity.operation import (
    Fault,
    Operation,
    OperationRefusal,
    SignedOperation,
    invalid,
    operation,
    operation_key,
    rank_of,
)

OVERRIDE_WITHIN_MS: Final = 72 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class DidRecovered:
    """A DID has these rotation keys and keys from now on, and the handle and guardians as they were at ``signed.prev``.

    ``nullified`` are the hashes of the operations that it took back, in their order; ``windows`` are all that changed,
    those that it began last. What a nullified operation began is compromised since it began.
    """

    did: str
    signed: SignedOperation
    rotation_keys: tuple[str, ...]
    handle: str | None
    guardians: Guardians | None
    nullified: tuple[str, ...]
    windows: tuple[KeyWindow, ...]


class Undone(NamedTuple):
    """What goes back to an operation: the hashes of those after it, what stood, and windows by their names.

    ``earlier`` are windows that were changed since, as they stood; ``added`` those that were begun since, as they are.
    """

    names: tuple[str, ...]
    stood: Operation | None
    earlier: Mapping[tuple[str, int], KeyWindow]
    added: Mapping[tuple[str, int], KeyWindow]


def undone(state: State, did: str, first: str | None) -> Undone:
    """Find what the operations from ``first`` on did."""
    names: list[str] = []
    stood: Operation | None = None
    earlier: dict[tuple[str, int], KeyWindow] = {}
    added: dict[tuple[str, int], KeyWindow] = {}
    name = first
    while name is not None and (each := operation(state, did, name)) is not None:
        stood = stood or each
        names.append(name)
        for window in map(window_of, each.windows):
            if window.name not in added:
                earlier.setdefault(window.name, window)
        for key_id, began in each.added:
            window = next(known for known in windows_of_key(state, did, key_id) if known.valid_from == began)
            added[window.name] = window
        name = each.next
    return Undone(tuple(names), stood, earlier, added)


def evolve(state: State, event: DidRecovered, at: int) -> Iterable[Change]:
    """Fold a recovery."""
    known = identifier(state, event.did)
    if known is None:
        return
    back = undone(state, event.did, event.nullified[0] if event.nullified else None)
    pending, changed_at = known.recovery, known.handle_changed_at
    if back.stood is not None:
        changed_at = back.stood.handle_changed_at
        pending = None if pending is not None and pending.number >= back.stood.number else pending
    after = known._replace(
        rotation_keys=event.rotation_keys,
        handle=event.handle,
        handle_changed_at=changed_at,
        guardians=None if event.guardians is None else event.guardians.entry,
        pending=None if pending is None else tuple(pending),
    )
    undoing = [(name, operation(state, event.did, name)) for name in back.names]
    stood_windows = {**back.earlier, **dict.fromkeys(back.added)}
    yield from advance(state, event.did, event.signed, after, windows=event.windows, at=at, stood_windows=stood_windows)
    for name, each in undoing:
        if each is not None:
            yield operation_key(event.did, name), each._replace(nullified=True)


@dataclass(frozen=True, slots=True)
class RecoverDid:
    """Begin anew with these rotation keys and keys, from the operation that ``signed.prev`` names."""

    did: str
    signed: SignedOperation
    rotation_keys: tuple[str, ...]
    keys: tuple[Key, ...]


def decide(
    state: State, command: RecoverDid, around: Circumstances
) -> Sequence[DidRecovered | GuardianRecoveryCompleted] | Refusal:
    """Rule on a recovery by a rotation key."""
    did, signed, now = command.did, command.signed, around.now
    found = settled(state, did, now)
    if found is None:
        return Refusal(OperationRefusal.NOT_FOUND, {"did": did})
    known = found.known
    if operation(state, did, signed.hash) is not None:
        return Refusal(OperationRefusal.REPEATED, {"operation": signed.hash})
    since = None if signed.prev is None else operation(state, did, signed.prev)
    if since is None or since.nullified:
        return Refusal(OperationRefusal.STALE_PREV, {"head": known.head})
    first = None if since.next is None else operation(state, did, since.next)
    if since.next is None or first is None:
        refusal = check_signer(known, signed, now, len(command.keys))
    else:
        refusal = check_override(known, since, first, signed, now)
    refusal = refusal or begun_now(found.state, did, command.keys, now)
    if refusal is not None:
        return refusal

    back = undone(found.state, did, since.next)
    stood = known if back.stood is None else back.stood
    windows = (*windows_after(known, back, now), *opened(command.keys, now))
    said = (command.rotation_keys, stood.handle, guardians_of(stood.guardians), back.names)
    return [*found.due, DidRecovered(did, signed, *said, windows)]


def check_override(
    known: Identifier, since: Operation, first: Operation, signed: SignedOperation, now: int
) -> Refusal | None:
    """Refuse to take back what may not be: ``first`` is the operation after the one that is gone back to."""
    if since.number < known.floor:
        return invalid(Fault.GUARDIANS_DECIDED, "a guardians' recovery that took effect can't be taken back")
    if now - first.at > OVERRIDE_WITHIN_MS:
        return invalid(Fault.TOO_LATE, "an operation can be taken back for 72 hours")
    if signed.signed_by not in first.rotation_keys:
        return invalid(Fault.NOT_A_ROTATION_KEY, "no rotation key that the DID had then signed this")
    if rank_of(first.rotation_keys, signed.signed_by) >= first.rank:
        return invalid(Fault.NOT_HIGHER, "an operation is taken back by a higher rotation key than the one that signed")
    return None


def windows_after(known: Identifier, back: Undone, now: int) -> Sequence[KeyWindow]:
    """End every key now. Those that were ended since hold until now; those that were begun since never should have.

    What was signed meanwhile with one of these is marked, by its being compromised since it began.
    """
    holding = {window.name: window for window in ended(known, now)}
    restored = {name: window.ended(now) for name, window in back.earlier.items()}
    begun = {name: window.ended(now).marked(window.valid_from) for name, window in back.added.items()}
    return tuple((holding | restored | begun).values())


RECOVERY = Decider(initial={}, decide=decide, evolve=evolve)
