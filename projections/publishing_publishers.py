"""Public keys that publish as they are read: who vouched for each, and who took that back."""

from typing import Any, Final

from domain.publishing.publisher import PublisherRegistered, PublisherRemoved
from projections.generations import Table
from projections.postgres import Transaction
from projections.rows import Place, Rows, blank

PUBLISHERS: Final = Table(
    "publishers",
    (
        "pubkey", "label", "registered_by", "authority", "part", "pos", "at", "removed_by", "removed_pos",
        "removed_at",
    ),
    ("pubkey",),
)  # fmt: skip
DEFINITION: Final = """
CREATE TABLE {schema}.publishers (
  pubkey text COLLATE "C" PRIMARY KEY, label text NOT NULL, registered_by text COLLATE "C" NOT NULL,
  authority text COLLATE "C", part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL,
  removed_by text COLLATE "C", removed_pos bigint, removed_at bigint);
CREATE INDEX publishers_at ON {schema}.publishers (at, part, pos);
"""


class Publishers:
    """What a batch makes of public keys; one that is registered again is as new."""

    events: tuple[type, ...] = (PublisherRegistered, PublisherRemoved)

    def __init__(self, schema: str) -> None:
        self._rows = Rows(schema, PUBLISHERS)

    def want(self, event: Any) -> None:
        """Note a public key that may be known."""
        self._rows.want(event.pubkey)

    async def load(self, transaction: Transaction) -> None:
        """Read the public keys."""
        await self._rows.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of a public key."""
        match event:
            case PublisherRegistered():
                said = {name: getattr(event, name) for name in ("pubkey", "label", "registered_by", "authority")}
                self._rows.put(blank(PUBLISHERS, **said, part=place.part, pos=place.pos, at=place.at))
            case PublisherRemoved():
                row = self._rows.changed(event.pubkey)
                row |= {"removed_by": event.removed_by, "removed_pos": place.pos, "removed_at": place.at}

    async def save(self, transaction: Transaction) -> None:
        """Write the public keys that changed."""
        await self._rows.save(transaction)
