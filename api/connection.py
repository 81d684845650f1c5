"""What comes over a connection and is no request of ours: answered with a problem too, which tells nothing of us."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from api.problems import MEDIA_TYPE, ProblemError
from log import strict_json

HEAD_TIMEOUT_S = 15.0
"""How long a new connection may take to ask for anything."""
NO_HTTP = "these bytes are no HTTP request, or one with too long a line or too many headers"
NO_SUCH_EXPECTATION = "no expectation but 100-continue is met here"


def refused(problem: ProblemError) -> web.Response:
    """Write a problem for which no request could be asked."""
    body = strict_json.dump(problem.body(secrets.token_hex(8)))
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", **problem.headers}
    return web.Response(body=body, status=problem.kind.status, headers=headers, content_type=MEDIA_TYPE)


class Connection(web.RequestHandler):
    """One connection; bytes that are no HTTP end it with a problem."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, and give it up again where nothing is asked in time."""
        super().connection_made(transport)
        asyncio.get_running_loop().call_later(HEAD_TIMEOUT_S, self._end_if_silent)

    def _end_if_silent(self) -> None:
        if self._request_count == 0:
            self.force_close()

    async def _drain_helper(self) -> None:
        """Wait until there is room to write; whoever gave that up before must not end who waits next.

        The library keeps the one future that all wait for, also when it was cancelled with who waited.
        """
        if self._drain_waiter is not None and self._drain_waiter.cancelled():
            self._drain_waiter = None
        await super()._drain_helper()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer in our words; the library's would repeat what was sent, and say what reads it."""
        super().handle_error(request, status, exc, message)
        ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        answer = refused(ProblemError("internal") if ours else ProblemError("invalid_request", NO_HTTP))
        answer.force_close()
        return answer


class Connections(web.Server):
    """The connections of an application."""

    def __call__(self) -> web.RequestHandler:
        """Take one more."""
        return Connection(self, loop=self._loop, **self._kwargs)


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def _refusing(handle: Handler) -> Handler:
    async def handled(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handle(request)
        except web.HTTPExpectationFailed:
            # Raised before any handler of ours is asked.
            return refused(ProblemError("invalid_request", NO_SUCH_EXPECTATION, headers={"Connection": "close"}))

    return handled


class Runner(web.AppRunner):
    """Runs an application whose connections answer everything with a problem that is not a result."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        """Make the application's server, then have it take connections of ours."""
        made: Any = await super()._make_server()
        made.__class__ = Connections
        made.request_handler = _refusing(made.request_handler)
        return made  # type: ignore[no-any-return]
