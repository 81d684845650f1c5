"""Commands: what became of a write that was not waited for."""

import re
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from api.appending import decision_at
from api.freshness import POSITION, as_of, wait_until_fresh
from api.intent import Outcome
from api.problems import ProblemError
from api.results import SHOWN_ONCE, answer, position_of
from api.route import ROLES_OF, Asked, Route, Who, json_response
from api.shapes import FreshQuery
from domain.catalog import BY_NAME, CONTEXTS
from domain.facts import webhook
from domain.json_value import JsonObject
from domain.ruling import IDEMPOTENCY_CONFLICT, REPEATED, request_of
from log import topic
from log.avro import UndecodableValue
from log.message import Command
from log.released import codec
from projections.mirror import place_of, ruled_key

COMMAND_ID = re.compile(
    r"(cmd_[a-z2-7]{52})(?:\.(" + "|".join(CONTEXTS) + r")\.(0|[1-9][0-9]{0,4})\.(0|[1-9][0-9]{0,18}))?"
)
PRIVATE = webhook.WebhookCommand.__args__


class CommandView(BaseModel):
    """A command and what became of it."""

    model_config = ConfigDict(title="Command")

    id: str
    type: str
    status: str
    result: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None
    position: str | None = None


async def _command_at(asked: Asked, context: str, partition: int, offset: int) -> Command | None:
    if partition >= asked.api.partitions:
        return None
    message = await asked.api.log.read_at(topic.commands(context), partition, offset)
    try:
        return None if message is None else codec(context, "command").decode(message.value)
    except UndecodableValue:
        return None


async def show(asked: Asked) -> web.StreamResponse:
    """Show a command: pending, accepted with its result, or refused with its problem."""
    await wait_until_fresh(asked.api.mirror, asked.query, CONTEXTS)
    headers = as_of(asked.api.mirror)
    found = COMMAND_ID.fullmatch(asked.path("id"))
    if found is None:
        raise ProblemError("not_found", "there is no command of this id")
    name, place = found[1], None if found[2] is None else (found[2], int(found[3]), int(found[4]))
    ruled = asked.api.mirror.get(ruled_key(name))
    decided = None
    if ruled is not None and ruled[2] == request_of(name):
        decided = await decision_at(asked.api, *place_of(ruled))
        place = (decided.context, decided.partition, decided.decision.cause)
    command = None if place is None else await _command_at(asked, *place)
    if command is None or command.id != name or not _may_see(asked, command):
        raise ProblemError("not_found", "there is no command of this id")
    view: JsonObject = {"id": asked.path("id"), "type": command.type, "status": "pending"}
    if decided is not None:
        view["position"] = headers[POSITION] = position_of(decided)
        try:
            refusal = decided.decision.refusal
            again = refusal is not None and refusal.code == REPEATED
            _, result, _ = answer(asked.api, Outcome(decided, hit=again))
            for once in SHOWN_ONCE:
                result.pop(once, None)
            view |= {"status": "accepted", "result": result}
        except ProblemError as problem:
            if problem.kind.retryable:
                raise  # it tells of this process, not of the command
            view |= {"status": "refused", "problem": problem.body(asked.request_id)}
    elif ruled is not None:
        conflict = ProblemError(IDEMPOTENCY_CONFLICT).body(asked.request_id)
        view |= {"status": "refused", "problem": conflict}
    return json_response(view, headers=headers)


def _may_see(asked: Asked, command: Command) -> bool:
    """Tell whether the caller may see a command: those about webhooks are for admins, as webhooks are."""
    known = BY_NAME.get(command.type)
    return known is not None and (known.cls not in PRIVATE or not asked.roles.isdisjoint(ROLES_OF[Who.ADMIN]))


ROUTES = [
    Route(
        "GET",
        "/commands/{id}",
        show,
        "What became of a command",
        query_model=FreshQuery,
        responses={200: CommandView},
        problems=("not_found", "not_caught_up", "log_unavailable"),
    ),
]
