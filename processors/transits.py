"""The process manager of transfers across registries: it asks each side for its next phase, and remembers nothing.

What is to be asked follows from the agenda, so a crash anywhere is resumed by asking again, under the same command ids.
A transfer that is late is first rejected by its receiving side, for good; only then does the sending side give back.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from domain.ledger.transit import AbortTransfer, AcceptTransfer, CommitTransfer, RejectTransfer
from log.log import AppendUnknown, LogUnavailable
from processors.ledger_agenda import Landed, LedgerAgenda, Transit
from processors.reactor_commands import Ask, ReactorCommands
from processors.reactor_metrics import OLDEST_TRANSIT, TRANSITS

ASKED_AT_ONCE: Final = 1_000
ASK_AGAIN_S: Final = 2.0
IDLE_S: Final = 0.5
PREPARED, ACCEPTED, REJECTED = PHASES = ("prepared", "accepted", "rejected")


def next_phase(name: str, transit: Transit, landed: Landed | None, now: int) -> Iterator[Ask]:
    """Give what a transfer needs next; ``now`` in ms."""
    if landed is None:
        said = (name, transit.receiver_frame, transit.frame_id, transit.sender, transit.receiver, transit.amount)
        late = transit.timeout_at <= now
        phase: Any = (RejectTransfer if late else AcceptTransfer)(*said, transit.prepared_at)
        yield Ask(transit.receiver_frame, f"{'reject' if late else 'accept'}:{name}", phase)
    elif landed.reason is None:
        yield Ask(transit.frame_id, f"commit:{name}", CommitTransfer(name, transit.frame_id, landed.seen_at))
    else:
        end = AbortTransfer(name, transit.frame_id, landed.reason, landed.seen_at)
        yield Ask(transit.frame_id, f"abort:{name}", end)


class Transits:
    """Drives what is under way, while this reactor leads."""

    def __init__(
        self,
        agenda: LedgerAgenda,
        commands: ReactorCommands,
        leads: Callable[[], bool],
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._agenda, self._commands, self._leads, self._clock = agenda, commands, leads, clock
        self._asked: dict[str, float] = {}

    async def run(self) -> None:
        """Drive until cancelled; the log being away is waited out."""
        while True:
            try:
                asked = await self.ask() if self._leads() else 0
            except (LogUnavailable, AppendUnknown):
                self._asked.clear()
                asked = 0
            if not asked:
                await self._agenda.moved(IDLE_S)

    async def ask(self) -> int:
        """Ask for the next phase of what is under way and wasn't asked for lately; give how many that were."""
        asks, now, clock = list[Ask](), self._clock(), time.monotonic()
        before, self._asked = self._asked, {}
        phases, oldest = dict.fromkeys(PHASES, 0), now
        for key, entry in self._agenda.store.scan("transit/"):
            name = key.removeprefix("transit/")
            found = self._agenda.store.get(f"landed/{name}")
            transit, landed = Transit(*entry), None if found is None else Landed(*found)
            phases[PREPARED if landed is None else ACCEPTED if landed.reason is None else REJECTED] += 1
            oldest = min(oldest, transit.at)
            for ask in next_phase(name, transit, landed, now):
                asked_at = before.get(ask.content_id)
                if asked_at is not None and clock - asked_at < ASK_AGAIN_S:
                    self._asked[ask.content_id] = asked_at
                elif len(asks) < ASKED_AT_ONCE:
                    self._asked[ask.content_id] = clock
                    asks.append(ask)
        for phase, count in phases.items():
            TRANSITS.labels(phase).set(count)
        OLDEST_TRANSIT.set(max(0, now - oldest) / 1000)
        if asks:
            await self._commands.append(asks)
        return len(asks)
