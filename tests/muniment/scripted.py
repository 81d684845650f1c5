"""A registry of canned answers, for what a client does with them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from muniment import Client


class Scripted:
    """A server that gives one answer after the other, and keeps what it was asked."""

    def __init__(self, *answers: Callable[[web.Request], Any]) -> None:
        self.asked: list[web.Request] = []
        self._answers = list(answers)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        each = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        found = each(request)
        return await found if asyncio.iscoroutine(found) else found

    @contextlib.asynccontextmanager
    async def served(self, timeout_s: float = 5.0) -> AsyncIterator[Client]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        async with TestServer(app) as server, Client(str(server.make_url("/")), timeout_s=timeout_s) as client:
            yield client

    @property
    def keys(self) -> set[str | None]:
        return {request.headers.get("Idempotency-Key") for request in self.asked}
