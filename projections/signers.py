"""The signers projection: each signer as it was after every event, so that a page can show one moment throughout."""

from collections.abc import Sequence
from typing import Any

from domain.did import identity
from domain.facts.signer import SignerAdded, SignerRevoked, SignerRolesSet
from log.following import Decided
from projections.generations import Batch, Table
from projections.lines import Copying, line
from projections.postgres import Transaction

COLUMNS = ("identity", "did", "part", "pos", "at", "roles", "added_by", "added_at", "revoked_at")
DEFINITION = """
CREATE TABLE {schema}.signers (
  identity text COLLATE "C" NOT NULL, did text NOT NULL, part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL,
  roles text NOT NULL, added_by text NOT NULL, added_at bigint NOT NULL, revoked_at bigint);
CREATE UNIQUE INDEX signers_newest ON {schema}.signers (identity, pos DESC);
"""


class SignersBatch:
    """What a batch makes of signers: their events, folded on what each was before."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._events: list[tuple[Any, int, int, int]] = []

    def take(self, event: Any, decided: Decided, at: int) -> None:
        """Keep one event."""
        self._events.append((event, decided.partition, decided.offset, at))

    async def drain(self, transaction: Transaction) -> None:
        """Send nothing: signers are few."""

    async def write(self, transaction: Transaction) -> None:
        """Write each signer as it was after each event."""
        if not self._events:
            return
        known = await transaction.rows(
            f"SELECT DISTINCT ON (identity) identity, did, roles, added_by, added_at, revoked_at"
            f" FROM {self._schema}.signers WHERE identity = ANY(%s) ORDER BY identity, pos DESC",
            sorted({identity(event.did) for event, *_ in self._events}),
        )
        state = {name: tuple(rest) for name, *rest in known}
        copying = Copying(f"{self._schema}.signers ({', '.join(COLUMNS)})")
        for event, part, pos, at in self._events:
            name = identity(event.did)
            did, roles, added_by, added_at, revoked_at = state[name] = after(state.get(name), event, at)
            revoked = None if revoked_at is None else str(revoked_at)
            copying.add(line((name, did, str(part), str(pos), str(at), roles, added_by, str(added_at), revoked)))
        await copying.end(transaction)


def after(known: tuple[Any, ...] | None, event: Any, at: int) -> tuple[Any, ...]:
    """Give a signer's (did, roles, added_by, added_at, revoked_at) after an event; roles are joined by spaces.

    The DID keeps the spelling in which it was added.
    """
    if isinstance(event, SignerAdded):
        return event.did, " ".join(event.roles), event.added_by, at, None
    if known is None:
        raise LookupError(f"{type(event).__name__} is about a signer that was never added")
    did, _, added_by, added_at, revoked_at = known
    if isinstance(event, SignerRolesSet):
        return did, " ".join(event.roles), added_by, added_at, revoked_at
    return (*known[:4], at)


class SignersProjection:
    """Signers and what they were."""

    name = "signers"
    context = "facts"
    events: tuple[type, ...] = (SignerAdded, SignerRolesSet, SignerRevoked)
    tables: Sequence[Table] = (Table("signers", COLUMNS, ("identity", "pos")),)

    def definition(self, schema: str) -> str:
        """Write the statements that make its table."""
        return DEFINITION.format(schema=schema)

    def batch(self, schema: str) -> Batch:
        """Begin a batch."""
        return SignersBatch(schema)
