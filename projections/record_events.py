"""The public events of the records context, in the ordered store of the process that tells of them.

One entry for each event under ``event/<partition>/<offset>``, so that whoever stands at a position finds what comes
behind it by one range read, filters it, and never asks the broker. Values stay sealed here as they are on the log.
"""

import base64
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from domain.decider import Change, Entry
from domain.records.erasure import OwnerErased
from domain.records.media import MediaFinalized
from domain.records.record import RecordCreated, RecordDeleted, RecordUpdated
from log.fold import Entries
from log.following import Decided
from log.message import Decision
from log.token import write_token

CONTEXT: Final = "records"
RECORDS: Final = "cdv.records"
"""What the name of a record's event begins with, before the collection and what happened."""
FINALIZED: Final = "cdv.media.finalized"
ERASED: Final = "!erased"
"""The type of the entry that says that an owner erased everything; it is told to nobody, but heard by who tells."""
PREFIX: Final = "event/"
ENTRY_BYTES: Final = 512
"""About what an entry without a value weighs."""


class PublicEvent(NamedTuple):
    """One event as it is kept: its type as it is told, whose it is, what it is about; times in ms, ``at`` the log's.

    Of a record: collection, rkey, the cid (of a deleted one the last), and where it has a value the version that was
    checked, the time of the first write, and the value in base64, sealed as on the log. Of media: id, type, size, hash.
    """

    type: str
    did: str
    at: int
    command_id: str
    collection: str | None = None
    rkey: str | None = None
    cid: str | None = None
    schema_version: int | None = None
    indexed_at: int | None = None
    sealed: str | None = None
    media_id: str | None = None
    mime: str | None = None
    size: int | None = None
    sha256: str | None = None


class Found(NamedTuple):
    """An event, where it lies, and the cursor of all that was read up to it."""

    partition: int
    offset: int
    event: PublicEvent
    cursor: str


class Scanned(NamedTuple):
    """Events in the order of each partition and, across them, of the log's time; and how far was read."""

    found: list[Found]
    vector: dict[int, int]


class Ordered(Protocol):
    """Entries in the order of their keys."""

    def scan(self, prefix: str, start: str | None = None) -> Iterator[tuple[str, Entry]]:
        """Give the entries whose key has this prefix, in order, from ``start`` on."""


def event_key(partition: int, offset: int) -> str:
    """Give the key of the event at a position."""
    return f"{PREFIX}{partition:05}/{offset:019}"


def write_record_events(_before: Entries, decided: Decided) -> Iterable[Change]:
    """Give the entries of a decision's public events; a writer of the mirror. One decision has at most one of them."""
    if decided.context != CONTEXT:
        return
    made = decided.decision
    key = event_key(decided.partition, decided.offset)
    for event in decided.payloads:
        match event:
            case RecordCreated():
                yield key, _of_value(event, "created", made.at, made)
            case RecordUpdated():
                yield key, _of_value(event, "updated", event.indexed_at, made)
            case RecordDeleted():
                yield key, _of_record(event, "deleted", made)
            case MediaFinalized():
                yield (
                    key,
                    PublicEvent(FINALIZED, event.did, made.at, made.command_id)._replace(
                        media_id=event.media_id, mime=event.mime, size=event.size, sha256=event.sha256
                    ),
                )
            case OwnerErased():
                yield key, PublicEvent(ERASED, event.did, made.at, made.command_id)


def _of_record(event: RecordCreated | RecordUpdated | RecordDeleted, change: str, made: Decision) -> PublicEvent:
    named = f"{RECORDS}.{event.collection}.{change}"
    return PublicEvent(named, event.did, made.at, made.command_id, event.collection, event.rkey, event.cid)


def _of_value(event: RecordCreated | RecordUpdated, change: str, indexed_at: int, made: Decision) -> PublicEvent:
    sealed = base64.b64encode(event.sealed).decode()
    return _of_record(event, change, made)._replace(
        schema_version=event.schema_version, indexed_at=indexed_at, sealed=sealed
    )


def _behind(store: Ordered, partition: int, start: int, end: int) -> Iterator[tuple[int, PublicEvent]]:
    prefix = f"{PREFIX}{partition:05}/"
    for key, entry in store.scan(prefix, event_key(partition, start)):
        offset = int(key[len(prefix) :])
        if offset > end:
            return
        yield offset, PublicEvent(*entry)


def scan(
    store: Ordered,
    vector: Mapping[int, int],
    until: Mapping[int, int],
    wanted: Callable[[str], bool] = lambda _type: True,
    *,
    most: int,
    most_bytes: int,
    most_found: int | None = None,
) -> Scanned:
    """Read the events behind a vector (by partition the offset of the last decision read) and up to another.

    At most ``most`` events are looked at, ``most_found`` are given, and no more once they weigh ``most_bytes``; of a
    partition that was read to its end the vector says so, whatever its last event is.
    """
    reached = dict(vector)
    heads: list[tuple[int, int, int, PublicEvent, Iterator[tuple[int, PublicEvent]]]] = []
    for partition, end in until.items():
        start = vector.get(partition, -1) + 1
        if start <= end:
            events = _behind(store, partition, start, end)
            _push(heads, partition, events, reached, end)
    found: list[Found] = []
    looked_at = weight = 0
    while heads and looked_at < most and weight < most_bytes and (most_found is None or len(found) < most_found):
        _, partition, offset, event, events = heapq.heappop(heads)
        looked_at += 1
        reached[partition] = offset
        if wanted(event.type):
            cursor = write_token({(CONTEXT, p): last for p, last in reached.items()})
            found.append(Found(partition, offset, event, cursor))
            weight += ENTRY_BYTES + len(event.sealed or "")
        _push(heads, partition, events, reached, until[partition])
    return Scanned(found, reached)


def _push(
    heads: list[tuple[int, int, int, PublicEvent, Iterator[tuple[int, PublicEvent]]]],
    partition: int,
    events: Iterator[tuple[int, PublicEvent]],
    reached: dict[int, int],
    end: int,
) -> None:
    """Put a partition's next event among those that may come next; where there is none, all of it was read."""
    following = next(events, None)
    if following is None:
        reached[partition] = end
    else:
        offset, event = following
        heapq.heappush(heads, (event.at, partition, offset, event, events))
