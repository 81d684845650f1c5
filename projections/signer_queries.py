"""What is asked of signers: a page by role, as of one moment throughout its walk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from projections.generations import Generation
from projections.postgres import Transaction

COLUMNS = ("identity", "did", "roles", "added_by", "added_at", "revoked_at")


@dataclass(frozen=True, slots=True)
class StoredSigner:
    """A signer, revoked or not; ``identity`` is the same for each spelling of its DID; times in ms."""

    identity: str
    did: str
    roles: tuple[str, ...]
    added_by: str
    added_at: int
    revoked_at: int | None


async def page(
    transaction: Transaction,
    generation: Generation,
    *,
    role: str | None,
    limit: int,
    offsets: Sequence[int],
    after: str | None = None,
) -> list[StoredSigner]:
    """Give signers that have a role, or all, in the order of their DIDs, as they were at these offsets."""
    bound: dict[str, Any] = {"offsets": list(offsets), "limit": limit, "role": role, "after": after or ""}
    having = "" if role is None else "WHERE %(role)s = ANY(string_to_array(roles, ' '))"
    rows = await transaction.rows(
        f"SELECT {', '.join(COLUMNS)} FROM (SELECT DISTINCT ON (identity) {', '.join(COLUMNS)}"
        f" FROM {generation.schema}.signers WHERE identity > %(after)s"
        " AND pos <= (%(offsets)s::bigint[])[part + 1] ORDER BY identity, pos DESC) s"
        f" {having} ORDER BY identity LIMIT %(limit)s",
        bound,
    )
    return [StoredSigner(name, did, tuple(roles.split()), *rest) for name, did, roles, *rest in rows]
