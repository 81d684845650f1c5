"""A route as the table holds it, and what a handler is given when it is asked."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from api.caller import Caller
from api.problems import ProblemError
from api.shapes import Query
from api.wiring import Api
from domain.json_value import JsonValue
from log import strict_json


class Who(StrEnum):
    """Who may ask: the wrapper refuses the others once the request's shape has held."""

    PUBLIC = "public"
    SESSION = "session"
    ADMIN = "admin"
    PUBLISHER = "publisher"


ROLES_OF: Mapping[Who, frozenset[str]] = {
    Who.ADMIN: frozenset({"admin"}),
    Who.PUBLISHER: frozenset({"admin", "publisher"}),
}


class Asked:
    """One request, with its shape checked: ``body`` and ``query`` are the route's models, ``caller`` its session."""

    __slots__ = (
        "_caller",
        "api",
        "body",
        "headers",
        "json",
        "query",
        "request",
        "request_id",
        "route",
        "statement",
        "streaming_since",
    )

    def __init__(self, api: Api, request: web.Request, route: "Route", caller: Caller | None, request_id: str) -> None:
        self.api, self.request, self.route, self.request_id = api, request, route, request_id
        self._caller = caller
        self.body: Any = None
        self.query: Any = None
        self.statement: Any = None
        """What the route's ``shape`` made of the body."""
        self.json: JsonValue = None
        """The body as it was parsed."""
        self.headers: Mapping[str, str] = {}
        """What every answer says, for a handler that sends its headers itself because its body is a stream."""
        self.streaming_since: float | None = None
        """When a stream's headers went out, by ``time.perf_counter``: a stream has no other end to be timed by."""

    @property
    def session(self) -> Caller | None:
        """Give whose session this is, if it is anybody's."""
        return self._caller

    @property
    def caller(self) -> Caller:
        """Give whose session this is; raises ``unauthenticated``."""
        if self._caller is None:
            raise ProblemError(
                "unauthenticated", "open a session first: POST /auth/nonce", headers={"WWW-Authenticate": "Bearer"}
            )
        return self._caller

    @property
    def roles(self) -> frozenset[str]:
        """Give the caller's roles as the log has them now; none without a session."""
        return frozenset() if self._caller is None else self.api.roles(self._caller.identity)

    def path(self, name: str) -> str:
        """Give a part of the path, decoded."""
        return self.request.match_info[name]

    def authorise(self) -> None:
        """Refuse a caller that the route is not for."""
        if self.route.who is Who.PUBLIC:
            return
        if not self.api.caught_up:
            raise ProblemError("not_caught_up", "this process is still reading the log", headers={"Retry-After": "1"})
        self.caller  # noqa: B018  # raises without a session
        wanted = ROLES_OF.get(self.route.who)
        if wanted is not None and self.roles.isdisjoint(wanted):
            raise ProblemError("forbidden", f"this needs the role {' or '.join(sorted(wanted))}")


DESCRIPTION: web.AppKey[Mapping[str, Any]] = web.AppKey("description")
"""Where an application holds the OpenAPI document of its table."""

Handler = Callable[[Asked], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the table: from it come the server's routes, the checks before a handler, and OpenAPI.

    ``responses`` gives for each status of success the model of its body (nothing: no body); ``problems`` the codes that
    a handler may raise besides those that every route may. ``shape`` runs after the models fit and before anybody is
    asked who they are. ``optional_body`` takes a request without a body as one of ``{}``. ``raw_body`` leaves the body
    unread for the handler. ``header_parameters`` says for each header
    that it reads what it is. ``streams`` marks an answer without end: it has no ``HEAD``, and its handler sends
    ``asked.headers`` itself.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    who: Who = Who.PUBLIC
    request_model: type[BaseModel] | None = None
    query_model: type[BaseModel] = Query
    responses: Mapping[int, type[BaseModel] | None] = field(default_factory=lambda: {200: None})
    problems: Sequence[str] = ()
    shape: Callable[[Asked], None] | None = None
    raw_body: bool = False
    optional_body: bool = False
    media_type: str = "application/json"
    response_type: str | None = None
    max_body_bytes: int | None = None
    limited: bool = True
    """Whether the rate limits count it."""
    header_parameters: Mapping[str, str] = field(default_factory=dict)
    streams: bool = False
    by_key_set: bool = False
    """Whether its sessions are checked by the keys that the registry publishes, as a service elsewhere checks them."""


def json_response(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None, media_type: str = "application/json"
) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=strict_json.dump(body), status=status, headers=headers, content_type=media_type)
