"""A session ends before its token does when its owner says so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.decider import Change, Circumstances, Decider, State
from domain.did import identity


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session of this token's ``jti`` is over; the token itself expires at ``expires_at`` (ms)."""

    did: str
    jti: str
    expires_at: int


def ended_key(did: str) -> str:
    """Give the key of a DID's sessions that ended: pairs of ``jti`` and ``expires_at``."""
    return f"ended/{identity(did)}"


def session_ended(state: State, did: str, jti: str) -> bool:
    """Tell whether a session was ended; one whose token expired may be forgotten."""
    return any(known == jti for known, _ in state.get(ended_key(did)) or ())


def evolve(state: State, event: SessionEnded, at: int) -> Iterable[Change]:
    """Fold the end of a session, and forget those whose tokens have expired meanwhile."""
    known = {str(jti): int(expires_at) for jti, expires_at in state.get(ended_key(event.did)) or ()}
    lasting = {jti: expires_at for jti, expires_at in known.items() if expires_at > at}
    yield ended_key(event.did), tuple((lasting | {event.jti: event.expires_at}).items())


@dataclass(frozen=True, slots=True)
class EndSession:
    """End the session of this token's ``jti``."""

    did: str
    jti: str
    expires_at: int


def decide(_state: State, command: EndSession, _around: Circumstances) -> Sequence[SessionEnded]:
    """End a session: whoever asks has it, and one that ended may end again."""
    return [SessionEnded(command.did, command.jti, command.expires_at)]


SESSION = Decider(initial={}, decide=decide, evolve=evolve)
