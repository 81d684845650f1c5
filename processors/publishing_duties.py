"""What a reactor does for publishing: it follows its decisions, and batches, broadcasts and observes while it leads."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from domain.publishing.output import POOL_ID, FundPool
from log import topic
from log.following import follow
from log.log import Log
from log.store import MemoryStore, Store
from processors import publishing_metrics
from processors.batcher import Batcher, BatcherSettings
from processors.broadcaster import Broadcaster
from processors.chain import Chain
from processors.observer import LOOK_EVERY_S, Observer
from processors.pool_key import PoolKey
from processors.publishing_agenda import CONTEXT, PublishingAgenda
from processors.reactor_commands import Ask, ReactorCommands
from processors.task import WAITS, Run, Task

LINGER_S: Final = 0.005
FUND_EVERY_S: Final = 1.0
TELL_EVERY_S: Final = 1.0
FAUCET: Final = "faucet"
"""The authority of what the devnet's faucet gives."""
FAUCET_SATOSHIS: Final = 50 * 100_000_000


class Faucet(Protocol):
    """Where a pool that was never funded gets its first output."""

    async def faucet(self, script: bytes, satoshis: int) -> str:
        """Give an output to whom this script lets spend it; its outpoint. Raises ChainUnavailable."""
        ...


class Press(NamedTuple):
    """What anchoring needs: the chain, the pool's key, the fee and the size of a piece; a faucet on a devnet alone.

    The chain is looked at every ``look_every_s``.
    """

    chain: Chain
    key: PoolKey
    settings: BatcherSettings = BatcherSettings()
    faucet: Faucet | None = None
    look_every_s: float = LOOK_EVERY_S


class PublishingDuties:
    """The part of a reactor that is publishing's; ``leads`` tells whether the reactor acts."""

    def __init__(self, log: Log, commands: ReactorCommands, press: Press, leads: Callable[[], bool]) -> None:
        self._log, self._commands, self._press, self._leads = log, commands, press, leads
        self._agenda: PublishingAgenda | None = None
        self._given = False
        """Whether the faucet was asked by this process."""

    def tasks(self) -> Sequence[Task]:
        """Give the periodic tasks: a pool that was never funded, where there is a faucet."""
        return [] if self._press.faucet is None else [Task("faucet", FUND_EVERY_S, self._fund)]

    def loops(self, store: Store | MemoryStore) -> Sequence[Awaitable[None]]:
        """Give what runs until it is cancelled, on a store of its own."""
        self._agenda = agenda = PublishingAgenda(store)
        chain, key, settings, _, look_every_s = self._press
        return (
            follow(self._log, CONTEXT, agenda, linger_s=LINGER_S),
            Batcher(agenda, self._commands, key, self._leads, settings=settings).run(),
            Broadcaster(agenda, self._commands, chain, self._leads).run(),
            Observer(agenda, self._commands, chain, self._leads, look_every_s=look_every_s).run(),
            self._tell(agenda),
        )

    async def caught_up(self, timeout_s: float) -> bool:
        """Wait until all is folded that the log holds now, but not longer than this; say whether it is.

        Raises LogUnavailable.
        """
        name = topic.events(CONTEXT)
        ends: Mapping[int, int] = await self._log.ends(name, range(await self._log.partitions(name)))
        return self._agenda is not None and await self._agenda.reaches(CONTEXT, ends, timeout_s)

    async def _fund(self) -> Run:
        """Let the faucet fund a pool that never was. Raises ChainUnavailable, LogUnavailable, AppendUnknown."""
        faucet, agenda = self._press.faucet, self._agenda
        if not self._leads() or agenda is None or faucet is None:
            return Run(WAITS)
        if agenda.pool.funded or self._given:
            return Run(said={"funded": str(agenda.pool.funded)})
        script = self._press.key.script
        outpoint = await faucet.faucet(script, FAUCET_SATOSHIS)
        payload = FundPool(POOL_ID, outpoint, FAUCET_SATOSHIS, script.hex(), FAUCET)
        await self._commands.append([Ask(POOL_ID, f"faucet:{outpoint}", payload)])
        # Not before: a crash up to here leaves an output that nobody knows of, and asks for another.
        self._given = True
        return Run(said={"funded": str(FAUCET_SATOSHIS)})

    async def _tell(self, agenda: PublishingAgenda) -> None:
        told = False
        while True:
            if self._leads():
                publishing_metrics.tell(agenda)
                told = True
            elif told:
                publishing_metrics.fall_silent()
                told = False
            await asyncio.sleep(TELL_EVERY_S)
