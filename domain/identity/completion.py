"""A guardians' recovery takes effect when its delay is over: before anything else is decided of its DID."""

from collections import ChainMap
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from domain.decider import Change, Circumstances, Decider, Entry, Refusal, State
from domain.identity.identifier import MAX_DAILY, Identifier, identifier, identifier_key, keys_of, placed
from domain.identity.key import KeyWindow, opened
from domain.identity.operation import (
    Fault,
    OperationRefusal,
    SignedOperation,
    invalid,
    operation,
)


@dataclass(frozen=True, slots=True)
class GuardianRecoveryCompleted:
    """A guardians' recovery took effect: ``windows`` are all that changed, those that it began last."""

    did: str
    operation: str
    rotation_keys: tuple[str, ...]
    windows: tuple[KeyWindow, ...]


@dataclass(frozen=True, slots=True)
class CompleteRecovery:
    """Let a guardians' recovery take effect whose delay is over; ``operation`` is its hash."""

    did: str
    operation: str


class Turn(NamedTuple):
    """A DID whose next operation may be ruled on, and what happens first."""

    state: State
    known: Identifier
    due: Sequence[GuardianRecoveryCompleted]


def evolve(state: State, event: GuardianRecoveryCompleted, at: int) -> Iterable[Change]:
    """Fold the recovery's effect; no override goes back behind what is head then."""
    known = identifier(state, event.did)
    if known is None:
        return
    stands = known._replace(rotation_keys=event.rotation_keys, pending=None, floor=known.number)
    stands, past = placed(state, event.did, stands, event.windows, at)
    yield identifier_key(event.did), stands
    yield from past.items()


def due(known: Identifier, did: str, now: int) -> Sequence[GuardianRecoveryCompleted]:
    """Give the effect of the recovery whose delay is over, if there is one."""
    pending = known.recovery
    if pending is None or pending.effective_at > now:
        return ()
    windows = (*ended(known, now), *opened(keys_of(pending.keys), now))
    return (GuardianRecoveryCompleted(did, pending.operation, tuple(pending.rotation_keys), windows),)


def ended(known: Identifier, now: int) -> tuple[KeyWindow, ...]:
    """Give the windows of every key that holds, ended now."""
    return tuple(window.ended(now) for window in known.windows if window.holds(now))


def settled(state: State, did: str, now: int) -> Turn | None:
    """Give a DID as it stands once what is due has happened; nothing for one that was never created."""
    known = identifier(state, did)
    if known is None:
        return None
    happened = due(known, did, now)
    for event in happened:
        changes: dict[str, Entry] = {key: entry for key, entry in evolve(state, event, now) if entry is not None}
        state = ChainMap(changes, cast("MutableMapping[str, Entry]", state))
        known = identifier(state, did) or known
    return Turn(state, known, happened)


def turn(state: State, did: str, signed: SignedOperation, around: Circumstances) -> Turn | Refusal:
    """Give the DID whose next operation this is, or say why it isn't."""
    found = settled(state, did, around.now)
    if found is None:
        return Refusal(OperationRefusal.NOT_FOUND, {"did": did})
    if operation(state, did, signed.hash) is not None:
        return Refusal(OperationRefusal.REPEATED, {"operation": signed.hash})
    if signed.prev != found.known.head:
        return Refusal(OperationRefusal.STALE_PREV, {"head": found.known.head})

    return found


def check_signer(known: Identifier, signed: SignedOperation, now: int, added: int = 0) -> Refusal | None:
    """Refuse an operation that none of the rotation keys signed, or that comes after too many on one day."""
    if signed.signed_by not in known.rotation_keys:
        return invalid(Fault.NOT_A_ROTATION_KEY, "no rotation key that the DID has now signed this")
    return check_daily(known, now, added)


def check_daily(known: Identifier, now: int, added: int = 0) -> Refusal | None:
    """Refuse an operation that comes after too many on one day."""
    if known.spending(1 + added, now).spent > MAX_DAILY:
        return invalid(Fault.TOO_MANY_OPERATIONS, f"a DID has at most {MAX_DAILY} operations and new keys a day")
    return None


def decide(
    state: State, command: CompleteRecovery, around: Circumstances
) -> Sequence[GuardianRecoveryCompleted] | Refusal:
    """Rule on the end of a delay."""
    found = settled(state, command.did, around.now)
    if found is None:
        return Refusal(OperationRefusal.NOT_FOUND, {"did": command.did})
    if [event.operation for event in found.due] != [command.operation]:
        return Refusal(OperationRefusal.NOT_DUE, {"operation": command.operation})

    return found.due


COMPLETION = Decider(initial={}, decide=decide, evolve=evolve)
