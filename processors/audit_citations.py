"""What streams of identity cite of each other: a handle's claim, a guardian's key, a DID's word at a position."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence, Set
from typing import Any, Final, NamedTuple

from domain.catalog import BY_CLASS
from domain.identity.creation import CreateDid, DidCreated
from domain.identity.guardian import GuardianRecoveryBegun
from domain.identity.handle import HandleClaimed, HandleConfirmed, HandleReleased
from domain.identity.naming import ClaimLapsed, HandleSet, SetHandle
from domain.identity.recovery import DidRecovered
from log.topic import partition_of
from processors.audit_names import Fault, require
from processors.audit_windows import Window, told

CONTEXT: Final = "identity"


CITING: Final = (DidCreated, HandleSet, ClaimLapsed, HandleConfirmed, HandleReleased, GuardianRecoveryBegun)


class Cites(NamedTuple):
    """An event that cites another stream: its place, its partition's own time, and itself."""

    place: str
    at: int
    event: Any


class Citations:
    """What has been heard of every stream, for what others say of it to be checked against once all is read.

    This grows with DIDs, their keys and handles, and by two numbers for each decision.
    """

    def __init__(self) -> None:
        self._times: dict[int, tuple[array[int], array[int]]] = {}
        self._claims: dict[tuple[str, str], set[int]] = {}
        self._claimed_at: dict[str, tuple[str, str, int]] = {}
        self._handles: dict[str, tuple[list[int], list[str | None]]] = {}
        self._windows: dict[tuple[str, str], dict[int, Window]] = {}
        self._words: dict[tuple[str, str, str], list[Window]] = {}
        self._cites: list[Cites] = []

    def begin(self, partition: int) -> None:
        """Note that there is a partition."""
        self._times.setdefault(partition, (array("q"), array("q")))

    def stand(self, partition: int, offset: int, at: int) -> None:
        """Note the log's time at a decision."""
        offsets, times = self._times[partition]
        offsets.append(offset)
        times.append(at)

    def hear(self, event: Any, partition: int, offset: int, at: int) -> None:
        """Note what an event says that may be cited, and what it cites."""
        for window in told(getattr(event, "windows", ())).values():
            known = self._windows.setdefault((event.did, window.id), {})
            before, known[window.began] = known.get(window.began), window
            if window.since != (None if before is None else before.since):
                word = f"{BY_CLASS[type(event)].name} {CONTEXT}/{partition}/{offset}"
                self._words.setdefault((word, event.did, window.id), []).append(window)
        match event:
            case HandleClaimed():
                self._claims.setdefault((event.handle, event.did), set()).add(event.until)
                self._claimed_at[f"{CONTEXT}/{partition}/{offset}"] = (event.handle, event.did, event.until)
            case DidCreated() | HandleSet() | DidRecovered():
                offsets, handles = self._handles.setdefault(event.did, ([], []))
                offsets.append(offset)
                handles.append(event.handle)
        if isinstance(event, CITING):
            self._cites.append(Cites(f"{CONTEXT}/{partition}/{offset}", at, event))

    def ask(self, command: Any, place: str) -> None:
        """Note a command that carries the claim of its handle."""
        if getattr(command, "claim", None) is not None:
            self._cites.append(Cites(place, 0, command))

    def take(self) -> list[Cites]:
        """Give what cites others so far, once."""
        found, self._cites = self._cites, []
        return found

    def check(self, cites: Cites) -> None:
        """Check what an event cites. Raises Fault."""
        event = cites.event
        match event:
            case DidCreated() | HandleSet():
                held = event.handle is None or any(until > cites.at for until in self._claimed(event))
                require(held, "claim", f"{event.did} takes {event.handle} without a claim that holds")
            case ClaimLapsed():
                claimed = event.until in self._claimed(event)
                require(claimed, "claim", f"{event.did} lets go of {event.handle} and had no such claim")
            case CreateDid() | SetHandle() if event.claim is not None:
                cited = (event.handle, event.did, event.claim.until)
                right = self._claimed_at.get(event.claim.claimed_at) == cited
                require(right, "claim", f"{event.did} cites a claim of {event.handle} that wasn't made")
            case HandleConfirmed():
                handle = self._handle_at(event.did, event.seen_at)
                require(handle == event.handle, "seen_at", f"{event.did} had {handle} at {event.seen_at}")
            case HandleReleased():
                handle = self._handle_at(event.did, event.seen_at)
                require(handle != event.handle, "seen_at", f"{event.did} had {handle} at {event.seen_at}")
            case GuardianRecoveryBegun():
                for approval in event.approvals:
                    self._check_key(approval)

    def _claimed(self, event: Any) -> Set[int]:
        """Give until when a DID's claims of a handle hold."""
        return self._claims.get((event.handle, event.did), set())

    def _check_key(self, approval: Any) -> None:
        """A registered guardian's key held where it was seen."""
        if not approval.did.startswith("did:mun:"):
            return
        windows = self.windows_seen(approval.did, approval.key_id, approval.seen_at)
        held = any(each.public == approval.public_key_multibase for each in windows)
        require(held, "approval", f"{approval.did} had no such key {approval.key_id} at {approval.seen_at}")

    def words(self, said_by: str, did: str, key_id: str) -> Sequence[Window]:
        """Give the windows of a DID's key of which an event, by name and position, said since when they are marked."""
        return self._words.get((said_by, did, key_id), ())

    def windows_seen(self, did: str, key_id: str, seen_at: str) -> Sequence[Window]:
        """Give the windows of a DID's key that held at a position. Raises Fault where that is none of the DID's."""
        at = self._time(did, seen_at)
        return [each for each in self._windows.get((did, key_id), {}).values() if each.lasts(at)]

    def _place(self, did: str, cited: str) -> tuple[int, int, int]:
        """Read a position in a DID's own partition: the partition, the offset, and how many decisions lie up to it."""
        context, _, rest = cited.partition("/")
        partition, _, offset = rest.partition("/")
        if context != CONTEXT or not all(part.isascii() and part.isdigit() for part in (partition, offset)):
            raise Fault("seen_at", f"{cited!r} is no position of identity")
        right = partition_of(did, len(self._times))
        require(int(partition) == right, "seen_at", f"{cited} isn't in the partition of {did}")
        offsets, _ = self._times[right]
        count = bisect_right(offsets, int(offset))
        require(bool(count) and offsets[-1] >= int(offset), "seen_at", f"{cited} is no decision")
        return right, int(offset), count

    def _time(self, did: str, cited: str) -> int:
        partition, _, count = self._place(did, cited)
        return self._times[partition][1][count - 1]

    def _handle_at(self, did: str, cited: str) -> str | None:
        _, offset, _ = self._place(did, cited)
        offsets, handles = self._handles.get(did, ([], []))
        count = bisect_right(offsets, offset)
        return handles[count - 1] if count else None

    def handles(self) -> Iterator[tuple[str, str]]:
        """Give every handle that a DID has now, with the DID."""
        for did, (_, handles) in self._handles.items():
            if handles[-1] is not None:
                yield handles[-1], did
