"""What is asked of stakes and of those who vote with them: an owner's stakes, the proposals of registries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.did import identity
from projections.generations import Generation
from projections.ledger_stakes import OWNER
from projections.pages import NEWEST, Behind, behind, columns
from projections.postgres import Transaction
from projections.reads import vector

STATUS = "CASE WHEN tallied_pos <= (%(offsets)s::bigint[])[part + 1] THEN status ELSE 'open' END"
"""A proposal's status as of some offsets."""


@dataclass(frozen=True, slots=True)
class StoredStake:
    """A stake; ``earned`` is the sum of its rewards, ``withdrawn_at`` None while it lies."""

    stake_id: str
    frame_id: str
    registry_id: str
    account: str
    owner: str
    amount: int
    lock_days: int
    unlocks_at: int
    withdrawn_at: int | None
    earned: int
    rewarded_day: int | None
    part: int
    pos: int
    at: int


@dataclass(frozen=True, slots=True)
class StoredProposal:
    """A proposal as it stands; ``tallied_at`` is None while it is open."""

    proposal_id: str
    frame_id: str
    registry_id: str
    number: int
    kind: str
    title: str
    text: str | None
    parameter: str | None
    value: str | None
    ends_at: int
    electorate: int
    opened_by: str
    status: str
    yes: int
    no: int
    abstain: int
    tallied_at: int | None
    part: int
    pos: int
    at: int


async def stakes(
    transaction: Transaction, generation: Generation, owner: str, *, limit: int, after: Behind | None = None
) -> list[StoredStake]:
    """Give an owner's stakes in every frame, withdrawn ones too; the owner in any spelling of its DID."""
    bound: dict[str, Any] = {"limit": limit, "owner": identity(owner)}
    conditions = behind(bound, after)
    rows = await transaction.rows(
        f"SELECT {columns(StoredStake)} FROM {generation.schema}.stakes"
        f" WHERE {OWNER.replace('%', '%%')} = %(owner)s{conditions} {NEWEST}",
        bound,
    )
    return [StoredStake(*row) for row in rows]


async def stake(transaction: Transaction, generation: Generation, stake_id: str) -> StoredStake | None:
    """Find a stake."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredStake)} FROM {generation.schema}.stakes WHERE stake_id = %s", stake_id
    )
    return StoredStake(*rows[0]) if rows else None


async def proposal(transaction: Transaction, generation: Generation, proposal_id: str) -> StoredProposal | None:
    """Find a proposal."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredProposal)} FROM {generation.schema}.proposals WHERE proposal_id = %s", proposal_id
    )
    return StoredProposal(*rows[0]) if rows else None


async def proposals(
    transaction: Transaction,
    generation: Generation,
    *,
    registry_id: str | None = None,
    status: str | None = None,
    limit: int,
    offsets: Sequence[int] | None = None,
    after: Behind | None = None,
) -> list[StoredProposal]:
    """Give the proposals that there were at these offsets (or are now) and had this status then, tallies as of now.

    A walk that keeps the offsets of its first page shows each once, though one is tallied meanwhile.
    """
    bound: dict[str, Any] = {"limit": limit, "registry_id": registry_id, "status": status}
    bound["offsets"] = list(vector(generation) if offsets is None else offsets)
    conditions = behind(bound, after)
    if registry_id is not None:
        conditions += " AND registry_id = %(registry_id)s"
    if status is not None:
        conditions += f" AND {STATUS} = %(status)s"
    rows = await transaction.rows(
        f"SELECT {columns(StoredProposal)} FROM {generation.schema}.proposals"
        f" WHERE pos <= (%(offsets)s::bigint[])[part + 1]{conditions} {NEWEST}",
        bound,
    )
    return [StoredProposal(*row) for row in rows]
