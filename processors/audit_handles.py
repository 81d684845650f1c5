"""An auditor's own books of handles: who claims one, who has it, and until when it is held for whoever left it."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from domain.decider import Change
from domain.identity.handle import HandleClaimed, HandleConfirmed, HandleReleased
from log.fold import Entries
from processors.audit_names import Fault, require

CLAIM_MS: Final = 60_000
HELD_MS: Final = 90 * 86_400_000


class Holder(NamedTuple):
    """Whose a handle is: claimed, confirmed or held, and until when no other may have it (ms)."""

    did: str
    status: str
    held_until: int | None


def changes(state: Entries, event: Any, at: int) -> Iterator[Change]:
    """Check an event of a handle's stream and give what it changes. Raises Fault."""
    place = f"own/handle/{event.handle}"
    entry = state.get(place)
    known = None if entry is None else Holder(*entry)
    mine = known is not None and known.did == event.did
    match event:
        case HandleClaimed():
            left = known is not None and known.status == "held" and (known.held_until or 0) <= at
            require(known is None or mine or left, "handle", f"{event.handle} is claimed and was another's")
            require(event.until == at + CLAIM_MS, "handle", f"{event.handle} is claimed until {event.until}")
            if known is None or not mine:
                yield place, Holder(event.did, "claimed", None)
            elif known.status != "confirmed":
                yield place, Holder(event.did, "claimed", known.held_until)
        case HandleConfirmed():
            require(mine, "handle", f"{event.handle} is confirmed, and wasn't claimed by {event.did}")
            yield place, Holder(event.did, "confirmed", None)
        case HandleReleased():
            yield place, _released(known, event, at)


def _released(known: Holder | None, event: HandleReleased, at: int) -> Holder | None:
    if known is None or known.did != event.did or known.status == "held":
        raise Fault("handle", f"{event.handle} is released, and wasn't {event.did}'s")
    until = at + HELD_MS if known.status == "confirmed" else known.held_until
    require(event.held_until == until, "handle", f"{event.handle} is held until {event.held_until}, not {until}")
    return None if until is None else Holder(event.did, "held", until)
