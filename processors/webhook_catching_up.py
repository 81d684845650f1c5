"""Looks behind the fold: reads decisions again by the reading rule, and makes what an endpoint missed due to it.

A job's progress and what it made due are one write. Every reactor does this to its own agenda, whether it leads or not.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from domain.decider import Change
from domain.facts.mark import FACT_EVENTS
from log import topic
from log.chain import Chain
from log.fold import Overlay
from log.following import Decided
from log.log import Log, LogUnavailable
from processors.agenda import Agenda, become_due
from processors.agenda_entries import due_of, job_key
from processors.webhook_jobs import CONTEXT, Job, Part

JOBS_AT_ONCE: Final = 8
POLL_S: Final = 0.5
RETRY_S: Final = 0.5
MESSAGES_PER_POLL: Final = 1000
SWEPT_AT_ONCE: Final = 1000
SWEPT_PREFIXES: Final = ("due", "matched", "ready", "delivery", "job", "pending")


class CatchingUp:
    """Runs an agenda's jobs, a few at once, and sweeps away what deleted endpoints left."""

    def __init__(self, log: Log, agenda: Agenda) -> None:
        self._log, self._agenda = log, agenda
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look until cancelled; a job whose look failed begins again where its progress was written."""
        try:
            while True:
                self._reap()
                for key, entry in list(self._agenda.store.scan("job/")):
                    if key not in self._running and len(self._running) < JOBS_AT_ONCE:
                        webhook_id = key.split("/")[1]
                        self._running[key] = asyncio.create_task(self._look(webhook_id, Job.of(entry)))
                self._sweep()
                await self._agenda.moved(POLL_S)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _reap(self) -> None:
        for key, task in list(self._running.items()):
            if task.done():
                del self._running[key]
                task.result()

    async def _look(self, webhook_id: str, job: Job) -> None:
        try:
            while job.parts:
                job = await self._look_in_part(webhook_id, job)
        except LogUnavailable:
            await asyncio.sleep(RETRY_S)

    async def _look_in_part(self, webhook_id: str, job: Job) -> Job:
        part = job.parts[0]
        chain = Chain(part.mark)
        reader = await self._log.reader(topic.events(CONTEXT), {part.partition: part.next})
        try:
            while chain.mark.next < part.until and self._wanted(webhook_id):
                batches = await reader.poll(POLL_S, MESSAGES_PER_POLL)
                counted = [Decided(CONTEXT, each) for each in chain.counted(batches.get(part.partition, ()))]
                mark = chain.mark
                left = part._replace(next=mark.next, chain=mark.chain.hex(), last=mark.last)
                job = job._replace(parts=(left, *job.parts[1:]))
                if batches:
                    self._agenda.write(
                        [*self._made_due(webhook_id, job, left, counted), (_key(webhook_id, job), job.entry)], {}
                    )
                    await asyncio.sleep(0)
        finally:
            await reader.close()
        job = job._replace(parts=job.parts[1:])
        self._agenda.write([(_key(webhook_id, job), job.entry if job.parts and self._wanted(webhook_id) else None)], {})
        return job if self._wanted(webhook_id) else job._replace(parts=())

    def _wanted(self, webhook_id: str) -> bool:
        endpoint = self._agenda.endpoints.get(webhook_id)
        return endpoint is not None and endpoint.status != "deleted"

    def _made_due(self, webhook_id: str, job: Job, part: Part, decided: Sequence[Decided]) -> Sequence[Change]:
        """Make due what a batch holds; nothing awaits in here, so that the fold can't come between read and write."""
        endpoint = self._agenda.endpoints.get(webhook_id)
        overlay = Overlay(self._agenda.store)
        changes: list[Change] = []
        for entry in decided:
            at = entry.decision.at
            if not part.after < entry.offset < part.until or at < job.not_before:
                continue
            if endpoint is None or (job.before is not None and at >= job.before):
                continue
            for event in entry.payloads:
                fact = self._agenda.fact(event.fact_id) if isinstance(event, FACT_EVENTS) else None
                if fact is None or not endpoint.hears(fact.kind):
                    continue
                due = due_of(event, (part.partition, entry.offset), at, job.replay)
                for change in become_due(overlay, webhook_id, due):
                    overlay.put(change)
                    changes.append(change)
        return changes

    def _sweep(self) -> None:
        """Remove what a deleted endpoint left, a bounded number of entries at a time, and at last the endpoint."""
        for webhook_id, endpoint in list(self._agenda.endpoints.items()):
            if endpoint.status == "deleted" and not any(key.split("/")[1] == webhook_id for key in self._running):
                self._agenda.sweep(webhook_id, SWEPT_PREFIXES, SWEPT_AT_ONCE)


def _key(webhook_id: str, job: Job) -> str:
    return job_key(webhook_id, job.replay)
