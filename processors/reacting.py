"""The reactor: hears of decisions and acts outside, on webhooks and on time; what came of it goes back onto the log.

Every reactor folds the same agenda, so that any can go on where another stopped. Only one acts: the leader, once its
agenda holds all that the log held when it became the leader.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from log import status, topic
from log.following import follow
from log.kafka_address import KafkaAddress
from log.log import Log, LogUnavailable
from log.store import Store
from processors.agenda import Agenda
from processors.audit_source import LogSource
from processors.audit_supply import AMOUNTS as FIGURES
from processors.audit_supply import SupplyAudit
from processors.expiring import Expiring
from processors.faust_app import Task, TaskStatus, Worker
from processors.ledger_agenda import CONTEXT as LEDGER
from processors.ledger_agenda import LedgerAgenda
from processors.ledger_tasks import LedgerTasks
from processors.reactor_commands import ReactorCommands
from processors.reactor_metrics import LEADING, SUPPLY, SUPPLY_HOLDS, TASK_FAILURES, TASK_LAST_RUN
from processors.targets import Targets
from processors.transits import Transits
from processors.webhook_catching_up import CatchingUp
from processors.webhook_dispatching import Dispatching
from processors.webhook_jobs import CONTEXT
from processors.webhook_scheduling import Scheduling
from processors.webhook_sending import Sender

KIND: Final = "reactor"
LINGER_S: Final = 0.005
EXPIRE_EVERY_S: Final = 1.0
BACKFILL_EVERY_S: Final = 60.0
EXPIRE_PAYMENTS_EVERY_S: Final = 60.0
TALLY_EVERY_S: Final = 1.0
VELOCITY_EVERY_S: Final = 300.0
REWARDS_EVERY_S: Final = 60.0
SUPPLY_EVERY_S: Final = 60.0
LEADING_ASKED_EVERY_S: Final = 0.1
WORKER_AGAIN_S: Final = 1.0
CANCEL_AGAIN_S: Final = 6.0
"""Longer than a worker takes to leave its group, which another cancellation would cut short."""
CATCH_UP_WAIT_S: Final = 1.0

journal = logging.getLogger("muniment.reactors")


class Reactor:
    """One reactor; its state lies under ``folder`` and can be folded again from the log."""

    def __init__(
        self,
        log: Log,
        address: KafkaAddress,
        folder: Path,
        name: str,
        *,
        key: bytes,
        targets: Targets = "public",
        backfill: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._log, self._address, self._folder, self._name = log, address, folder, name
        self._key, self._targets = key, targets
        self._acts = False
        self._began = asyncio.Event()
        self._worker: Worker | None = None
        self._agenda: Agenda | None = None
        self._ledger: LedgerAgenda | None = None
        self._supply = SupplyAudit(LogSource(log))
        self._supply_found: Mapping[str, Any] | None = None
        self._commands = ReactorCommands(log)
        self._tasks = [
            Task("expire", EXPIRE_EVERY_S, self._expire),
            Task("expire_payments", EXPIRE_PAYMENTS_EVERY_S, self._of_ledger(LedgerTasks.expire_payments)),
            Task("tally", TALLY_EVERY_S, self._of_ledger(LedgerTasks.tally)),
            Task("velocity", VELOCITY_EVERY_S, self._of_ledger(LedgerTasks.measure_velocity)),
            Task("rewards", REWARDS_EVERY_S, self._of_ledger(LedgerTasks.reward)),
            Task("supply", SUPPLY_EVERY_S, self._audit_supply),
        ]
        if backfill is not None:
            self._tasks.append(Task("backfill", BACKFILL_EVERY_S, backfill))

    async def run(self) -> None:
        """React until cancelled; the log being away is waited out."""
        store = Store(self._folder / "agenda")
        ledger_store = Store(self._folder / "ledger")
        try:
            self._agenda = agenda = Agenda(store)
            self._ledger = ledger = LedgerAgenda(ledger_store)
            async with Sender(self._targets) as sender:
                scheduling = Scheduling(agenda, self._commands, lambda: self._acts)
                dispatching = Dispatching(agenda, self._commands, sender, self._key, lambda: self._acts)
                await together(
                    follow(self._log, CONTEXT, agenda, linger_s=LINGER_S),
                    CatchingUp(self._log, agenda).run(),
                    scheduling.run(),
                    dispatching.run(),
                    follow(self._log, LEDGER, ledger, linger_s=LINGER_S),
                    Transits(ledger, self._commands, lambda: self._acts).run(),
                    self._work(),
                    self._watch_leading(agenda, ledger),
                    self._audit_at_once(),
                )
        finally:
            store.close()
            ledger_store.close()

    def status(self) -> Mapping[str, Any]:
        """Say whether this reactor leads, whether it acts, how far it is, what waits, and how its tasks went."""
        agenda = self._agenda
        return {
            "leads": self._worker is not None and self._worker.leads(),
            "acts": self._acts,
            "positions": {} if agenda is None else {str(each): next_ - 1 for each, next_ in agenda.reached.items()},
            "endpoints": 0 if agenda is None else len(agenda.endpoints),
            "pending": 0 if agenda is None else sum(map(agenda.pending, agenda.endpoints)),
            "supply": self._supply_found,
            "tasks": {} if self._worker is None else self._worker.task_report(),
        }

    async def _expire(self) -> None:
        if self._acts and self._agenda is not None:
            await Expiring(self._agenda, self._commands).ask()

    def _of_ledger(self, task: Callable[[LedgerTasks], Awaitable[int]]) -> Callable[[], Awaitable[object]]:
        async def run() -> object:
            if self._acts and self._ledger is not None:
                return await task(LedgerTasks(self._ledger, self._commands))
            return None

        return run

    async def _audit_at_once(self) -> None:
        """Audit when this reactor begins to act: the first run of a periodic task comes a span later."""
        await self._began.wait()
        with contextlib.suppress(LogUnavailable):
            await self._audit_supply()

    async def _audit_supply(self) -> None:
        """Count every frame's tokens again, from where the last run stood; a difference stays until it is looked at."""
        found = await self._supply.advance()
        for each in found:
            SUPPLY_HOLDS.labels(each.frame_id).set(each.holds)
            for figure in FIGURES:
                SUPPLY.labels(each.frame_id, figure).set(getattr(each, figure))
        self._supply_found = {"at": time.time_ns() // 1_000_000, "frames": [each.as_json() for each in found]}
        if self._supply.difference is not None:
            journal.error("supply_does_not_hold", extra={"place": self._supply.difference.place})

    async def _work(self) -> None:
        """Keep a Faust worker; one that broke is told of and followed by another."""
        while True:
            self._worker = Worker(self._address, self._name, self._folder / "faust", self._tasks, _count_run)
            try:
                await self._worker.run()
            except Exception as error:  # noqa: BLE001  # whatever broke a worker, the next one is made anew
                journal.warning("worker_broke", extra={"error": type(error).__name__})
            await asyncio.sleep(WORKER_AGAIN_S)

    async def _watch_leading(self, agenda: Agenda, ledger: LedgerAgenda) -> None:
        """Let this reactor act while it leads, and not before its agendas hold what the last leader left."""
        while True:
            leads = self._worker is not None and self._worker.leads()
            if leads and not self._acts:
                with contextlib.suppress(LogUnavailable):
                    facts = await agenda.reaches(await self._ends(CONTEXT), CATCH_UP_WAIT_S)
                    self._acts = facts and await ledger.reaches(await self._ends(LEDGER), CATCH_UP_WAIT_S)
                if self._acts:
                    self._began.set()
                    journal.info("leads", extra={"reactor": self._name})
            elif not leads and self._acts:
                self._acts = False
                journal.info("leads_no_more", extra={"reactor": self._name})
            LEADING.set(self._acts)
            await asyncio.sleep(LEADING_ASKED_EVERY_S)

    async def _ends(self, context: str) -> Mapping[int, int]:
        name = topic.events(context)
        reader = await self._log.reader(name, dict.fromkeys(range(await self._log.partitions(name)), 0))
        try:
            return await reader.ends()
        finally:
            await reader.close()


def _count_run(task: str, run: TaskStatus) -> None:
    if run.outcome == "done":
        TASK_LAST_RUN.labels(task).set(run.last_run / 1000)
    else:
        TASK_FAILURES.labels(task).inc()


async def together(*loops: Awaitable[None]) -> None:
    """Run loops until one fails or all are cancelled; a failure is raised by itself."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        # Not gather: that would cancel the loops once more, in the middle of their goodbyes.
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await _ended(tasks)


async def _ended(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Cancel loops until all have ended: one may lose a cancellation that meets what it waits for."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()


async def run(
    log: Log,
    address: KafkaAddress,
    folder: Path,
    name: str,
    *,
    key: bytes,
    targets: Targets = "public",
    backfill: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Run a reactor until cancelled and tell all others every second how it stands.

    ``folder`` is this process's state, ``key`` opens webhook secrets, ``backfill`` heals the feed each minute.
    """
    reactor = Reactor(log, address, folder, name, key=key, targets=targets, backfill=backfill)
    await together(reactor.run(), status.keep_publishing(log, name, KIND, reactor.status))
