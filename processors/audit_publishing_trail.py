"""The trail of publishing as an auditor writes it from events, by code that shares none with the projection."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from domain.publishing.job import JobQueued
from domain.publishing.publisher import PublisherRegistered

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS: Final = 253_402_300_799_999
NAMES: Final = {
    "PublisherRegistered": ("publisher", "pubkey"),
    "PublisherRemoved": ("publisher", "pubkey"),
    "JobQueued": ("job", "job_id"),
    "JobsWaiting": ("pool", "pool_id"),
    "PoolFunded": ("output", "outpoint"),
}
"""By event, what it is about and the member that names that; all others are about a batch."""
UNTOLD: Final = frozenset({"pool_id", "pubkey", "record", "signature", "paced_until", "raw", "header", "bump"})
"""Members that the trail doesn't repeat."""
AS_TEXT: Final = frozenset({"satoshis", "piece_satoshis", "fee"})
OF_SPLITS: Final = frozenset({"pieces", "piece_satoshis"})


def step(event: Any) -> dict[str, Any]:
    """Give what the trail says of an event, but for where it lies."""
    kind = type(event).__name__
    about, named = NAMES.get(kind, ("batch", "batch_id"))
    holder = isinstance(event, JobQueued) or (isinstance(event, PublisherRegistered) and event.authority is None)
    return {
        "event_type": kind,
        "actor_pubkey": event.pubkey if holder else None,
        "resource_type": about,
        "resource_id": getattr(event, named),
        "action": _action(kind),
        "details": _members(event, UNTOLD | {named}),
    }


def _action(kind: str) -> str:
    """Give the last word of an event's name, as the trail writes it."""
    start = max(index for index, letter in enumerate(kind) if letter.isupper())
    return kind[start:].lower()


def _members(event: Any, left_out: frozenset[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for each in fields(event):
        value = getattr(event, each.name)
        splits = each.name not in OF_SPLITS or event.pieces
        if each.name not in left_out and value is not None and splits:
            told[_camel(each.name)] = _written(each.name, value)
    return told


def _written(name: str, value: Any) -> Any:
    if name in AS_TEXT:
        return str(value)
    if name == "expires_at":
        moment = EPOCH + timedelta(milliseconds=min(max(value, 0), LAST_MS))
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, tuple):
        return [_written("", each) for each in value]
    return _members(value, frozenset()) if hasattr(value, "__dataclass_fields__") else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
