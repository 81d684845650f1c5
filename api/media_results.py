"""What the answers to the writes of media show of their events."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from api.place import Place, Shown
from api.times import rfc3339
from api.wiring import Api
from domain.json_value import JsonObject
from domain.records.media import MediaFinalized, MediaReserved, MediaSwept


class UploadView(BaseModel):
    """How a file is to be sent: this request, with the file as its body, before ``expires_at``."""

    model_config = ConfigDict(title="Upload")

    method: str
    url: str
    headers: dict[str, str]
    expires_at: str


class MediaView(BaseModel):
    """A file: its type, its size in bytes, its SHA-256 in hex, and what it is."""

    model_config = ConfigDict(title="Media")

    id: str
    did: str
    mime: str
    size: int
    sha256: str
    status: str
    reserved_at: str | None = None
    expires_at: str | None = None
    finalized_at: str | None = None
    upload: UploadView | None = None


def view_of(media_id: str, file: Any, status: str) -> JsonObject:
    """Show what a file was reserved as, and what it is."""
    view: JsonObject = {"id": media_id, "did": file.did, "mime": file.mime, "size": file.size}
    return view | {"sha256": file.sha256, "status": status}


def _reserved(_api: Api, event: MediaReserved, place: Place) -> Shown:
    times: JsonObject = {"reserved_at": rfc3339(place.at), "expires_at": rfc3339(event.expires_at)}
    return 201, view_of(event.media_id, event, "reserved") | times


def _finalized(_api: Api, event: MediaFinalized, place: Place) -> Shown:
    return 200, view_of(event.media_id, event, "finalized") | {"finalized_at": rfc3339(place.at)}


def _swept(_api: Api, event: MediaSwept, _place: Place) -> Shown:
    return 200, {"id": event.media_id, "did": event.did, "status": "swept"}


MEDIA_RESULTS: Final[Mapping[type, Callable[[Api, Any, Place], Shown]]] = {
    MediaReserved: _reserved,
    MediaFinalized: _finalized,
    MediaSwept: _swept,
}
