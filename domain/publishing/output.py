"""An output of a transaction that the pool can spend: free, held by one batch, or spent; satoshis are never lost.

What the pool holds and the fees that it paid are what it was funded with, after every event.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State

AVAILABLE: Final = "available"
RESERVED: Final = "reserved"
SPENT: Final = "spent"
PENDING: Final = "pending"
"""Of change: the chain doesn't have its transaction yet."""
LARGEST: Final = 21_000_000 * 100_000_000
"""Satoshis that there can ever be."""
POOL: Final = "pool"
POOL_ID: Final = "main"
"""The one pool of a deployment."""


@dataclass(frozen=True, slots=True)
class PoolFunded:
    """The pool has an output more; ``outpoint`` is its transaction's id and number (``txid:vout``), ``script`` hex."""

    pool_id: str
    outpoint: str
    satoshis: int
    script: str
    funded_by: str
    authority: str


class Output(NamedTuple):
    """An output's entry: ``made_by`` is the batch whose change it is, ``held_by`` the batch that spends it."""

    satoshis: int
    status: str
    made_by: str | None
    held_by: str | None


class Pool(NamedTuple):
    """What the pool was funded with, what it holds, and the fees that it paid, in satoshis; outputs that are free."""

    funded: int = 0
    held: int = 0
    fees: int = 0
    available: int = 0

    @property
    def holds(self) -> bool:
        """Tell whether nothing was lost."""
        return self.held + self.fees == self.funded and min(self) >= 0


def output_key(outpoint: str) -> str:
    """Give the key of an output's entry."""
    return f"output/{outpoint}"


def output(state: State, outpoint: str) -> Output | None:
    """Find an output."""
    entry = state.get(output_key(outpoint))
    return None if entry is None else Output(*entry)


def pool(state: State) -> Pool:
    """Give the pool's figures; a partition has one pool."""
    return Pool(*state.get(POOL, ()))


def put(state: State, outpoint: str, now: Output) -> Iterable[Change]:
    """Change an output, or take it into the pool, and the pool's figures with it; what is spent isn't held."""
    before, figures = output(state, outpoint), pool(state)
    was_held = 0 if before is None or before.status == SPENT else before.satoshis
    was_free = before is not None and before.status == AVAILABLE
    is_held = 0 if now.status == SPENT else now.satoshis
    free = figures.available - was_free + (now.status == AVAILABLE)
    yield output_key(outpoint), now
    yield POOL, figures._replace(held=figures.held - was_held + is_held, available=free)


def evolve(state: State, event: PoolFunded, _at: int) -> Iterable[Change]:
    """Fold one event of the pool's funding."""
    yield from put(state, event.outpoint, Output(event.satoshis, AVAILABLE, None, None))
    yield POOL, pool(state)._replace(funded=pool(state).funded + event.satoshis)


@dataclass(frozen=True, slots=True)
class FundPool:
    """Give an output to the pool, which the chain was seen to have and the pool's key to spend.

    ``authority`` is the position at which the actor was seen to be an admin, or ``faucet`` for the devnet's own.
    """

    pool_id: str
    outpoint: str
    satoshis: int
    script: str
    authority: str


class FundingRefusal(StrEnum):
    """Why the pool has no output more, in order of precedence."""

    OUTPUT_KNOWN = "output_known"
    OUT_OF_BOUNDS = "out_of_bounds"


def decide(state: State, command: FundPool, around: Circumstances) -> Sequence[PoolFunded] | Refusal:
    """Rule on funding."""
    if output(state, command.outpoint) is not None:
        return Refusal(FundingRefusal.OUTPUT_KNOWN, {"outpoint": command.outpoint})
    if not 0 < command.satoshis <= LARGEST - pool(state).funded:
        detail = "an output has at least a satoshi, and a pool no more of them than there are"
        return Refusal(FundingRefusal.OUT_OF_BOUNDS, {"bound": "satoshis", "detail": detail})

    return [
        PoolFunded(command.pool_id, command.outpoint, command.satoshis, command.script, around.actor, command.authority)
    ]


OUTPUT = Decider(initial={}, decide=decide, evolve=evolve)
