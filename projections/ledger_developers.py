"""Developers as they are read: each DID that registered in a frame, with its account and its grant."""

from typing import Any

from domain.did import identity
from domain.ledger.developer import DeveloperRegistered
from projections.generations import Table
from projections.lines import line
from projections.postgres import Transaction
from projections.rows import Place, appending, text

DEVELOPERS = Table(
    "developers",
    (
        "frame_id", "identity", "did", "registry_id", "name", "email", "account", "granted", "registered_by", "part",
        "pos", "at",
    ),
    ("frame_id", "identity"),
    ("email",),
)  # fmt: skip
DEFINITION = """
CREATE TABLE {schema}.developers (
  frame_id text COLLATE "C" NOT NULL, identity text COLLATE "C" NOT NULL, did text NOT NULL, registry_id text NOT NULL,
  name text NOT NULL, email text, account text NOT NULL, granted bigint NOT NULL, registered_by text NOT NULL,
  part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL, PRIMARY KEY (frame_id, identity));
"""


class Developers:
    """What a batch makes of developers: each is new, since one registers once in a frame."""

    events: tuple[type, ...] = (DeveloperRegistered,)

    def __init__(self, schema: str) -> None:
        self._new = appending(schema, DEVELOPERS)

    def want(self, event: Any) -> None:
        """Need nothing that was before."""

    async def load(self, transaction: Transaction) -> None:
        """Read nothing."""

    def fold(self, event: Any, place: Place) -> None:
        """Fold a developer."""
        part, pos, _, at = place
        row = (
            event.frame_id, identity(event.did), event.did, event.registry_id, event.name, event.email, event.account,
            event.grant, event.registered_by, part, pos, at,
        )  # fmt: skip
        self._new.add(line([text(member) for member in row]))

    async def save(self, transaction: Transaction) -> None:
        """Write the developers."""
        await self._new.end(transaction)
