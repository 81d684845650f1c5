"""A handle is decided in a stream of its own: claimed for a DID, confirmed by the DID's operation, released after."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State

CLAIM_MS: Final = 60_000
HELD_MS: Final = 90 * 86_400_000


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim of a handle as a DID's command carries it: until when it holds (ms), and its position."""

    until: int
    claimed_at: str


@dataclass(frozen=True, slots=True)
class HandleClaimed:
    """A handle is a DID's to take until ``until`` (ms)."""

    handle: str
    did: str
    until: int


@dataclass(frozen=True, slots=True)
class HandleConfirmed:
    """A DID took a handle by its operation, whose position ``seen_at`` is."""

    handle: str
    did: str
    seen_at: str


@dataclass(frozen=True, slots=True)
class HandleReleased:
    """A DID has a handle no more; it may take it back until ``held_until`` (ms), and no other may before."""

    handle: str
    did: str
    held_until: int | None
    seen_at: str


HandleEvent = HandleClaimed | HandleConfirmed | HandleReleased


class Handle(NamedTuple):
    """A handle's entry in the state: ``status`` is claimed, confirmed or held.

    ``until`` is the end of a claim, and ``held_until`` that of the time in which no other DID may take it, in ms.
    """

    did: str
    status: str
    until: int | None
    held_until: int | None


def handle_key(handle: str) -> str:
    """Give the key of a handle's entry."""
    return f"handle/{handle}"


def handle_of(state: State, handle: str) -> Handle | None:
    """Find a handle that somebody has, claims, or may take back."""
    entry = state.get(handle_key(handle))
    return None if entry is None else Handle(*entry)


def evolve(state: State, event: HandleEvent, _at: int) -> Iterable[Change]:
    """Fold what becomes of a handle."""
    known = handle_of(state, event.handle)
    match event:
        case HandleClaimed():
            same = known is not None and known.did == event.did
            if known is None or not same or known.status != "confirmed":
                held_until = known.held_until if known is not None and same else None
                yield handle_key(event.handle), Handle(event.did, "claimed", event.until, held_until)
        case HandleConfirmed():
            yield handle_key(event.handle), Handle(event.did, "confirmed", None, None)
        case HandleReleased():
            held = None if event.held_until is None else Handle(event.did, "held", None, event.held_until)
            yield handle_key(event.handle), held


@dataclass(frozen=True, slots=True)
class ClaimHandle:
    """Claim a handle for a DID."""

    handle: str
    did: str


@dataclass(frozen=True, slots=True)
class ConfirmHandle:
    """Confirm what a DID's operation at ``seen_at`` (``context/partition/offset``) took."""

    handle: str
    did: str
    seen_at: str


@dataclass(frozen=True, slots=True)
class ReleaseHandle:
    """Release what a DID gave up at ``seen_at``: the claim until ``until``, or without one the handle that it had."""

    handle: str
    did: str
    until: int | None
    seen_at: str


class HandleRefusal(StrEnum):
    """Why a handle stays as it is, in order of precedence."""

    HANDLE_TAKEN = "handle_taken"
    NOT_FOUND = "not_found"


def taken(handle: str) -> Refusal:
    """Refuse a handle that is another's."""
    return Refusal(HandleRefusal.HANDLE_TAKEN, {"handle": handle})


def check_claim(handle: str, claim: Claim | None, now: int) -> Refusal | None:
    """Refuse a DID a handle whose claim is over: by then another may have it."""
    return taken(handle) if claim is None or claim.until <= now else None


def decide(
    state: State, command: ClaimHandle | ConfirmHandle | ReleaseHandle, around: Circumstances
) -> Sequence[HandleEvent] | Refusal:
    """Rule on a handle. A claim ends by its release alone, which its DID's own stream must have allowed."""
    known, now = handle_of(state, command.handle), around.now
    mine = known is not None and known.did == command.did
    if isinstance(command, ClaimHandle):
        free = known is None or (known.status == "held" and known.held_until is not None and known.held_until <= now)
        if not mine and not free:
            return taken(command.handle)

        return [HandleClaimed(command.handle, command.did, now + CLAIM_MS)]
    if known is None or not mine:
        return Refusal(HandleRefusal.NOT_FOUND, {"handle": command.handle})
    if isinstance(command, ConfirmHandle):
        return [HandleConfirmed(command.handle, command.did, command.seen_at)]
    if command.until is not None and (known.status, known.until) != ("claimed", command.until):
        return Refusal(HandleRefusal.NOT_FOUND, {"handle": command.handle})
    if command.until is None and known.status != "confirmed":
        return Refusal(HandleRefusal.NOT_FOUND, {"handle": command.handle})

    held_until = now + HELD_MS if command.until is None else known.held_until
    return [HandleReleased(command.handle, command.did, held_until, command.seen_at)]


HANDLE = Decider(initial={}, decide=decide, evolve=evolve)
