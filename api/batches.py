"""Many writes of one request: each has its own outcome, in the order in which they were sent."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from aiohttp import web

from api.appending import Settled, settle
from api.freshness import POSITION, as_of
from api.intent import Intent
from api.problems import ProblemError
from api.results import HIT, answer, imagined
from api.route import Asked, json_response
from domain.json_value import JsonObject
from log.fold import Overlay
from log.token import later, read_token, write_token

Item: TypeAlias = Callable[[int, JsonObject], JsonObject]
"""The status and the body of one answer give what the batch's answer has of it."""


async def answer_batch(
    asked: Asked, found: Sequence[Intent | ProblemError], item: Item, *, repeated: int = 200
) -> web.Response:
    """Append what can be, or imagine it where the request is a dry run, and answer with what became of each.

    ``repeated`` is the status of what is in the batch a second time.
    """
    if asked.query.dry_run:
        return await _imagined(asked, found, item, repeated)
    settled = iter(await settle(asked.api, [entry for entry in found if isinstance(entry, Intent)]))
    return _answered(asked, [next(settled) if isinstance(entry, Intent) else entry for entry in found], item)


def _problem(problem: ProblemError) -> JsonObject:
    return {"status": problem.kind.status, "problem": problem.body(None)}


async def _imagined(asked: Asked, found: Sequence[Intent | ProblemError], item: Item, repeated: int) -> web.Response:
    """Say what would have become of each, those before it in the batch taken as done."""
    overlay, items, first = Overlay(asked.api.mirror.store), list[JsonObject](), dict[str, JsonObject]()
    for entry in found:
        if isinstance(entry, ProblemError):
            items.append(_problem(entry))
            continue
        name = entry.fact_id or entry.id
        if (before := first.get(name)) is not None:
            items.append(before if "problem" in before else {**before, "status": repeated})
            continue
        try:
            status, shown, _ = await imagined(asked.api, entry, overlay)
            first[name] = item(status, shown)
        except ProblemError as problem:
            first[name] = _problem(problem)
        items.append(first[name])
    return json_response({"dry_run": True, "items": items}, 200, as_of(asked.api.mirror))


def _answered(asked: Asked, outcomes: Sequence[Settled], item: Item) -> web.Response:
    items, positions, hits = list[JsonObject](), [], True
    for outcome in outcomes:
        try:
            status, shown, headers = answer(asked.api, outcome)
            items.append(item(status, shown))
        except ProblemError as problem:
            headers = dict(problem.headers)
            asked.api.metrics.refusals.labels(problem.code).inc()
            items.append(_problem(problem))
        hits = hits and HIT in headers
        if not isinstance(outcome, ProblemError) and outcome.decided is not None:
            positions.append({(outcome.decided.context, outcome.decided.partition): outcome.decided.offset})
        elif POSITION in headers:
            positions.append(read_token(headers[POSITION]))
    answered = {POSITION: write_token(later(positions))} if positions else {}
    if hits:
        answered[HIT] = "true"
    return json_response({"items": items}, 200, answered)
