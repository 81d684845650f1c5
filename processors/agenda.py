"""The agenda: what a reactor has to do, folded from the log into its own store, the same in every reactor.

It holds, by key:

- ``endpoint/<webhook>``: the endpoint, until it is deleted and swept;
- ``fact/<id>``: what a delivery says of a fact; ``expires/<ms>/<id>``: the facts that end, in the order of their end;
- ``due/<webhook>/<ms>/<about>/<replay>``: a change that is due to an endpoint and not yet scheduled on the log;
- ``matched/<webhook>/<about>/<replay>``: where that and its scheduling meet. Partitions have no order among them, so
  that a fold can come to the scheduling first; then the change takes this away instead of becoming due;
- ``delivery/<webhook>/<sequence>`` and ``ready/<webhook>/<ms>/<sequence>``: scheduled, not yet delivered or parked,
  and when it is to be tried; ``pending/<webhook>`` counts them;
- ``job/<webhook>/<replay>``: changes behind the fold that are still to be looked through (``webhook_jobs``);
- ``checkpoint/<partition>/<offset>``, ``clock/<partition>``: where such a look can begin, how far the fold is.

**Which changes an endpoint hears of.** Those decided at or after its registration by the log's time: ``at`` of the
change's decision is not less than ``at`` of ``WebhookRegistered``'s. Both are on the log, so the rule gives the same in
every reactor, after any restart and in any order of reading. What was appended once a registration was acknowledged is
always due (the clocks of several brokers must agree to within that round trip, as NTP keeps them).
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from domain.decider import Change
from domain.facts import webhook as hook
from domain.facts.fact import FactEvent, FactExpired, FactIssued, FactRevoked
from domain.facts.mark import FACT_EVENTS, MarkEvent
from domain.facts.webhook import DeliveryAttempted, DeliveryScheduled, WebhookEvent
from log import topic
from log.chain import Mark, chain_value
from log.fold import Overlay
from log.following import Decided
from log.store import MemoryStore, Store
from processors.agenda_entries import (
    Delivery,
    Due,
    Endpoint,
    FactEntry,
    checkpoint_key,
    clock_key,
    delivery_key,
    due_key,
    due_of,
    due_prefix,
    endpoint_key,
    expires_key,
    fact_key,
    job_key,
    matched_key,
    pending_key,
    ready_key,
    ready_prefix,
)
from processors.webhook_jobs import Clocks, Job, late_registration, replay

CHECKPOINT_EVERY: Final = 1000
"""Offsets between two places at which a look behind the fold can begin."""


def become_due(overlay: Overlay, webhook_id: str, due: Due) -> Iterator[Change]:
    """Make a change due, or pass over one whose scheduling was folded first."""
    found = overlay.get(matched := matched_key(webhook_id, due.about, due.replay))
    if found is None:
        yield due_key(webhook_id, due.at, due.about, due.replay), due
        yield matched, ("due", due.at)
    elif found[0] == "scheduled":
        yield matched, None


def _fact_changes(overlay: Overlay, partition: int, event: FactEvent | MarkEvent) -> Iterator[Change]:
    if isinstance(event, FactIssued):
        of = event.subject
        subject = (of.origin, of.type, of.ref, of.digest)
        fact = FactEntry(event.kind, subject, event.issuer_did, event.issued_at, event.expires_at, partition)
        yield fact_key(event.fact_id), fact
        if event.expires_at is not None:
            yield expires_key(event.expires_at, event.fact_id), ()
        return
    fact = FactEntry(*overlay.get(fact_key(event.fact_id)))
    if isinstance(event, FactRevoked | FactExpired) and fact.expires_at is not None:
        yield expires_key(fact.expires_at, event.fact_id), None


def _count(overlay: Overlay, webhook_id: str, more: int) -> Change:
    found = overlay.get(pending_key(webhook_id))
    return pending_key(webhook_id), ((0 if found is None else found[0]) + more,)


class Agenda:
    """Follows the facts context; ``on_change`` is called after each write with the deliveries that it touched."""

    def __init__(
        self,
        store: Store | MemoryStore,
        on_change: Callable[[Sequence[tuple[str, int]]], None] = lambda _touched: None,
    ) -> None:
        self.store, self.on_change = store, on_change
        self.endpoints: dict[str, Endpoint] = {
            key.partition("/")[2]: Endpoint.of(entry) for key, entry in store.scan("endpoint/")
        }
        self.partitions = 0
        self.reached: dict[int, int] = {}
        self._first: dict[str, str] = {}
        self._touched: list[tuple[str, int]] = []
        self._moved = asyncio.Event()

    async def marks(self, context: str, partitions: int) -> Mapping[int, Mark]:
        """Say for each partition how far the store is."""
        self.partitions = partitions
        name = topic.events(context)
        found = {partition: self.store.mark(name, partition) for partition in range(partitions)}
        self.reached = {partition: mark.next for partition, mark in found.items()}
        return found

    async def apply(self, context: str, decided: Sequence[Decided], marks: Mapping[int, Mark]) -> None:
        """Fold decisions into the store."""
        overlay = Overlay(self.store)
        changes: list[Change] = []
        endpoints = dict(self.endpoints)
        for entry in decided:
            for change in self._changes(overlay, endpoints, entry):
                overlay.put(change)
                changes.append(change)
        # Durable from here: what there is to do, and the marks. A crash before reads the same decisions again.
        self.write(changes, {(topic.events(context), partition): mark for partition, mark in marks.items()})
        self.endpoints = endpoints
        self.reached |= {partition: mark.next for partition, mark in marks.items()}
        touched, self._touched = self._touched, []
        self.on_change(touched)

    def write(self, changes: Sequence[Change], marks: Mapping[tuple[str, int], Mark]) -> None:
        """Write changes and marks, all or nothing, and wake who waits for something to do."""
        self.store.write(changes, marks)
        for key, entry in changes:
            if entry is not None and key.startswith(("due/", "ready/")):
                prefix = key[: key.index("/", key.index("/") + 1) + 1]
                if key < self._first.get(prefix, key):
                    self._first[prefix] = key
        self._moved.set()
        self._moved = asyncio.Event()

    async def reaches(self, ends: Mapping[int, int], timeout_s: float) -> bool:
        """Wait until all below these offsets is folded, but not longer than this; say whether it is."""
        deadline = time.monotonic() + timeout_s
        while any(self.reached.get(partition, 0) < end for partition, end in ends.items()):
            if time.monotonic() >= deadline:
                return False
            await self.moved(deadline - time.monotonic())
        return True

    @property
    def next_write(self) -> asyncio.Event:
        """Give what is set when something is written from now on; to be taken before one looks what is there."""
        return self._moved

    async def moved(self, timeout_s: float) -> None:
        """Wait until something was written, but not longer than this."""
        moved = self._moved
        try:
            async with asyncio.timeout(timeout_s):
                await moved.wait()
        except TimeoutError:
            return

    def _changes(self, overlay: Overlay, endpoints: dict[str, Endpoint], entry: Decided) -> Iterator[Change]:
        at, partition, offset = entry.decision.at, entry.partition, entry.offset
        for event in entry.payloads:
            if isinstance(event, FACT_EVENTS):
                yield from _fact_changes(overlay, partition, event)
                yield from self._due_to_all(overlay, endpoints, entry, event)
            elif isinstance(event, DeliveryScheduled):
                yield from self._scheduled(overlay, endpoints, event, at)
            elif isinstance(event, DeliveryAttempted):
                yield from self._attempted(overlay, event, at)
            elif isinstance(event, WebhookEvent):
                yield from self._endpoint_changes(overlay, endpoints, event, at)
        clock = overlay.get(clock_key(partition))
        if clock is None or clock[0] // CHECKPOINT_EVERY != offset // CHECKPOINT_EVERY:
            yield checkpoint_key(partition, offset), (offset, at, chain_value(entry.message.value).hex())
        yield clock_key(partition), (offset, at)

    def _due_to_all(
        self, overlay: Overlay, endpoints: Mapping[str, Endpoint], entry: Decided, event: FactEvent | MarkEvent
    ) -> Iterator[Change]:
        fact = FactEntry(*overlay.get(fact_key(event.fact_id)))
        due = due_of(event, (entry.partition, entry.offset), entry.decision.at, "")
        for webhook_id, endpoint in endpoints.items():
            if endpoint.hears(fact.kind) and endpoint.registered_at <= due.at:
                yield from become_due(overlay, webhook_id, due)

    def _endpoint_changes(
        self, overlay: Overlay, endpoints: dict[str, Endpoint], event: WebhookEvent, at: int
    ) -> Iterator[Change]:
        webhook_id = event.webhook_id
        job: Job | None = None
        match event:
            case hook.WebhookRegistered(_, url, kinds, sealed_secret):
                endpoints[webhook_id] = Endpoint("active", url, tuple(kinds), ((sealed_secret.hex(), None),), at)
                job = late_registration(self.store, self._clocks(overlay), at)
            case hook.WebhookSecretRotated(_, sealed_secret, overlap_until):
                endpoints[webhook_id] = endpoints[webhook_id].rotated(sealed_secret.hex(), overlap_until, at)
            case hook.WebhookDisabled():
                endpoints[webhook_id] = endpoints[webhook_id]._replace(status="disabled")
            case hook.WebhookDeleted():
                endpoints[webhook_id] = endpoints[webhook_id]._replace(status="deleted")
            case hook.WebhookReplayed(_, name, since):
                job = replay(self.store, self._clocks(overlay), since, name, at)
        if job is not None and job.parts:
            yield job_key(webhook_id, job.replay), job.entry
        yield endpoint_key(webhook_id), endpoints[webhook_id]

    def _clocks(self, overlay: Overlay) -> Clocks:
        found = ((partition, overlay.get(clock_key(partition))) for partition in range(self.partitions))
        return {partition: (clock[0], clock[1]) for partition, clock in found if clock is not None}

    def _scheduled(
        self, overlay: Overlay, endpoints: Mapping[str, Endpoint], event: DeliveryScheduled, at: int
    ) -> Iterator[Change]:
        webhook_id, sequence = event.webhook_id, event.sequence
        matched = matched_key(webhook_id, event.about, event.replay)
        found = overlay.get(matched)
        changed_at = 0
        if found is None:
            yield matched, ("scheduled",)
        elif found[0] == "due":
            changed_at = int(found[1])
            yield due_key(webhook_id, changed_at, event.about, event.replay), None
            yield matched, None
        if endpoints[webhook_id].status == "disabled":
            return
        # The log's clock may be ahead of this machine's; a first attempt doesn't wait for that.
        ready_at = min(at, time.time_ns() // 1_000_000)
        yield delivery_key(webhook_id, sequence), Delivery(0, ready_at, None, event.body, event.replay, changed_at)
        yield ready_key(webhook_id, ready_at, sequence), ()
        yield _count(overlay, webhook_id, 1)

    def _attempted(self, overlay: Overlay, event: DeliveryAttempted, at: int) -> Iterator[Change]:
        webhook_id, sequence = event.webhook_id, event.sequence
        self._touched.append((webhook_id, sequence))
        key = delivery_key(webhook_id, sequence)
        found = overlay.get(key)
        if found is None:
            return
        delivery = Delivery(*found)
        yield ready_key(webhook_id, delivery.ready_at, sequence), None
        if event.outcome != "failed" or event.retry_at is None:
            yield key, None
            yield _count(overlay, webhook_id, -1)
            return
        first_failed_at = at if delivery.first_failed_at is None else delivery.first_failed_at
        yield key, delivery._replace(attempts=event.attempt, ready_at=event.retry_at, first_failed_at=first_failed_at)
        yield ready_key(webhook_id, event.retry_at, sequence), ()

    def sweep(self, webhook_id: str, prefixes: Sequence[str], limit: int) -> None:
        """Remove up to so many entries of a deleted endpoint, and the endpoint itself with the last of them."""
        keys: list[str] = []
        for prefix in prefixes:
            keys += [key for key, _ in islice(self.store.scan(f"{prefix}/{webhook_id}/"), limit - len(keys))]
        gone = len(keys) < limit
        if gone:
            keys += [pending_key(webhook_id), endpoint_key(webhook_id)]
        self.store.write([(key, None) for key in keys], {})
        if gone:
            del self.endpoints[webhook_id]
            for prefix in (due_prefix(webhook_id), ready_prefix(webhook_id)):
                self._first.pop(prefix, None)

    def delivery(self, webhook_id: str, sequence: int) -> Delivery | None:
        """Find a delivery that is neither delivered nor parked."""
        found = self.store.get(delivery_key(webhook_id, sequence))
        return None if found is None else Delivery(*found)

    def pending(self, webhook_id: str) -> int:
        """Count the deliveries of an endpoint that are neither delivered nor parked."""
        found = self.store.get(pending_key(webhook_id))
        return 0 if found is None else int(found[0])

    def ready(self, webhook_id: str, limit: int) -> Sequence[tuple[int, int]]:
        """Give the first deliveries of an endpoint by when (ms) they are to be tried: (when, sequence)."""
        keys = self._head(ready_prefix(webhook_id), limit)
        return [(int(when), int(sequence)) for when, sequence in (key.split("/")[2:] for key, _ in keys)]

    def due(self, webhook_id: str, limit: int) -> Sequence[tuple[str, Due]]:
        """Give the first changes due to an endpoint and not scheduled yet, by key."""
        return [(key, Due(*entry)) for key, entry in self._head(due_prefix(webhook_id), limit)]

    def _head(self, prefix: str, limit: int) -> Sequence[tuple[str, Any]]:
        """Read the first entries under a prefix from where the last reading found them, past what was removed."""
        found = list(islice(self.store.scan(prefix, self._first.get(prefix)), limit))
        self._first[prefix] = found[0][0] if found else self._first.get(prefix, prefix)
        return found

    def fact(self, fact_id: str) -> FactEntry | None:
        """Find what a delivery says of a fact."""
        found = self.store.get(fact_key(fact_id))
        return None if found is None else FactEntry(*found)
