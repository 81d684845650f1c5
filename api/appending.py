"""The one way of a write: look whether it was ruled on, append it, wait for its decision, answer with that."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from api.intent import Intent, Outcome
from api.problems import ProblemError, of_refusal
from api.replies import Pending
from api.wiring import Api
from domain.catalog import NAMES
from domain.decider import Circumstances, Refusal
from domain.ruling import IDEMPOTENCY_CONFLICT, REPEATED, fold, request_of, rule
from log import topic
from log.fold import Overlay
from log.following import Decided
from log.log import AppendUnknown, LogUnavailable
from log.message import Command
from log.released import codec
from projections.issued import issued_key
from projections.mirror import place_of, ruled_key

IMAGINED = -1
"""The offset of what lies nowhere."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A command that is on the log and not waited for."""

    command_id: str
    type: str


Settled = Outcome | ProblemError


async def settle(api: Api, intents: Sequence[Intent]) -> list[Settled]:
    """Give what became of each intent, in order; commands of one partition are appended together."""
    found: list[Settled | Pending] = []
    mine: list[Pending] = []
    deadline = asyncio.get_running_loop().time() + api.settings.decision_timeout_s
    with api.replies.expecting(mine):
        groups: dict[tuple[str, int], list[tuple[Pending, Intent]]] = {}
        for intent in intents:
            known = await known_outcome(api, intent)
            if known is not None:
                found.append(known)
                continue
            pending = api.replies.under_way(intent.id)
            if pending is None:
                pending = api.replies.expect(intent.id, intent.context, api.partition(intent.key), deadline)
                mine.append(pending)
                groups.setdefault((pending.context, pending.partition), []).append((pending, intent))
            same = pending.command_id == intent.id
            found.append(pending if same else ProblemError(IDEMPOTENCY_CONFLICT))
        for place, group in groups.items():
            await _append(api, *place, group)
        outcomes: list[Settled] = []
        first = set(mine)
        for intent, entry in zip(intents, found, strict=True):
            if isinstance(entry, Pending):
                # The first to ask for a command gets its outcome, whoever shares it the outcome with the hit.
                shared = entry not in first
                first.discard(entry)
                outcomes.append(await _outcome(api, entry, intent, shared=shared))
            else:
                outcomes.append(entry)
        return outcomes


async def known_outcome(api: Api, intent: Intent) -> Settled | None:
    """Give the first outcome of an intent that was ruled on already; nothing for a new one."""
    ruled = api.mirror.get(ruled_key(intent.id))
    if ruled is not None and ruled[2] != request_of(intent.id):
        return ProblemError(IDEMPOTENCY_CONFLICT)
    if intent.fact_id is not None and api.mirror.get(issued_key(intent.fact_id)) is not None:
        api.metrics.hits.inc()
        return Outcome(None, hit=True, fact_id=intent.fact_id)
    if ruled is None:
        return None
    try:
        decided = await decision_at(api, *place_of(ruled))
    except LogUnavailable:
        return ProblemError("log_unavailable", headers={"Retry-After": "1"})
    api.metrics.hits.inc()
    return Outcome(decided, hit=True)


async def decision_at(api: Api, context: str, partition: int, offset: int) -> Decided:
    """Read a decision back from the log. Raises LogUnavailable."""
    recent = api.replies.recent(context, partition, offset)
    if recent is not None:
        return recent
    message = await api.log.read_at(topic.events(context), partition, offset)
    if message is None:
        raise LogUnavailable(f"the decision at {context}/{partition}/{offset} could not be read")
    return Decided(context, message)


async def _append(api: Api, context: str, partition: int, group: Sequence[tuple[Pending, Intent]]) -> None:
    """Send commands; their decisions tell what became of them, the acknowledgement only where they lie."""
    records = [(intent.key.encode(), encode(intent)) for _, intent in group]
    try:
        acknowledged = asyncio.ensure_future(await api.log.append(topic.commands(context), partition, records))
    except LogUnavailable as error:
        for pending, _ in group:
            api.replies.fail(pending, error)
        return
    except AppendUnknown:
        return  # it may lie on the log: its decision is waited for, and else the outcome is unknown
    for _, intent in group:
        api.metrics.appends.labels(NAMES[type(intent.payload)]).inc()

    def placed(answer: asyncio.Future[int]) -> None:
        if not answer.cancelled() and answer.exception() is None and len(group) == 1:
            group[0][0].offset = answer.result()

    acknowledged.add_done_callback(placed)


def encode(intent: Intent) -> bytes:
    """Write an intent as the command that lies on the log."""
    command = Command(
        intent.id,
        NAMES[type(intent.payload)],
        intent.actor,
        intent.idempotency_key,
        intent.request_hash,
        intent.payload,
        intent.signature,
    )
    return codec(intent.context, "command").encode(command)


async def _outcome(api: Api, pending: Pending, intent: Intent, *, shared: bool) -> Settled:
    """Wait for a decision; ``repeated`` leads to the first outcome of its scope, or to the fact that is there."""
    try:
        decided = await asyncio.shield(pending.decided)
    except LogUnavailable:
        return ProblemError("log_unavailable", headers={"Retry-After": "1"})
    except (TimeoutError, asyncio.CancelledError):
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise
        return ProblemError("outcome_unknown", members={"command_id": pending.public_id})
    refusal = decided.decision.refusal
    if refusal is not None and refusal.code == REPEATED:
        known = await known_outcome(api, intent)
        return known if known is not None else ProblemError("outcome_unknown", members={"command_id": intent.id})
    # Another process may have appended the same command a little earlier: then this decision is of that one.
    before = pending.offset is not None and pending.offset != decided.decision.cause
    return Outcome(decided, hit=shared or before)


async def send(api: Api, intent: Intent) -> Settled | Sent:
    """Append a command and don't wait for its decision; one that was ruled on gives its outcome."""
    known = await known_outcome(api, intent)
    if known is not None:
        return known
    partition = api.partition(intent.key)
    kind = NAMES[type(intent.payload)]
    try:
        name = topic.commands(intent.context)
        acknowledged = await api.log.append(name, partition, [(intent.key.encode(), encode(intent))])
        api.metrics.appends.labels(kind).inc()
        async with asyncio.timeout(api.settings.decision_timeout_s):
            offset = await acknowledged
    except LogUnavailable:
        return ProblemError("log_unavailable", headers={"Retry-After": "1"})
    except (AppendUnknown, TimeoutError):
        return ProblemError("outcome_unknown", members={"command_id": intent.id})
    return Sent(f"{intent.id}.{intent.context}.{partition}.{offset}", kind)


def imagine(api: Api, intent: Intent, before: Overlay | None = None) -> tuple[object, int]:
    """Rule on an intent as the decider would now, with nothing appended; give the event and the time.

    ``before`` holds what was imagined before it, and then this too. Raises the refusal as a problem.
    """
    now = int(time.time() * 1000)
    around = Circumstances(intent.actor, now)
    state = Overlay(api.mirror.store) if before is None else before
    outcome = rule(state, intent.id, intent.payload, around)
    for change in fold(state, intent.id, IMAGINED, outcome, now):
        state.put(change)
    if isinstance(outcome, Refusal):
        raise of_refusal(outcome)
    return outcome[0], now
