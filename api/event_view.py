"""A public event as every answer shows it: in the feed and on both streams alike."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from api.event_tail import Shown
from api.media_results import MediaView, view_of
from api.record_results import RecordView
from api.times import rfc3339
from api.vault import erased_at
from domain.did import identity
from domain.json_value import JsonObject
from domain.records.record import uri_of
from log import strict_json
from log.token import token_at
from projections.mirror import Mirror
from projections.record_events import CONTEXT, Found, PublicEvent


class EventView(BaseModel):
    """What happened to a record or to media; ``position`` is where, and tells two events apart.

    ``record`` and ``media`` are what reads answer, the record as of this event; they are absent where it was deleted or
    its owner erased it. ``cursor`` is where to go on behind this event.
    """

    model_config = ConfigDict(title="PublicEvent")

    type: str
    uri: str | None = None
    media_id: str | None = None
    did: str
    cid: str | None = None
    correlation_id: str
    at: str
    position: str
    record: RecordView | None = None
    media: MediaView | None = None
    cursor: str


class SealedValue(NamedTuple):
    """A value as it lies on the log, and what it is bound to."""

    did: str
    collection: str
    cid: str
    sealed: bytes


OpenValues = Callable[[Sequence[SealedValue]], Awaitable[Sequence[bytes | None]]]
"""Gives the RFC 8785 text of each value, nothing where its owner's key is gone or can't be asked for."""


class EventViews:
    """Shows events, each record with its value where the owner's key opens it."""

    def __init__(self, mirror: Mirror, open_values: Callable[[], OpenValues | None]) -> None:
        self._mirror, self._open_values = mirror, open_values

    async def show(self, found: Sequence[Found]) -> list[Shown]:
        """Give the JSON objects of events, with and without what their owners can have erased."""
        values = iter(await self._opened([each.event for each in found if each.event.sealed is not None]))
        shown = []
        for each in found:
            bare = strict_json.dump(_bare(each))
            value = None if each.event.sealed is None else next(values)
            # Asked behind the opening, which waits: what was erased meanwhile is not shown.
            whole = bare if erased_at(self._mirror, each.event.did) is not None else _whole(each.event, bare, value)
            shown.append(Shown(whole, bare))
        return shown

    async def _opened(self, events: Sequence[PublicEvent]) -> Sequence[bytes | None]:
        open_values = self._open_values()
        if open_values is None or not events:
            return [None] * len(events)
        sealed = [
            SealedValue(each.did, each.collection or "", each.cid or "", base64.b64decode(each.sealed or ""))
            for each in events
        ]
        return await open_values(sealed)


def _bare(found: Found) -> JsonObject:
    event = found.event
    if event.media_id is not None:
        about: JsonObject = {"media_id": event.media_id}
    else:
        about = {"uri": _uri(event)}
    view: JsonObject = {"type": event.type, **about, "did": identity(event.did)}
    if event.cid is not None:
        view["cid"] = event.cid
    view |= {"correlation_id": event.command_id, "at": rfc3339(event.at)}
    return view | {"position": token_at(CONTEXT, found.partition, found.offset)}


def _whole(event: PublicEvent, bare: bytes, value: bytes | None) -> bytes:
    """Add what the event is about, as reads show it."""
    if event.media_id is not None:
        file = view_of(event.media_id, event._replace(did=identity(event.did)), "finalized")
        return b'%b,"media":%b}' % (bare[:-1], strict_json.dump(file))
    return bare if value is None else b'%b,"record":%b}' % (bare[:-1], _record(event, value))


def _uri(event: PublicEvent) -> str:
    return uri_of(identity(event.did), event.collection or "", event.rkey or "")


def _record(event: PublicEvent, value: bytes) -> bytes:
    """Write a record as of its event; the value's text goes in as it is."""
    known = strict_json.dump({"uri": _uri(event), "cid": event.cid})
    times: JsonObject = {"indexed_at": rfc3339(event.indexed_at or event.at)}
    if event.indexed_at != event.at:
        times["updated_at"] = rfc3339(event.at)
    rest = strict_json.dump({"schema_version": event.schema_version, **times})
    return b'%b,"value":%b,%b' % (known[:-1], value, rest[1:])
