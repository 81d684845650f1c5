"""For those who run it: health, metrics, and the description of every route."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel

from api.freshness import as_of
from api.metrics import MEDIA_TYPE
from api.openapi import Document
from api.route import DESCRIPTION, Asked, Route, json_response
from api.standing import standing
from api.wiring import Api
from domain.json_value import JsonObject

LOG_SILENT_MAX_S = 5.0
OPERATORS = frozenset({"admin", "operator"})
HEALTHY, DEGRADED, CATCHING_UP, UNAVAILABLE = "ok", "degraded", "catching_up", "unavailable"
SERVING = (HEALTHY, DEGRADED)


class HealthView(BaseModel):
    """Whether this process can serve; an operator is told more."""

    status: str
    log: str
    broker: str | None = None
    postgres: str | None = None
    projections: dict[str, Any] | None = None
    partitions: dict[str, Any] | None = None
    leader: str | None = None
    tasks: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None
    processes: dict[str, Any] | None = None
    position: dict[str, int] | None = None


def overall(api: Api) -> tuple[str, str]:
    """Say how this process stands and how the log does.

    ``unavailable`` where the log does not answer, ``catching_up`` while it is still read, ``degraded`` where nobody was
    heard to decide commands lately.
    """
    silent = api.status.log_silent_s
    if silent is None or silent > LOG_SILENT_MAX_S:
        return UNAVAILABLE, UNAVAILABLE
    if not api.caught_up:
        return CATCHING_UP, HEALTHY
    deciding = any(not entry.stale for entry in api.status.standings("decider"))
    return (HEALTHY if deciding else DEGRADED), HEALTHY


async def health(asked: Asked) -> web.StreamResponse:
    """Say whether this process can serve, and how much of the log it has."""
    api, headers = asked.api, as_of(asked.api.mirror)
    status, log = overall(api)
    body: JsonObject = {"status": status, "log": log}
    if not asked.roles.isdisjoint(OPERATORS):
        body |= await standing(api)
    return json_response(body, 200 if status in SERVING else 503, headers)


async def metrics(asked: Asked) -> web.StreamResponse:
    """Give the metrics of this process in Prometheus's text format."""
    api = asked.api
    api.metrics.waiting.set(len(api.replies))
    for (context, partition), offset in api.mirror.reached.items():
        api.metrics.position.labels(context, str(partition)).set(offset)
    return web.Response(body=api.metrics.written(), headers={"Content-Type": MEDIA_TYPE})


async def description(asked: Asked) -> web.StreamResponse:
    """Give the description of every route."""
    return json_response(asked.request.app[DESCRIPTION])


ROUTES = [
    Route(
        "GET",
        "/health",
        health,
        "Whether this process can serve",
        responses={200: HealthView, 503: HealthView},
        limited=False,
    ),
    Route("GET", "/metrics", metrics, "Metrics for Prometheus", response_type="text/plain", limited=False),
    Route("GET", "/openapi.json", description, "Every route, as OpenAPI 3.1", responses={200: Document}),
]
