"""Media as they are read: what was reserved, and whether it was finalized or swept. Their bytes lie in the storage."""

from dataclasses import dataclass
from typing import Any, Final

from domain.did import identity
from domain.records.erasure import OwnerErased
from domain.records.media import MediaFinalized, MediaReserved, MediaSwept
from log.following import Decided
from projections.generations import Table
from projections.lines import Copying, line
from projections.postgres import Transaction

EVENTS: Final = (MediaReserved, MediaFinalized, MediaSwept)
RESERVED, FINALIZED, SWEPT = "reserved", "finalized", "swept"
MEDIA: Final = Table(
    "media",
    (
        "media_id",
        "did",
        "mime",
        "size",
        "sha256",
        "expires_at",
        "part",
        "pos",
        "at",
        "status",
        "status_pos",
        "status_at",
    ),
    ("media_id",),
)
"""``pos`` and ``at`` (ms) are where a file was reserved, ``status_*`` where it became what it is."""
DEFINITION: Final = """
CREATE TABLE {schema}.media (
  media_id text COLLATE "C" PRIMARY KEY, did text COLLATE "C" NOT NULL, mime text NOT NULL, size bigint NOT NULL,
  sha256 text NOT NULL, expires_at bigint NOT NULL, part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL,
  status text NOT NULL, status_pos bigint NOT NULL, status_at bigint NOT NULL) WITH (fillfactor = 90);
CREATE INDEX media_of_owner ON {schema}.media (did, media_id);
"""
CHANGE: Final = (
    "UPDATE {schema}.media m SET status = c.status, status_pos = c.pos, status_at = c.at FROM"
    " unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[]) AS c (media_id, status, pos, at)"
    " WHERE m.media_id = c.media_id"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a file is, and where and when it became that."""

    status: str
    pos: int
    at: int


class MediaFold:
    """What a batch makes of media."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._new: list[tuple[MediaReserved, int, Standing]] = []
        self._standing: dict[str, Standing] = {}
        self._erased: set[str] = set()

    def take(self, event: Any, decided: Decided, at: int) -> None:
        """Fold one event of a file, or its owner's erasure."""
        pos = decided.offset
        match event:
            case MediaReserved():
                self._new.append((event, decided.partition, Standing(RESERVED, pos, at)))
            case MediaFinalized():
                self._standing[event.media_id] = Standing(FINALIZED, pos, at)
            case MediaSwept():
                self._standing[event.media_id] = Standing(SWEPT, pos, at)
            case OwnerErased():
                self._erased.add(identity(event.did))

    async def write(self, transaction: Transaction) -> None:
        """Write what is new, what became of what was there, and let go of what was erased."""
        if self._new:
            copying = Copying(f"{self._schema}.media ({', '.join(MEDIA.columns)})")
            for event, part, reserved in self._new:
                now = self._standing.pop(event.media_id, reserved)
                if identity(event.did) in self._erased:
                    continue
                members = (
                    event.media_id, identity(event.did), event.mime, event.size, event.sha256, event.expires_at,
                    part, reserved.pos, reserved.at, now.status, now.pos, now.at,
                )  # fmt: skip
                copying.add(line([str(each) for each in members]))
            await copying.end(transaction)
        if self._standing:
            await transaction.run(
                CHANGE.format(schema=self._schema),
                list(self._standing),
                [each.status for each in self._standing.values()],
                [each.pos for each in self._standing.values()],
                [each.at for each in self._standing.values()],
            )
        if self._erased:
            await transaction.run(f"DELETE FROM {self._schema}.media WHERE did = ANY(%s)", sorted(self._erased))
