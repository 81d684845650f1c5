"""What is asked of the economy: frames, their supply and their events, and registries.

Amounts are micro-AVT, times ms since 1970 UTC.
"""

from dataclasses import dataclass
from typing import Any

from domain.ledger.registry import Terms
from log.strict_json import parse_own
from projections.generations import Generation
from projections.ledger_registries import read_terms
from projections.pages import columns
from projections.postgres import Transaction

SUPPLY = (
    "frame_id", "issued", "destroyed", "transit_net", "circulating", "departed - returned - landed AS in_flight",
    "part",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame, and where it was opened."""

    frame_id: str
    mode: str
    minting: str
    opened_by: str
    velocity_bps: int
    part: int
    pos: int
    at: int


@dataclass(frozen=True, slots=True)
class StoredSupply:
    """A frame's figures as of ``pos``, the last decision of its partition that they were taken at."""

    frame_id: str
    tokens_issued: int
    tokens_destroyed: int
    transit_net: int
    tokens_circulating: int
    in_flight: int
    part: int
    pos: int

    @property
    def holds(self) -> bool:
        """Tell whether the figures add up."""
        return self.tokens_issued - self.tokens_destroyed + self.transit_net == self.tokens_circulating


@dataclass(frozen=True, slots=True)
class StoredRegistry:
    """A registry with its terms now; ``changed_pos`` is the decision that set them."""

    registry_id: str
    frame_id: str
    treasury: str
    opened_by: str
    terms: Terms
    staked: int
    part: int
    pos: int
    at: int
    changed_pos: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of a frame as JSON in the API's conventions; ``idx`` counts within its decision."""

    frame_id: str
    part: int
    pos: int
    idx: int
    at: int
    type: str
    event: dict[str, Any]


async def frames(transaction: Transaction, generation: Generation) -> list[StoredFrame]:
    """Give every frame, by its id."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredFrame)} FROM {generation.schema}.frames WHERE mode IS NOT NULL ORDER BY frame_id"
    )
    return [StoredFrame(*row) for row in rows]


async def frame(transaction: Transaction, generation: Generation, frame_id: str) -> StoredFrame | None:
    """Find a frame."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredFrame)} FROM {generation.schema}.frames WHERE mode IS NOT NULL AND frame_id = %s",
        frame_id,
    )
    return StoredFrame(*rows[0]) if rows else None


async def supply(transaction: Transaction, generation: Generation, frame_id: str) -> StoredSupply | None:
    """Give a frame's supply, and the position that it was taken at."""
    rows = await transaction.rows(
        f"SELECT {', '.join(SUPPLY)} FROM {generation.schema}.frames WHERE mode IS NOT NULL AND frame_id = %s", frame_id
    )
    return StoredSupply(*(*rows[0], generation.marks[rows[0][-1]].last)) if rows else None


async def registry(transaction: Transaction, generation: Generation, registry_id: str) -> StoredRegistry | None:
    """Find a registry."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredRegistry)} FROM {generation.schema}.registries WHERE registry_id = %s"
        " ORDER BY at, part, pos LIMIT 1",
        registry_id,
    )
    return StoredRegistry(*(*rows[0][:4], read_terms(rows[0][4]), *rows[0][5:])) if rows else None


async def events(
    transaction: Transaction, generation: Generation, frame_id: str, *, limit: int, after: tuple[int, int] | None = None
) -> list[StoredEvent]:
    """Give a frame's events behind ``after`` (offset, index), in the order of the log.

    All of a frame's events lie in one partition and become visible in its order, so whoever goes on behind the last
    one that it was given sees each once.
    """
    rows = await transaction.rows(
        f"SELECT {columns(StoredEvent)} FROM {generation.schema}.ledger_events"
        " WHERE frame_id = %s AND (pos, idx) > (%s, %s) ORDER BY pos, idx LIMIT %s",
        frame_id,
        *(after or (-1, 0)),
        limit,
    )
    return [StoredEvent(*(*row[:-1], parse_own(row[-1]))) for row in rows]
