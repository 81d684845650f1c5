"""What identity has to be asked for: handles whose own stream doesn't say yet what their DID's does, and recoveries.

It holds, by key:

- ``handle/<handle>``: how a handle stands in its own stream, as its decider has it; ``told/<handle>``: the position
  that was told last, and the position of its DID that this cites;
- ``named/<did>``: the handle that a DID has by its operations, and the position that says so;
- ``lapsed/<handle>/<did>``: until when a claim held that its DID gave up, and the position that says so;
- ``open/<handle>``: a handle that is claimed, or that its stream and its DID don't agree on;
- ``recovery/<ms>/<did>``: the hash of a guardians' recovery in the order of when it takes effect, and
  ``recovering/<did>``: where in that order it lies.

A handle and its DID lie in two partitions, which have no order among them: either can be folded first.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from domain.decider import Change
from domain.identity.completion import GuardianRecoveryCompleted
from domain.identity.creation import DidCreated
from domain.identity.guardian import GuardianRecoveryBegun, RecoveryCancelled
from domain.identity.handle import HandleClaimed, HandleConfirmed, HandleReleased, handle_of
from domain.identity.handle import evolve as evolve_handle
from domain.identity.naming import ClaimLapsed, HandleSet
from domain.identity.recovery import DidRecovered
from log.fold import Entries, Overlay
from log.store import MemoryStore, Store
from processors.agenda_entries import number
from processors.context_agenda import ContextAgenda

CONTEXT: Final = "identity"
CLAIMED: Final = "claimed"
CONFIRMED: Final = "confirmed"


class Named(NamedTuple):
    """The handle that a DID has by its operations, and where that was decided (``context/partition/offset``)."""

    handle: str | None
    where: str


class Told(NamedTuple):
    """Where a handle's stream last changed, and the position of its DID that it cites there; none for a claim."""

    where: str
    cites: str | None


class Lapsed(NamedTuple):
    """A claim that its DID gave up: until when it held (ms), and where that was decided."""

    until: int
    where: str


def named(entries: Entries, did: str) -> Named | None:
    """Find what a DID is called by its operations."""
    entry = entries.get(f"named/{did}")
    return None if entry is None else Named(*entry)


def told(entries: Entries, handle: str) -> Told:
    """Find where a handle's stream last changed."""
    return Told(*(entries.get(f"told/{handle}") or ("", None)))


def lapsed(entries: Entries, handle: str, did: str) -> Lapsed | None:
    """Find a claim that its DID gave up."""
    entry = entries.get(f"lapsed/{handle}/{did}")
    return None if entry is None else Lapsed(*entry)


def _opened(overlay: Overlay, handle: str | None) -> Iterator[Change]:
    """Give whether there is anything to ask for a handle, now or later."""
    known = None if handle is None else handle_of(overlay, handle)
    if known is None:
        return
    by_did = named(overlay, known.did)
    has = by_did is not None and by_did.handle == handle
    agreed = known.status != CLAIMED and has == (known.status == CONFIRMED)
    yield f"open/{handle}", None if agreed else ()


def _of_handles(overlay: Overlay, event: Any, at: int, where: str) -> Iterator[Change]:
    yield from evolve_handle(overlay, event, at)
    yield f"told/{event.handle}", Told(where, getattr(event, "seen_at", None))
    if not isinstance(event, HandleClaimed):
        yield f"lapsed/{event.handle}/{event.did}", None
    if isinstance(event, HandleReleased) and event.held_until is None:
        yield f"told/{event.handle}", None
        yield f"open/{event.handle}", None
    yield from _opened(overlay, event.handle)


def _of_names(overlay: Overlay, event: Any, where: str) -> Iterator[Change]:
    before = named(overlay, event.did)
    if event.handle != (None if before is None else before.handle):
        yield f"named/{event.did}", Named(event.handle, where)
        yield from _opened(overlay, None if before is None else before.handle)
        yield from _opened(overlay, event.handle)


def _of_recoveries(overlay: Overlay, event: Any) -> Iterator[Change]:
    entry = overlay.get(f"recovering/{event.did}")
    if isinstance(event, GuardianRecoveryBegun):
        key = f"recovery/{number(event.effective_at)}/{event.did}"
        yield key, (event.signed.hash,)
        yield f"recovering/{event.did}", (key, event.signed.hash)
    elif entry is not None:
        key, operation = entry
        if operation in (event.nullified if isinstance(event, DidRecovered) else (event.operation,)):
            yield key, None
            yield f"recovering/{event.did}", None


HANDLES: Final = (HandleClaimed, HandleConfirmed, HandleReleased)
NAMES: Final = (DidCreated, HandleSet, DidRecovered)
RECOVERIES: Final = (GuardianRecoveryBegun, RecoveryCancelled, GuardianRecoveryCompleted, DidRecovered)


def changes(overlay: Overlay, event: Any, at: int, where: str) -> Iterator[Change]:
    """Give what an event changes of what is to be asked for."""
    if isinstance(event, HANDLES):
        yield from _of_handles(overlay, event, at, where)
    if isinstance(event, NAMES):
        yield from _of_names(overlay, event, where)
    if isinstance(event, RECOVERIES):
        yield from _of_recoveries(overlay, event)
    if isinstance(event, ClaimLapsed):
        yield f"lapsed/{event.handle}/{event.did}", Lapsed(event.until, where)


class IdentityAgenda(ContextAgenda):
    """Follows identity into a store of its own."""

    def __init__(self, store: Store | MemoryStore) -> None:
        super().__init__(store, changes)
