"""Scheduling: what is due to endpoints and not yet on the log is asked for, in batches, each endpoint in its turn.

The agenda drops a due change when it folds its ``DeliveryScheduled``; until then it is asked for again after a while,
under the same command id. So a crash anywhere schedules nothing twice and loses nothing.
"""

import time
from collections.abc import Callable
from typing import Final

from domain.facts.webhook import ScheduleDelivery
from log.log import AppendUnknown, LogUnavailable
from processors.agenda import Agenda
from processors.reactor_commands import Ask, ReactorCommands
from processors.webhook_saying import said_of

SCHEDULED_AT_ONCE: Final = 256
"""Changes of one endpoint that are asked for and not yet seen on the log."""
ASK_AGAIN_S: Final = 10.0
IDLE_S: Final = 1.0


class Scheduling:
    """Asks for the deliveries that are due, while this reactor leads."""

    def __init__(self, agenda: Agenda, commands: ReactorCommands, leads: Callable[[], bool]) -> None:
        self._agenda, self._commands, self._leads = agenda, commands, leads
        self._asked: dict[str, dict[str, float]] = {}

    async def run(self) -> None:
        """Schedule until cancelled; the log being away is waited out."""
        while True:
            if not self._leads():
                self._asked.clear()
                await self._agenda.moved(IDLE_S)
                continue
            try:
                asked = await self.ask()
            except (LogUnavailable, AppendUnknown):
                self._asked.clear()
                asked = 0
            if not asked:
                await self._agenda.moved(IDLE_S)

    async def ask(self) -> int:
        """Ask for what is due and isn't asked for yet; give how many that were."""
        now = time.monotonic()
        asks = [ask for webhook_id in list(self._agenda.endpoints) for ask in self._asks(webhook_id, now)]
        if asks:
            await self._commands.append(asks)
        return len(asks)

    def _asks(self, webhook_id: str, now: float) -> list[Ask]:
        if self._agenda.endpoints[webhook_id].status == "deleted":
            self._asked.pop(webhook_id, None)
            return []
        due = self._agenda.due(webhook_id, SCHEDULED_AT_ONCE)
        before = self._asked.get(webhook_id, {})
        self._asked[webhook_id] = {key: before.get(key, now) for key, _ in due}
        asks = []
        for key, change in due:
            if key in before and now - before[key] < ASK_AGAIN_S:
                continue
            self._asked[webhook_id][key] = now
            fact = self._agenda.fact(change.fact_id)
            if fact is None:
                raise LookupError(f"the agenda has a change due of a fact that it hasn't: {change.fact_id}")
            payload = ScheduleDelivery(webhook_id, change.about, change.replay, said_of(change, fact))
            asks.append(Ask(webhook_id, f"deliver:{webhook_id}:{change.about}:{change.replay}", payload))
        return asks
