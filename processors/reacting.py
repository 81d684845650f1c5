"""The reactor: hears of decisions and acts outside, on webhooks and on time; what came of it goes back onto the log.

Every reactor folds the same agenda, so that any can go on where another stopped. Only one acts: the leader, once its
agenda holds all that the log held when it became the leader.
"""

import asyncio
import contextlib
import logging
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
from processors.expiring import Expiring
from processors.faust_app import Worker
from processors.identity_duties import IdentityDuties
from processors.key_marks import CONTEXTS as KEY_MARKS_FOLLOW
from processors.key_marks import KeyMarks, KeyMarksAgenda
from processors.ledger_agenda import CONTEXT as LEDGER
from processors.ledger_agenda import LedgerAgenda
from processors.ledger_audits import LedgerAudits
from processors.ledger_tasks import LedgerTasks
from processors.media_agenda import CONTEXT as RECORDS
from processors.media_agenda import MediaAgenda
from processors.media_storage import MediaStorage
from processors.media_sweeping import MediaSweeping
from processors.publishing_duties import Press, PublishingDuties
from processors.reactor_commands import ReactorCommands
from processors.reactor_metrics import LEADING, TASK_FAILURES, TASK_LAST_RUN
from processors.targets import Targets
from processors.task import WAITS, Run, Task, TaskStatus
from processors.together import together
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
TIME_OUT_EVERY_S: Final = 1.0
AUDIT_EVERY_S: Final = 60.0
SWEEP_MEDIA_EVERY_S: Final = 60.0
LEADING_ASKED_EVERY_S: Final = 0.1
WORKER_AGAIN_S: Final = 1.0
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
        audit_every_s: float = AUDIT_EVERY_S,
        media: MediaStorage | None = None,
        press: Press | None = None,
        tasks: Sequence[Task] = (),
    ) -> None:
        self._log, self._address, self._folder, self._name = log, address, folder, name
        self._key, self._targets = key, targets
        self._acts = False
        self._began = asyncio.Event()
        self._worker: Worker | None = None
        self._agenda: Agenda | None = None
        self._ledger: LedgerAgenda | None = None
        self._transits: Transits | None = None
        self._media = media
        self._sweeping: MediaSweeping | None = None
        self._audits = LedgerAudits(LogSource(log))
        self._commands = ReactorCommands(log)
        self._identity = IdentityDuties(log, self._commands, lambda: self._acts)
        self._publishing = None if press is None else PublishingDuties(log, self._commands, press, lambda: self._acts)
        self._tasks = [
            Task("expire", EXPIRE_EVERY_S, self._expire),
            Task("expire_payments", EXPIRE_PAYMENTS_EVERY_S, self._of_ledger(LedgerTasks.expire_payments)),
            Task("tally", TALLY_EVERY_S, self._of_ledger(LedgerTasks.tally)),
            Task("velocity", VELOCITY_EVERY_S, self._of_ledger(LedgerTasks.measure_velocity)),
            Task("rewards", REWARDS_EVERY_S, self._of_ledger(LedgerTasks.reward)),
            Task("transits", TIME_OUT_EVERY_S, self._time_out),
            *self._identity.tasks(),
            *(() if self._publishing is None else self._publishing.tasks()),
            *(Task(name, audit_every_s, run) for name, run in self._auditors().items()),
            *tasks,
        ]
        if backfill is not None:
            self._tasks.append(Task("backfill", BACKFILL_EVERY_S, _said_nothing(backfill)))
        if media is not None:
            self._tasks.append(Task("media", SWEEP_MEDIA_EVERY_S, self._sweep_media))

    async def run(self) -> None:
        """React until cancelled; the log being away is waited out."""
        with contextlib.ExitStack() as held:
            self._agenda = agenda = Agenda(self._store("agenda", held))
            self._ledger = ledger = LedgerAgenda(self._store("ledger", held))
            self._transits = transits = Transits(ledger, self._commands, lambda: self._acts)
            media = MediaAgenda(self._store("media", held))
            if self._media is not None:
                self._sweeping = MediaSweeping(media, self._commands, self._media)
            facts_and_keys = KeyMarksAgenda(self._store("marks", held))
            marks = KeyMarks(facts_and_keys, self._commands, lambda: self._acts)
            async with Sender(self._targets) as sender:
                scheduling = Scheduling(agenda, self._commands, lambda: self._acts)
                dispatching = Dispatching(agenda, self._commands, sender, self._key, lambda: self._acts)
                await together(
                    follow(self._log, CONTEXT, agenda, linger_s=LINGER_S),
                    CatchingUp(self._log, agenda).run(),
                    scheduling.run(),
                    dispatching.run(),
                    follow(self._log, LEDGER, ledger, linger_s=LINGER_S),
                    transits.run(),
                    follow(self._log, RECORDS, media, linger_s=LINGER_S),
                    *(follow(self._log, context, facts_and_keys, linger_s=LINGER_S) for context in KEY_MARKS_FOLLOW),
                    marks.run(),
                    *self._identity.loops(self._store("identity", held)),
                    *(() if self._publishing is None else self._publishing.loops(self._store("publishing", held))),
                    self._work(),
                    self._watch_leading(agenda, ledger),
                    self._audit_at_once(),
                )

    def _store(self, name: str, held: contextlib.ExitStack) -> Store:
        """Open a store under this reactor's folder, and have it closed at the end."""
        store = Store(self._folder / name)
        held.callback(store.close)
        return store

    def status(self) -> Mapping[str, Any]:
        """Say whether this reactor leads, whether it acts, how far it is, what waits, and how its tasks went."""
        agenda = self._agenda
        return {
            "leads": self._worker is not None and self._worker.leads(),
            "acts": self._acts,
            "positions": {} if agenda is None else {str(each): next_ - 1 for each, next_ in agenda.reached.items()},
            "endpoints": 0 if agenda is None else len(agenda.endpoints),
            "pending": 0 if agenda is None else sum(map(agenda.pending, agenda.endpoints)),
            "supply": self._audits.found,
            "tasks": {} if self._worker is None else self._worker.task_report(),
        }

    async def _expire(self) -> Run:
        if self._acts and self._agenda is not None:
            return Run(said={"asked": await Expiring(self._agenda, self._commands).ask()})
        return Run(WAITS)

    def _of_ledger(self, task: Callable[[LedgerTasks], Awaitable[Run]]) -> Callable[[], Awaitable[Run]]:
        async def run() -> Run:
            if self._acts and self._ledger is not None:
                return await task(LedgerTasks(self._ledger, self._commands))
            return Run(WAITS)

        return run

    async def _time_out(self) -> Run:
        if self._acts and self._transits is not None:
            return await self._transits.time_out()
        return Run(WAITS)

    async def _sweep_media(self) -> Run:
        if self._acts and self._sweeping is not None:
            return await self._sweeping.run()
        return Run(WAITS)

    def _auditors(self) -> Mapping[str, Callable[[], Awaitable[Run]]]:
        """Give the auditors of the ledger by the names of their tasks."""
        audits = self._audits
        return {"supply": audits.supply, "settlement": audits.settlement, "invariants": audits.invariants}

    async def _audit_at_once(self) -> None:
        """Audit when this reactor begins to act: the first run of a periodic task comes a span later."""
        await self._began.wait()
        for name in self._auditors():
            if self._worker is not None:
                await self._worker.run_task(name)

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
                    money = facts and await ledger.reaches(LEDGER, await self._ends(LEDGER), CATCH_UP_WAIT_S)
                    named = money and await self._identity.caught_up(CATCH_UP_WAIT_S)
                    self._acts = named and await self._publishing_caught_up()
                if self._acts:
                    self._began.set()
                    journal.info("leads", extra={"reactor": self._name})
            elif not leads and self._acts:
                self._acts = False
                journal.info("leads_no_more", extra={"reactor": self._name})
            LEADING.set(self._acts)
            await asyncio.sleep(LEADING_ASKED_EVERY_S)

    async def _publishing_caught_up(self) -> bool:
        return self._publishing is None or await self._publishing.caught_up(CATCH_UP_WAIT_S)

    async def _ends(self, context: str) -> Mapping[int, int]:
        name = topic.events(context)
        return await self._log.ends(name, range(await self._log.partitions(name)))


def _count_run(task: str, run: TaskStatus) -> None:
    if run.ended:
        TASK_LAST_RUN.labels(task).set(run.last_run / 1000)
    elif run.outcome != WAITS:
        TASK_FAILURES.labels(task).inc()


def _said_nothing(backfill: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[Run]]:
    async def run() -> Run:
        await backfill()
        return Run()

    return run


async def run(
    log: Log,
    address: KafkaAddress,
    folder: Path,
    name: str,
    *,
    key: bytes,
    targets: Targets = "public",
    backfill: Callable[[], Awaitable[object]] | None = None,
    audit_every_s: float = AUDIT_EVERY_S,
    media: MediaStorage | None = None,
    press: Press | None = None,
    tasks: Sequence[Task] = (),
) -> None:
    """Run a reactor until cancelled and tell all others every second how it stands.

    ``folder`` is this process's state, ``key`` opens webhook secrets, ``backfill`` heals the feed each minute, the
    ledger's auditors run every ``audit_every_s``, ``media`` is swept each minute, records are anchored by ``press``,
    ``tasks`` are the leader's too.
    """
    reactor = Reactor(
        log,
        address,
        folder,
        name,
        key=key,
        targets=targets,
        backfill=backfill,
        audit_every_s=audit_every_s,
        media=media,
        press=press,
        tasks=tasks,
    )
    await together(reactor.run(), status.keep_publishing(log, name, KIND, reactor.status))
