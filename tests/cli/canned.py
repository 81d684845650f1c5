"""A registry of canned answers, and the verbs of the ledger run against it."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from muniment.cli import main
from muniment.signing_key import SigningKey

KEY = SigningKey(bytes(range(32)))
A, B = "acc_" + "a" * 26, "acc_" + "b" * 26


def token() -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"iat": 0, "exp": 900}).encode()).decode().rstrip("=")
    return f"e30.{claims}.e30"


class Registry:
    """Answers by path, opens sessions for anybody, and keeps what it was sent."""

    def __init__(self, tmp_path: Path, **found: Any) -> None:
        self._found = {f"/{path}": value for path, value in found.items()}
        self.sent: dict[str, Any] = {}
        self._key = tmp_path / "key.json"
        KEY.save(self._key)

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path == "/auth/nonce":
            return web.json_response({"nonce": "n", "issuer": "i"}, status=201)
        if request.path == "/auth/session":
            return web.json_response({"token": token()}, status=201)
        text = await request.text()
        self.sent[request.path] = json.loads(text) if text else dict(request.query)
        status, body = self._found[request.path]
        kind = "application/problem+json" if status >= 400 else "application/json"
        return web.json_response(body, status=status, content_type=kind)

    @contextlib.asynccontextmanager
    async def _served(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        async with TestServer(app) as server:
            yield str(server.make_url("/"))

    async def run(self, *arguments: str) -> int:
        """Run one verb of the ledger against it."""
        return await self.verb("ledger", *arguments)

    async def verb(self, *arguments: str) -> int:
        """Run one verb against it."""
        async with self._served() as url:
            return await asyncio.to_thread(main, [*arguments, "--url", url, "--as", str(self._key)])


def registry(tmp_path: Path, path: str, body: Any, status: int = 200) -> Registry:
    return Registry(tmp_path, **{path: (status, body)})
