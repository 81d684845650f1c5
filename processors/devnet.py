"""The devnet: a chain of this machine alone, which validates what it takes as others do, and mines when it is asked.

All that it is lies in one file, which several processes have open at once, each by a Devnet of its own. It differs from
other chains in this: work is next to nothing; what a block makes can be spent at once, and is made only where the
faucet is asked; fees go to nobody; and what it is reorganised from comes back whole.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from processors import devnet_blocks, devnet_checking, devnet_mempool, devnet_mining
from processors.chain import Block, ChainUnavailable, Seen
from processors.devnet_checking import Holdings
from processors.devnet_file import ChainFile, Connection
from processors.devnet_mempool import read_bounded
from processors.devnet_mining import Faucet
from processors.devnet_scripts import interpreter
from processors.task import Run, Task

ANSWER_TIMEOUT_S: Final = 30.0
"""How long anything may take, waiting for its turn and for other processes included."""
MINED_EVERY_S: Final = 10.0
LOOKED_EVERY_S: Final = 1.0
HEIGHTS: Final = range(1 << 32)
_Answer = TypeVar("_Answer")


class Devnet:
    """A Chain whose file is at ``path``, made where there is none; ``clock`` gives ms, ``fee_per_kb`` is satoshis.

    What is written is durable once its method returns. Every method raises ChainUnavailable, within 30 s.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        fee_per_kb: int = 0,
    ) -> None:
        self._file, self._clock, self._fee_per_kb = ChainFile(path, devnet_blocks.begin), clock, fee_per_kb
        self._trees = devnet_blocks.Trees()
        # One thread is the file's: what is asked is done in that order, and the loop waits for none of it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="devnet")

    async def broadcast(self, raw: bytes) -> None:
        """Take a transaction, or know it by now. Raises Refused, by a DevnetRefusal."""

        def take() -> None:
            transaction = read_bounded(raw)
            interpreter()
            with self._file.transaction(writes=True) as connection:
                devnet_mempool.take(connection, raw, transaction, self._fee_per_kb)

        await self._done(take)

    async def transaction(self, txid: str) -> Seen | None:
        """Find a transaction in a block, or waiting for one."""
        return await self._read(lambda connection: self._trees.seen(connection, txid)) if txid.isascii() else None

    async def tip(self) -> Block:
        """Give the newest block."""
        return (await self._read(devnet_blocks.newest)).block

    async def block(self, height: int) -> Block | None:
        """Give the block of a height, none above the newest."""
        if height not in HEIGHTS:
            return None
        return await self._read(lambda connection: devnet_blocks.block_at(connection, height))

    async def mine(self) -> Block:
        """Mine a block of all that waits for one."""
        return await self._write(lambda connection: devnet_mining.mine(connection, self._clock()))

    async def mine_when_due(self, interval_s: float) -> Block | None:
        """Mine a block where the newest was mined so long ago, whoever did; none where it wasn't."""
        interval = int(interval_s * 1000)
        return await self._write(lambda connection: devnet_mining.mine_when_due(connection, self._clock(), interval))

    async def reorganise(self, depth: int) -> Block:
        """Replace the newest ``depth`` blocks, up to 100, by one more, and give the newest. Raises InvalidDepth.

        The transactions that were in them wait for the block that is mined next; what the faucet gave stays given.
        """
        return await self._write(lambda connection: devnet_mining.reorganise(connection, self._clock(), depth))

    async def faucet(self, script: bytes, satoshis: int) -> str:
        """Mine a block of nothing else that gives a script satoshis; give their outpoint (``txid:vout``).

        They can be spent at once. Raises ValueError: more than 50 coins, or a script that nobody can spend.
        """
        given = Faucet(script, satoshis)
        return await self._write(lambda connection: devnet_mining.faucet(connection, self._clock(), given))

    async def check(self) -> Holdings:
        """Validate the whole file again from its first block on. Raises InvalidChain."""
        return await self._read(devnet_checking.check)

    async def close(self) -> None:
        """Let the file go; nothing can be asked any more."""
        await self._done(self._file.close)
        self._thread.shutdown(wait=False)

    async def _read(self, ask: Callable[[Connection], _Answer]) -> _Answer:
        return await self._done(lambda: self._transact(ask, writes=False))

    async def _write(self, change: Callable[[Connection], _Answer]) -> _Answer:
        return await self._done(lambda: self._transact(change, writes=True))

    def _transact(self, work: Callable[[Connection], _Answer], *, writes: bool) -> _Answer:
        with self._file.transaction(writes=writes) as connection:
            return work(connection)

    async def _done(self, work: Callable[[], _Answer]) -> _Answer:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except TimeoutError:
            raise ChainUnavailable("the devnet did not answer in time") from None


def mining(devnet: Devnet, interval_s: float = MINED_EVERY_S) -> Task:
    """Give the leader's task of mining a block each ``interval_s``; it looks each second, and mines what is due."""

    async def run() -> Run:
        mined = await devnet.mine_when_due(interval_s)
        return Run(said={} if mined is None else {"height": mined.height})

    return Task("mine-devnet", min(LOOKED_EVERY_S, interval_s), run)
