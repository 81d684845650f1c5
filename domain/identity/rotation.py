"""Rotating adds keys and ends others after an overlap; revoking ends one key at once and says why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.identity.completion import GuardianRecoveryCompleted, Turn, check_signer, turn
from domain.identity.identifier import advance, begun_now, identifier, windows_of_key
from domain.identity.key import MAX_HOLDING, MAX_KEYS, Key, KeyWindow, opened
from domain.identity.operation import Fault, SignedOperation, invalid

COMPROMISED: Final = "compromised"
REASONS: Final = (COMPROMISED, "retired", "lost")
SINCE_TOLERANCE_MS: Final = 5 * 60 * 1000
"""How far ahead of the log's time a ``since`` may be, since clocks differ; it then counts as now."""


@dataclass(frozen=True, slots=True)
class KeysRotated:
    """Keys were added, others ended: ``windows`` are all that changed."""

    did: str
    signed: SignedOperation
    windows: tuple[KeyWindow, ...]


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """A key was ended at once; compromised, what it signed from ``since`` (ms) on is marked."""

    did: str
    signed: SignedOperation
    key_id: str
    reason: str
    since: int
    windows: tuple[KeyWindow, ...]


def evolve(state: State, event: KeysRotated | KeyRevoked, at: int) -> Iterable[Change]:
    """Fold a change of keys."""
    known = identifier(state, event.did)
    if known is not None:
        yield from advance(state, event.did, event.signed, known, windows=event.windows, at=at)


@dataclass(frozen=True, slots=True)
class RotateKeys:
    """Add keys, and end those of these ids in ``overlap_ms``."""

    did: str
    signed: SignedOperation
    add: tuple[Key, ...]
    end: tuple[str, ...]
    overlap_ms: int


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """End a key at once; ``since`` (ms) is when it was compromised or stopped being used, now where it is absent."""

    did: str
    signed: SignedOperation
    key_id: str
    reason: str
    since: int | None


RotationEvent = KeysRotated | KeyRevoked | GuardianRecoveryCompleted


def decide(state: State, command: RotateKeys | RevokeKey, around: Circumstances) -> Sequence[RotationEvent] | Refusal:
    """Rule on a change of keys."""
    found = turn(state, command.did, command.signed, around)
    if isinstance(found, Refusal):
        return found
    if isinstance(command, RevokeKey):
        return decide_revocation(found, command, around.now)
    now = around.now
    refusal = check_signer(found.known, command.signed, now, len(command.add))
    if refusal is not None:
        return refusal
    holding = {window.id: window for window in found.known.windows if window.holds(now)}
    for key_id in command.end:
        if key_id not in holding:
            return invalid(Fault.UNKNOWN_KEY, f"the DID has no key {key_id} now")
    for key in command.add:
        if key.id in holding:
            return invalid(Fault.KEY_IN_USE, f"the key {key.id} holds: another can't have its id")
    refusal = begun_now(found.state, command.did, command.add, now)
    if refusal is not None:
        return refusal
    ended = {key_id: holding[key_id].ended(now + command.overlap_ms) for key_id in command.end}
    windows = (*ended.values(), *opened(command.add, now))
    stand = [*(holding | ended).values(), *opened(command.add, now)]
    if sum(window.valid_until is None for window in stand) > MAX_KEYS or len(stand) > MAX_HOLDING:
        return invalid(Fault.TOO_MANY_KEYS, f"a DID has at most {MAX_KEYS} keys, and {MAX_HOLDING} in an overlap")

    return [*found.due, KeysRotated(command.did, command.signed, windows)]


def decide_revocation(found: Turn, command: RevokeKey, now: int) -> Sequence[RotationEvent] | Refusal:
    """Rule on the end of one key; one that is over can still be known to have been compromised."""
    refusal = check_signer(found.known, command.signed, now)
    if refusal is not None:
        return refusal
    known = windows_of_key(found.state, command.did, command.key_id)
    window = known[-1] if known else None
    if window is None or not (window.holds(now) or command.reason == COMPROMISED):
        return invalid(Fault.UNKNOWN_KEY, f"the DID has no key {command.key_id} now")
    since = now if command.since is None else command.since
    if since > now + SINCE_TOLERANCE_MS:
        return invalid(Fault.NOT_YET, "since is ahead of the log's time")

    since = min(since, now)
    ended = window.ended(now)
    windows = (ended.marked(since) if command.reason == COMPROMISED else ended,)
    return [
        *found.due,
        KeyRevoked(command.did, command.signed, command.key_id, command.reason, since, windows),
    ]


ROTATION = Decider(initial={}, decide=decide, evolve=evolve)
