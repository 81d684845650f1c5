"""The auditor's own fold of identity: DIDs, handles and sessions, checked against the specification alone.

Its entries lie under keys of its own, and it shares nothing with the deciders but the dataclasses of the messages.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from domain.decider import Change
from domain.identity.completion import GuardianRecoveryCompleted
from domain.identity.handle import HandleClaimed, HandleConfirmed, HandleReleased
from domain.identity.naming import ClaimLapsed
from domain.identity.session import SessionEnded
from log.fold import Entries
from processors import audit_did_log, audit_handles
from processors.audit_did_books import Chain, Stand
from processors.audit_names import require

TOLD_ALWAYS: Final = ("did", "signed")
TOLD: Final[Mapping[type, Sequence[str]]] = {
    GuardianRecoveryCompleted: ("did",),
    ClaimLapsed: ("did", "handle", "until"),
    HandleClaimed: ("did", "handle"),
    HandleConfirmed: ("did", "handle", "seen_at"),
    HandleReleased: ("did", "handle", "seen_at"),
    SessionEnded: ("did", "jti", "expires_at"),
}
"""Members that an event has of its command; an operation is all that is told beside its DID."""


def changes(state: Entries, event: Any, command: Any, actor: str, at: int) -> Iterator[Change]:
    """Check an event against what is and what was asked, and give what it changes. Raises Fault."""
    del actor
    for member in TOLD.get(type(event), TOLD_ALWAYS):
        said, asked = getattr(event, member), getattr(command, member, None)
        require(said == asked, "command", f"{member} is {said!r}, and {asked!r} was asked for")
    yield from heard(state, event, at)


def heard(state: Entries, event: Any, at: int) -> Iterator[Change]:
    """Check an event against what is and give what it changes. Raises Fault."""
    match event:
        case SessionEnded():
            return
        case ClaimLapsed():
            entry = state.get(f"own/did/{event.did}")
            handle = None if entry is None else Stand(*Chain(*entry).stand).handle
            require(event.until <= at, "handle", f"the claim of {event.handle} lapses before its time")
            require(handle != event.handle, "handle", f"the claim of {event.handle} lapses, and {event.did} has it")
        case HandleClaimed() | HandleConfirmed() | HandleReleased():
            yield from audit_handles.changes(state, event, at)
        case _:
            yield from audit_did_log.changes(state, event, at)


def roles_needed(_command: Any) -> Sequence[str]:
    """Nobody's role allows anything here: a DID's own keys do."""
    return ()
