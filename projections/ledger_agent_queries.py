"""What is asked of agents: one by its id, a page by what their cards say."""

from dataclasses import dataclass
from typing import Any

from projections.generations import Generation
from projections.pages import NEWEST, Behind, behind, columns
from projections.postgres import Transaction


@dataclass(frozen=True, slots=True)
class StoredAgent:
    """An agent, and where it was registered."""

    agent_id: str
    frame_id: str
    registry_id: str
    did: str
    developer_did: str
    account: str
    origin_registry_location: str
    card: dict[str, Any]
    part: int
    pos: int
    at: int


async def agent(transaction: Transaction, generation: Generation, agent_id: str) -> StoredAgent | None:
    """Find an agent."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredAgent)} FROM {generation.schema}.agents WHERE agent_id = %s", agent_id
    )
    return StoredAgent(*rows[0]) if rows else None


async def agents(
    transaction: Transaction,
    generation: Generation,
    *,
    words: str | None = None,
    skill: str | None = None,
    limit: int,
    after: Behind | None = None,
) -> list[StoredAgent]:
    """Give the agents whose cards have these words (as written, or in English as they are inflected) and this skill."""
    bound: dict[str, Any] = {"limit": limit, "words": words, "skill": skill}
    conditions = behind(bound, after)
    if words is not None:
        conditions += " AND document @@ (websearch_to_tsquery('simple', %(words)s)"
        conditions += " || websearch_to_tsquery('english', %(words)s))"
    if skill is not None:
        conditions += " AND skills @> ARRAY[%(skill)s]::text[]"
    rows = await transaction.rows(
        f"SELECT {columns(StoredAgent)} FROM {generation.schema}.agents WHERE true{conditions} {NEWEST}", bound
    )
    return [StoredAgent(*row) for row in rows]
