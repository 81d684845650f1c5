"""The process manager of transfers across registries: it asks each side for its next phase, and remembers nothing.

What is to be asked follows from the agenda, so a crash anywhere is resumed by asking again, under the same command ids.
A transfer that is late is first rejected by its receiving side, for good; only then does the sending side give back.
That it is late is noticed by a periodic task; all else follows from what was decided, as soon as it is read.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from domain.ledger.transit import AbortTransfer, AcceptTransfer, CommitTransfer, RejectTransfer
from log.log import AppendUnknown, LogUnavailable
from processors.asking import keep_asking
from processors.lately import Lately
from processors.ledger_agenda import Landed, LedgerAgenda, Transit
from processors.reactor_commands import Ask, ReactorCommands
from processors.reactor_metrics import OLDEST_TRANSIT, TIMED_OUT, TRANSITS
from processors.task import Run

PREPARED, ACCEPTED, REJECTED = PHASES = ("prepared", "accepted", "rejected")


def next_phase(name: str, transit: Transit, landed: Landed | None) -> Ask:
    """Give what a transfer needs next, unless it is late."""
    if landed is None:
        return Ask(transit.receiver_frame, f"accept:{name}", AcceptTransfer(*_said(name, transit)))
    if landed.reason is None:
        return Ask(transit.frame_id, f"commit:{name}", CommitTransfer(name, transit.frame_id, landed.seen_at))
    end = AbortTransfer(name, transit.frame_id, landed.reason, landed.seen_at)
    return Ask(transit.frame_id, f"abort:{name}", end)


def _said(name: str, transit: Transit) -> tuple[str, str, str, str, str, int, str]:
    route = (transit.receiver_frame, transit.frame_id, transit.sender, transit.receiver)
    return name, *route, transit.amount, transit.prepared_at


class Transits:
    """Drives what is under way, while this reactor leads; what is late is given up by a periodic task of its own."""

    def __init__(
        self,
        agenda: LedgerAgenda,
        commands: ReactorCommands,
        leads: Callable[[], bool],
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._agenda, self._commands, self._leads, self._clock = agenda, commands, leads, clock
        self._driven, self._rejected = Lately(), Lately()
        self._late: set[str] = set()
        self.timed_out = 0
        """How many transfers were given up since this reactor began."""

    async def run(self) -> None:
        """Drive until cancelled; the log being away is waited out."""
        await keep_asking(self._agenda, self._driven, self._leads, self.ask)

    async def ask(self) -> int:
        """Ask for the next phase of what is under way and not late, and wasn't asked for lately; give how many."""
        asks, now = list[Ask](), self._clock()
        phases, oldest = dict.fromkeys(PHASES, 0), now
        for name, transit, landed in self._under_way():
            phases[PREPARED if landed is None else ACCEPTED if landed.reason is None else REJECTED] += 1
            oldest = min(oldest, transit.at)
            if landed is not None or now < transit.timeout_at:
                asks.append(next_phase(name, transit, landed))
        for phase, count in phases.items():
            TRANSITS.labels(phase).set(count)
        OLDEST_TRANSIT.set(max(0, now - oldest) / 1000)
        return await self._append(self._driven.choose(asks))

    async def time_out(self) -> Run:
        """Let the receiving side reject what is late, for good. Raises LogUnavailable or AppendUnknown.

        Nothing is given back here: that follows once the rejection is on the log.
        """
        now, under_way, late = self._clock(), 0, dict[str, Transit]()
        for name, transit, landed in self._under_way():
            under_way += 1
            if landed is None and transit.timeout_at <= now:
                late[name] = transit
        asks = (
            Ask(each.receiver_frame, f"reject:{name}", RejectTransfer(*_said(name, each)))
            for name, each in late.items()
        )
        try:
            await self._append(self._rejected.choose(asks))
        except (LogUnavailable, AppendUnknown):
            self._rejected.forget()
            raise
        new = late.keys() - self._late
        self._late = set(late)
        self.timed_out += len(new)
        TIMED_OUT.inc(len(new))
        return Run(said={"under_way": under_way, "late": len(late), "timed_out": self.timed_out})

    def _under_way(self) -> Iterator[tuple[str, Transit, Landed | None]]:
        for key, entry in self._agenda.store.scan("transit/"):
            name = key.removeprefix("transit/")
            found = self._agenda.store.get(f"landed/{name}")
            yield name, Transit(*entry), None if found is None else Landed(*found)

    async def _append(self, asks: Sequence[Ask]) -> int:
        if asks:
            await self._commands.append(asks)
        return len(asks)
