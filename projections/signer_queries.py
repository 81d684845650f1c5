"""What is asked of signers: a page by role, as of one moment throughout its walk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from projections.generations import Generation
from projections.postgres import Transaction

COLUMNS = ("did", "roles", "added_by", "added_at", "revoked_at")


@dataclass(frozen=True, slots=True)
class StoredSigner:
    """A signer, revoked or not; times in ms."""

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
        f"SELECT {', '.join(COLUMNS)} FROM (SELECT DISTINCT ON (did) {', '.join(COLUMNS)}"
        f" FROM {generation.schema}.signers WHERE did > %(after)s"
        " AND pos <= (%(offsets)s::bigint[])[part + 1] ORDER BY did, pos DESC) s"
        f" {having} ORDER BY did LIMIT %(limit)s",
        bound,
    )
    return [StoredSigner(did, tuple(roles.split()), *rest) for did, roles, *rest in rows]
