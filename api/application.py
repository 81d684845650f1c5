"""The api as an aiohttp application, made of the route table.

To add a route: write ``async def handler(asked: Asked) -> web.StreamResponse`` and add a
``Route("GET", "/things/{id}", handler, "Show a thing", query_model=FreshQuery, responses={200: ThingView})`` to the
list ``ROUTES`` of the file that its nouns live in. A new file is added to ``FILES`` below. From the row come:

- the server's route (``GET`` answers ``HEAD`` too), 405 for other methods, the rate limit, request id, metrics, log;
- ``asked.query``: an instance of ``query_model`` (subclass ``FreshQuery`` for reads, ``PageQuery`` for lists); unknown
  and repeated parameters are refused;
- ``asked.body``: an instance of ``request_model`` (subclass ``Shape``; optional members are ``name: Maybe[Text] =
  None``); ``raw_body=True`` leaves the body to the handler, which calls ``read_bytes``;
- who may ask (``who=``), checked after the shape;
- its entry in OpenAPI, ``problems=`` named.

A handler answers with ``json_response`` or raises ``ProblemError``. Reads call ``await wait_until_fresh(model, query)``
and send the header ``as_of(model)``; lists use ``write_cursor``/``read_cursor``.
"""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module

from aiohttp import web

from api import event_stream, openapi
from api.caller import Caller
from api.problems import MEDIA_TYPE, ProblemError
from api.request_bodies import read_body, read_query
from api.route import DESCRIPTION, Asked, Route, Who
from api.wiring import Api
from log import strict_json
from log.log import LogUnavailable

LOG = logging.getLogger("muniment.api")
FILES = (
    "api.facts",
    "api.fact_reads",
    "api.signers",
    "api.signer_reads",
    "api.playlists",
    "api.webhooks",
    "api.webhook_reads",
    "api.feed",
    "api.registry_hook",
    "api.registries",
    "api.developers",
    "api.transfers",
    "api.payments",
    "api.stakes",
    "api.ledger_reads",
    "api.account_reads",
    "api.agent_reads",
    "api.media",
    "api.media_upload",
    "api.media_reads",
    "api.events",
    "api.collections",
    "api.records",
    "api.record_reads",
    "api.erasures",
    "api.sessions",
    "api.dids",
    "api.did_reads",
    "api.did_resolution",
    "api.did_web",
    "api.feeds",
    "api.profiles",
    "api.search",
    "api.tips",
    "api.publish",
    "api.publishers",
    "api.publish_jobs",
    "api.publish_trail",
    "api.pool",
    "api.chain",
    "api.arc_callback",
    "api.commands",
    "api.operations",
)
API: web.AppKey[Api] = web.AppKey("api", Api)
SLOW_REQUEST_S = 1.0
"""A request that took so long is told of in the journal; the others are, too, where it is set to `debug`."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}
Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes() -> Sequence[Route]:
    """Give the whole route table."""
    return [route for name in FILES for route in import_module(name).ROUTES]


def application(api: Api, table: Sequence[Route] | None = None) -> web.Application:
    """Make the application that serves a route table; ``api`` is reachable as ``app[API]``."""
    app = web.Application(middlewares=[_unrouted])
    app[API] = api
    rows = routes() if table is None else table
    if any(route.streams for route in rows):
        event_stream.attach(app, api)
    app[DESCRIPTION] = openapi.document(rows, api.sessions.issuer)
    for route in rows:
        endpoint = _endpoint(api, route)
        # A part of a path is all up to the next slash; aiohttp's own pattern has no braces, which a record's id may.
        path = openapi.PATH_PART.sub(r"{\1:[^/]+}", route.path)
        if route.method == "GET":
            app.router.add_get(path, endpoint, allow_head=not route.streams)
        else:
            app.router.add_route(route.method, path, endpoint)
    return app


def _endpoint(api: Api, route: Route) -> Endpoint:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await _answer(api, request, route, lambda asked: _handle(asked, route))

    return serve


async def _handle(asked: Asked, route: Route) -> web.StreamResponse:
    read_query(asked)
    if not route.raw_body:
        await read_body(asked)
    if route.shape is not None:
        route.shape(asked)
    asked.authorise()
    return await route.handler(asked)


@web.middleware
async def _unrouted(request: web.Request, handler: Endpoint) -> web.StreamResponse:
    """Answer what no route takes with a problem too."""
    if request.match_info.http_exception is None:
        return await handler(request)
    refused = request.match_info.http_exception

    async def refuse(_asked: Asked) -> web.StreamResponse:
        headers = {"Allow": refused.headers["Allow"]} if "Allow" in refused.headers else {}
        raise ProblemError(HTTP_CODES.get(refused.status, "not_found"), headers=headers)

    return await _answer(request.app[API], request, None, refuse)


async def _answer(
    api: Api, request: web.Request, route: Route | None, handle: Callable[[Asked], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Serve one request from its id to its line in the log; whatever is raised becomes a problem."""
    started = time.perf_counter()
    sent = request.headers.get("X-Request-ID", "")
    request_id = sent if REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)
    code, always = "", {"X-Request-ID": request_id, "X-Content-Type-Options": "nosniff"}
    streaming_since: float | None = None
    try:
        caller = await _caller(api, request, route)
        if route is None or route.limited:
            always.update(api.rate_limits.admit(caller, request.remote, api.roles))
        asked = Asked(api, request, route, caller, request_id)  # type: ignore[arg-type]  # unrouted ones only raise
        asked.headers = always
        response = await handle(asked)
        streaming_since = asked.streaming_since
    except ProblemError as problem:
        code, response = problem.code, _problem_response(problem, request_id)
    except LogUnavailable:
        code = "log_unavailable"
        response = _problem_response(ProblemError(code, headers={"Retry-After": "1"}), request_id)
    except web.HTTPException as refused:
        code = HTTP_CODES.get(refused.status, "invalid_request")
        response = _problem_response(ProblemError(code), request_id)
    except asyncio.CancelledError:
        raise
    except Exception:
        LOG.exception("request_failed", extra={"request_id": request_id, "route": route.path if route else "-"})
        code, response = "internal", _problem_response(ProblemError("internal"), request_id)
    if not response.prepared:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.update(always)
    seconds = (streaming_since or time.perf_counter()) - started
    method, path = (route.method, route.path) if route is not None else ("-", "-")
    api.metrics.request(method, path, response.status, code, seconds)
    level = logging.INFO if response.status >= 500 or seconds > SLOW_REQUEST_S else logging.DEBUG
    if LOG.isEnabledFor(level):
        fields = {"method": method, "route": path, "status": response.status, "ms": round(seconds * 1000, 1)}
        LOG.log(level, "request", extra={**fields, "code": code, "request_id": request_id})
    return response


async def _caller(api: Api, request: web.Request, route: Route | None) -> Caller | None:
    """Give whose session a request carries; a token that does not hold, or whose session is over, counts as none."""
    header = request.headers.get("Authorization")
    if header is None or not header.startswith("Bearer "):
        return None
    caller: Caller | None
    if route is not None and route.by_key_set and api.visitors is not None:
        try:
            caller = await api.visitors.admit(header[7:])
        except ProblemError:
            if route.who is not Who.PUBLIC:
                raise
            caller = None  # what is for everybody needs no key to be there
    else:
        caller = api.sessions.caller(header[7:])
    return None if caller is None else api.standing(caller)


def _problem_response(problem: ProblemError, request_id: str) -> web.Response:
    body = strict_json.dump(problem.body(request_id))
    return web.Response(body=body, status=problem.kind.status, headers=problem.headers, content_type=MEDIA_TYPE)
