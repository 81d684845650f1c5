"""What the answers to the writes of publishing show of their events."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from api.place import Place, Shown
from api.times import rfc3339
from api.wiring import Api
from domain.json_value import JsonObject
from domain.publishing.batch import BatchReserved
from domain.publishing.job import JobQueued
from domain.publishing.output import PoolFunded
from domain.publishing.publisher import PublisherRegistered, PublisherRemoved


class JobQueuedView(BaseModel):
    """A job that was taken."""

    model_config = ConfigDict(title="JobQueued")

    jobId: str  # noqa: N815  # the protocol's own name
    status: str


class PublisherView(BaseModel):
    """A public key whose intents are taken; with ``removed_at``, were taken."""

    model_config = ConfigDict(title="Publisher")

    pubkey: str
    label: str | None = None
    registered_by: str | None = None
    registered_at: str | None = None
    removed_by: str | None = None
    removed_at: str | None = None


class PoolOutputView(BaseModel):
    """An output of the pool."""

    model_config = ConfigDict(title="PoolOutput")

    outpoint: str
    satoshis: int
    status: str


class SplitView(BaseModel):
    """A batch that splits an output of the pool."""

    model_config = ConfigDict(title="Split")

    batchId: str  # noqa: N815  # as the jobs' ids are named
    status: str
    outpoints: list[str]
    count: int
    satoshis: int


def _job_queued(_api: Api, event: JobQueued, _place: Place) -> Shown:
    return 202, {"jobId": event.job_id, "status": "queued"}


def _registered(_api: Api, event: PublisherRegistered, place: Place) -> Shown:
    view: JsonObject = {"pubkey": event.pubkey, "label": event.label, "registered_by": event.registered_by}
    return 201, view | {"registered_at": rfc3339(place.at)}


def _removed(_api: Api, event: PublisherRemoved, place: Place) -> Shown:
    return 200, {"pubkey": event.pubkey, "removed_by": event.removed_by, "removed_at": rfc3339(place.at)}


def _funded(_api: Api, event: PoolFunded, _place: Place) -> Shown:
    return 201, {"outpoint": event.outpoint, "satoshis": event.satoshis, "status": "available"}


def _split(_api: Api, event: BatchReserved, _place: Place) -> Shown:
    view: JsonObject = {"batchId": event.batch_id, "status": "reserved", "outpoints": list(event.outpoints)}
    return 202, view | {"count": event.pieces, "satoshis": event.piece_satoshis}


PUBLISH_RESULTS: Final[Mapping[type, Callable[[Api, Any, Place], Shown]]] = {
    JobQueued: _job_queued,
    PublisherRegistered: _registered,
    PublisherRemoved: _removed,
    PoolFunded: _funded,
    BatchReserved: _split,
}
