"""The chain as an api process asks it: its newest block is remembered for a moment, and what is wrong is a problem."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, Final, Protocol, TypeVar

from api.problems import ProblemError
from api.route import Asked
from processors.chain import Block, Chain, ChainUnavailable

T = TypeVar("T")
TIP_KNOWN_S: Final = 0.5
HINTS_AT_ONCE: Final = 16


class Devnet(Protocol):
    """What can be asked of the embedded chain besides."""

    async def mine(self) -> Block:
        """Mine a block of all that waits."""
        ...

    async def reorganise(self, depth: int) -> Block:
        """Put others in the place of so many newest blocks, and one more. Raises ValueError where it can't."""
        ...


class Anchorage:
    """The chain, who can spend what the pool has, and the fee in satoshis per kB; the devnet where the chain is one.

    ``callback_token`` is what the chain shows when it calls, none where it never does; ``hints`` bounds how many of its
    hints are looked into at once.
    """

    def __init__(
        self,
        chain: Chain,
        script: bytes,
        fee_per_kb: int,
        devnet: Devnet | None = None,
        callback_token: str | None = None,
    ) -> None:
        self.chain, self.script, self.fee_per_kb, self.devnet = chain, script, fee_per_kb, devnet
        self.callback_token = callback_token
        self.hints = asyncio.Semaphore(HINTS_AT_ONCE)
        self._tip: tuple[float, Block] | None = None

    async def tip(self) -> Block | None:
        """Give the newest block, at most half a second old; none while the chain can't be asked."""
        now = time.monotonic()
        if self._tip is None or now - self._tip[0] >= TIP_KNOWN_S:
            try:
                self._tip = now, await self.chain.tip()
            except ChainUnavailable:
                return None
        return self._tip[1]


def anchorage(asked: Asked) -> Anchorage:
    """Give the chain of this deployment; raises ``chain_unavailable`` where it has none."""
    found: Any = asked.api.anchorage
    if found is None:
        raise ProblemError("chain_unavailable", "this process asks no chain")
    return found  # type: ignore[no-any-return]  # the wiring's own, whose type would import this file in a circle


async def answered(answer: Awaitable[T]) -> T:
    """Wait for an answer of the chain; raises ``chain_unavailable``."""
    try:
        return await answer
    except ChainUnavailable:
        raise ProblemError("chain_unavailable", headers={"Retry-After": "1"}) from None
