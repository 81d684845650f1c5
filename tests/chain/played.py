"""A server on loopback that plays answers, and chains that ask it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from log import strict_json
from processors.arc_chain import ArcChain, Callback
from processors.chain_http import ChainHttp
from processors.explorer_chain import ExplorerChain
from processors.node_chain import NodeChain

Played = Callable[[web.Request], Awaitable[web.StreamResponse]]
SHORT_S = 0.2


@dataclass
class Stage:
    """What is played, by ``METHOD path`` or by the method of a JSON-RPC call; and what was asked."""

    url: str = ""
    answers: dict[str, Played] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def play(self, request: web.Request) -> web.StreamResponse:
        content = strict_json.parse(await request.read()) if request.can_read_body else None
        called = isinstance(content, dict) and "method" in content
        line = str(content["method"]) if called else f"{request.method} {request.path}"
        self.asked.append((line, content["params"] if called else content))
        self.headers.append(request.headers)
        if line not in self.answers:
            return web.Response(status=404, text="there is no such route")
        answer = await self.answers[line](request)
        if called and isinstance(answer, web.Response) and answer.content_type == "application/json":
            said = strict_json.parse(answer.body)
            return web.json_response({"result": None, "error": None, **said, "id": content["id"]}, status=answer.status)
        return answer

    def lines(self) -> list[str]:
        return [line for line, _ in self.asked]


@contextlib.asynccontextmanager
async def stage(**answers: Played) -> AsyncIterator[Stage]:
    played = Stage(answers=dict(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", played.play)
    async with TestServer(app) as server:
        played.url = str(server.make_url("/"))
        yield played


@contextlib.asynccontextmanager
async def node(played: Stage, timeout_s: float = 5.0) -> AsyncIterator[NodeChain]:
    async with ChainHttp(played.url, timeout_s=timeout_s) as http:
        yield NodeChain(http)


@contextlib.asynccontextmanager
async def explorer(played: Stage, timeout_s: float = 5.0) -> AsyncIterator[ExplorerChain]:
    async with ChainHttp(played.url, timeout_s=timeout_s) as http:
        yield ExplorerChain(http)


@contextlib.asynccontextmanager
async def arc(played: Stage, callback: Callback | None = None) -> AsyncIterator[ArcChain]:
    async with ChainHttp(played.url, timeout_s=5.0) as http:
        yield ArcChain(http, ExplorerChain(http), callback)


def says(value: object, status: int = 200, **headers: str) -> Played:
    """Answer with JSON, or with text as it is."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        if isinstance(value, str):
            return web.Response(text=value, status=status, headers=headers)
        return web.json_response(value, status=status, headers=headers)

    return answer


def in_turn(*answers: Played) -> Played:
    """Answer with each of these in turn."""
    left = list(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await left.pop(0)(request)

    return answer


async def cut(request: web.Request) -> web.StreamResponse:
    """Take what was sent, and end the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def late(_request: web.Request) -> web.StreamResponse:
    """Answer when nobody waits any more."""
    await asyncio.sleep(4 * SHORT_S)
    return web.json_response({})


async def half(request: web.Request) -> web.StreamResponse:
    """Begin an answer, and end the connection in the middle of it."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"result": "')
    assert request.transport is not None
    request.transport.abort()
    return response


async def too_long(request: web.Request) -> web.StreamResponse:
    """Answer without an end."""
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(40):
            await response.write(b" " * (1 << 20))
    return response
