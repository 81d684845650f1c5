"""Dispatch: what is scheduled is sent, each endpoint for itself, and what came of each attempt is put on the log.

What waits stays in the store; in memory are only the attempts under way, so many to an endpoint and no more. An attempt
holds its place until its report was folded back, so that no delivery is tried twice at once by one reactor. They begin
in the order of their ``sequence``, several at a time: a receiver that needs an order takes it from there. A crash after
an attempt and before its report makes the next leader try again, under the same idempotency key.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from domain.facts.webhook import DisableWebhook, ReportAttempt
from log.sealing import CannotUnseal, unseal
from processors.agenda import Agenda
from processors.agenda_entries import Delivery, Endpoint
from processors.reactor_commands import Ask, ReactorCommands
from processors.reactor_metrics import ATTEMPT_SECONDS, ATTEMPTS, DISPATCH_SECONDS, IN_FLIGHT, PENDING
from processors.webhook_retrying import asked_wait_ms, retry_at
from processors.webhook_sending import Answer, Sender
from processors.webhook_signing import body_of, message_id, signed_headers

WEBHOOK_ATTEMPTS_AT_ONCE: Final = 8
"""Requests under way to one endpoint."""
WEBHOOK_UNSETTLED_AT_ONCE: Final = 64
"""Deliveries of one endpoint that are being tried or whose report is not folded yet."""
WEBHOOK_PARKED_AT_ONCE: Final = 256
"""Deliveries of a disabled endpoint that are parked at once, without an attempt."""
REPORT_SEEN_WITHIN_S: Final = 10.0
IDLE_S: Final = 1.0
WAIT_AT_LEAST_S: Final = 0.005
GONE: Final = 410


def now_ms() -> int:
    """Tell the time in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


class Report(NamedTuple):
    """What came of an attempt: ``delivered``, ``failed`` with when to try again (ms), or ``parked``."""

    outcome: str
    status: int | None
    detail: str
    retry_at: int | None


class Dispatching:
    """Sends what is ready, while this reactor leads; ``step`` is called before each step, a test crashes there."""

    def __init__(
        self,
        agenda: Agenda,
        commands: ReactorCommands,
        sender: Sender,
        key: bytes,
        leads: Callable[[], bool],
        *,
        step: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._agenda, self._commands, self._sender, self._key = agenda, commands, sender, key
        self._leads, self._step = leads, step
        self._under_way: dict[str, dict[int, asyncio.Event]] = {}
        self._requests: dict[str, asyncio.Semaphore] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None
        self._freed = asyncio.Event()
        agenda.on_change = self.folded

    def folded(self, touched: Sequence[tuple[str, int]]) -> None:
        """Hear from the agenda which deliveries' reports it folded."""
        for webhook_id, sequence in touched:
            seen = self._under_way.get(webhook_id, {}).get(sequence)
            if seen is not None:
                seen.set()

    async def run(self) -> None:
        """Dispatch until cancelled; what an attempt raises ends it, loudly."""
        try:
            while True:
                if self._failed is not None:
                    raise self._failed
                self._freed.clear()
                written = self._agenda.next_write
                wait_s = self.start() if self._leads() else IDLE_S
                await self._woken(written, wait_s)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _woken(self, written: asyncio.Event, wait_s: float) -> None:
        """Wait for room or for a write since ``written`` was taken: one that came while this looked is not missed."""
        freed, moved = asyncio.create_task(self._freed.wait()), asyncio.create_task(written.wait())
        try:
            await asyncio.wait({freed, moved}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            freed.cancel()
            moved.cancel()

    def start(self) -> float:
        """Begin what is ready and has room; say in how many seconds more will be ready."""
        now, pending, nearest = now_ms(), 0, IDLE_S
        for webhook_id, endpoint in self._agenda.endpoints.items():
            waiting = self._agenda.pending(webhook_id)
            pending += waiting
            if waiting and endpoint.status != "deleted":
                nearest = min(nearest, self._start_at(webhook_id, endpoint, now))
        PENDING.set(pending)
        IN_FLIGHT.set(len(self._tasks))
        return max(nearest, WAIT_AT_LEAST_S)

    def _start_at(self, webhook_id: str, endpoint: Endpoint, now: int) -> float:
        under_way = self._under_way.setdefault(webhook_id, {})
        disabled = endpoint.status == "disabled"
        room = WEBHOOK_PARKED_AT_ONCE if disabled else WEBHOOK_UNSETTLED_AT_ONCE
        for ready_at, sequence in self._agenda.ready(webhook_id, room + len(under_way)):
            if sequence in under_way:
                continue
            if len(under_way) >= room:
                break
            if ready_at > now and not disabled:
                return (ready_at - now) / 1000
            under_way[sequence] = asyncio.Event()
            task = asyncio.create_task(self._try(webhook_id, sequence))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return IDLE_S

    async def _try(self, webhook_id: str, sequence: int) -> None:
        try:
            delivery = self._agenda.delivery(webhook_id, sequence)
            if delivery is not None:
                await self._deliver(webhook_id, sequence, delivery)
        except Exception as error:  # noqa: BLE001  # carried to the loop, which stops loudly
            self._failed = error
        finally:
            del self._under_way[webhook_id][sequence]
            if not self._under_way[webhook_id]:
                del self._under_way[webhook_id]
                self._requests.pop(webhook_id, None)
            self._freed.set()

    async def _deliver(self, webhook_id: str, sequence: int, delivery: Delivery) -> None:
        attempt = delivery.attempts + 1
        self._step("send")
        async with self._requests.setdefault(webhook_id, asyncio.Semaphore(WEBHOOK_ATTEMPTS_AT_ONCE)):
            answer = await self._send(webhook_id, sequence, delivery)
        self._step("sent")
        if answer is None:
            report = Report("parked", None, "the endpoint is disabled", None)
        else:
            report = _report(attempt, answer, delivery.first_failed_at)
            if answer.status == GONE:
                payload = DisableWebhook(webhook_id, "the endpoint answered 410")
                await self._commands.append_surely(Ask(webhook_id, f"disable:{webhook_id}", payload))
                self._step("disabled")
        ATTEMPTS.labels(report.outcome).inc()
        asked = ReportAttempt(webhook_id, sequence, attempt, *report)
        while not self._is_over(webhook_id, sequence, attempt):
            self._step("report")
            await self._commands.append_surely(Ask(webhook_id, f"attempt:{webhook_id}:{sequence}:{attempt}", asked))
            # Durable from here: the attempt and when it is repeated. A crash before repeats it.
            self._step("reported")
            await self._seen(webhook_id, sequence)

    def _is_over(self, webhook_id: str, sequence: int, attempt: int) -> bool:
        """Tell whether the agenda has folded this attempt's report, whoever made it."""
        endpoint, delivery = self._agenda.endpoints.get(webhook_id), self._agenda.delivery(webhook_id, sequence)
        if endpoint is None or endpoint.status == "deleted":
            return True
        return delivery is None or delivery.attempts >= attempt

    async def _seen(self, webhook_id: str, sequence: int) -> None:
        seen = self._under_way[webhook_id][sequence]
        try:
            async with asyncio.timeout(REPORT_SEEN_WITHIN_S):
                await seen.wait()
        except TimeoutError:
            return
        seen.clear()

    async def _send(self, webhook_id: str, sequence: int, delivery: Delivery) -> Answer | None:
        now, endpoint = now_ms(), self._agenda.endpoints.get(webhook_id)
        if endpoint is None or endpoint.status != "active":
            return None
        try:
            secrets = [unseal(self._key, sealed) for sealed in endpoint.signing(now)]
        except CannotUnseal:
            return Answer(None, "secret_not_readable")
        body = body_of(delivery.body, sequence)
        headers = signed_headers(message_id(webhook_id, sequence), body, secrets, now // 1000)
        if delivery.attempts == 0 and delivery.changed_at and not delivery.replay:
            DISPATCH_SECONDS.observe(max(0, now - delivery.changed_at) / 1000)
        with ATTEMPT_SECONDS.time():
            return await self._sender.post(endpoint.url, body, headers)


def _report(attempt: int, answer: Answer, first_failed_at: int | None) -> Report:
    if answer.delivered:
        return Report("delivered", answer.status, answer.detail, None)
    if answer.status == GONE:
        return Report("parked", answer.status, answer.detail, None)
    now = now_ms()
    wait = asked_wait_ms(answer.retry_after, now)
    again = retry_at(attempt, now, first_failed_at, wait, random.random)
    return Report("parked" if again is None else "failed", answer.status, answer.detail, again)
