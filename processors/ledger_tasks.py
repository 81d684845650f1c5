"""What the ledger's clock asks for: payments and ballots that end, the velocity, and the rewards of a day that is over.

Each is safe to repeat: the deciders hold whether something ended, and which day a stake was paid for.
"""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from domain.ledger.frame import MeasureVelocity
from domain.ledger.payment import ExpirePayment
from domain.ledger.proposal import TallyProposal
from domain.ledger.registry import Registry, terms_of
from domain.ledger.reward import CloseRewardDay, OpenRewardDay, RewardStakes, rates_of, reward_due
from domain.ledger.stake import DAY_MS
from processors.agenda_entries import number
from processors.ledger_agenda import NEVER_PAID, LedgerAgenda, Lying, Shop
from processors.reactor_commands import Ask, ReactorCommands
from processors.task import Run

AT_ONCE: Final = 1_000
STAKES_A_COMMAND: Final = 500
ASK_AGAIN_MS: Final = 2_000
"""The log's clock decides, and may be behind this one: a refusal is final for its command, so each span has its own."""
VELOCITY_EVERY_MS: Final = 3_600_000


class LedgerTasks:
    """The periodic tasks of the ledger; each says how much it asked for. Raises LogUnavailable or AppendUnknown."""

    def __init__(
        self,
        agenda: LedgerAgenda,
        commands: ReactorCommands,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._agenda, self._commands, self._clock = agenda, commands, clock

    async def expire_payments(self) -> Run:
        """Release the payments whose time is over."""
        return await self._end("hold/", "expire-payment", ExpirePayment)

    async def tally(self) -> Run:
        """Count the votes of the proposals whose time is over."""
        return await self._end("ballot/", "tally", TallyProposal)

    async def _end(self, prefix: str, what: str, make: Callable[[str, str], Any]) -> Run:
        now, asks = self._clock(), list[Ask]()
        for key, (frame_id,) in islice(self._agenda.store.scan(prefix), AT_ONCE):
            _, when, name = key.split("/", 2)
            if when > number(now):
                break
            asks.append(Ask(frame_id, f"{what}:{name}:{now // ASK_AGAIN_MS}", make(name, frame_id)))
        return await self._append(asks)

    async def measure_velocity(self) -> Run:
        """Take each frame's snapshot, once an hour whoever asks."""
        hour = self._clock() // VELOCITY_EVERY_MS
        frames = [key.removeprefix("frame/") for key, _ in self._agenda.store.scan("frame/")]
        return await self._append([Ask(each, f"velocity:{each}:{hour}", MeasureVelocity(each)) for each in frames])

    async def reward(self) -> Run:
        """Pay the rewards of the last day that is over, registry by registry."""
        day = self._clock() // DAY_MS - 1
        asks = list[Ask]()
        for key, entry in list(self._agenda.store.scan("shop/")):
            asks += self._rewards(key.removeprefix("shop/"), Shop(*entry), day)
        return await self._append(asks)

    def _rewards(self, registry_id: str, shop: Shop, yesterday: int) -> Iterator[Ask]:
        """Give the commands of a registry's day, in the order in which its partition takes them."""
        day = shop.day if shop.open else yesterday
        if shop.day >= yesterday and not shop.open:
            return
        rates = rates_of(terms_of(Registry(shop.frame_id, "", "", shop.terms)))
        prefix, begins, ends = f"stake/{registry_id}/", day * DAY_MS, (day + 1) * DAY_MS
        earning = [
            (key.removeprefix(prefix), reward_due(lying.amount, lying.lock_days, rates))
            for key, entry in self._agenda.store.scan(prefix)
            if (lying := Lying(*entry)).placed_at <= begins
            and (lying.withdrawn_at is None or lying.withdrawn_at >= ends)
        ]
        if not earning and shop.day == NEVER_PAID:
            return  # nobody ever staked here: a day of nothing need not be on the log
        of, span = (shop.frame_id, registry_id, day), self._clock() // ASK_AGAIN_MS
        if not shop.open:
            due = sum(each for _, each in earning)
            yield Ask(shop.frame_id, f"open-day:{registry_id}:{day}:{span}", OpenRewardDay(*of, due, rates))
        for start in range(0, len(earning), STAKES_A_COMMAND):
            stakes = tuple(name for name, _ in earning[start : start + STAKES_A_COMMAND])
            yield Ask(shop.frame_id, f"reward:{registry_id}:{day}:{start}:{span}", RewardStakes(*of, stakes))
        yield Ask(shop.frame_id, f"close-day:{registry_id}:{day}:{span}", CloseRewardDay(*of))

    async def _append(self, asks: list[Ask]) -> Run:
        if asks:
            await self._commands.append(asks)
        return Run(said={"asked": len(asks)})
