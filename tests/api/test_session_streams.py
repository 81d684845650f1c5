"""A stream that came with a session ends with it, within two seconds, and says where to go on."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType

from api import session_tokens
from tests.api.registered import Person, auth, key_of, person, token
from tests.api.serving import Registry

WITHIN_S = 2.0
Ended = Awaitable[dict[str, Any]]
WIRES = pytest.mark.parametrize("wire", ["sse", "websocket"])


@asynccontextmanager
async def listening(registry: Registry, wire: str, sent: str | None) -> AsyncIterator[Callable[[], Ended]]:
    """Listen with a token or without; give what waits for the end, and gives what it said."""
    headers = {} if sent is None else {"Authorization": f"Bearer {sent}"}
    if wire == "sse":
        async with registry.client.get("/events/stream", headers=headers) as answer:
            assert answer.status == 200

            async def said() -> dict[str, Any]:
                lines = (await answer.content.read()).decode().splitlines()
                end = lines.index("event: end")
                found: dict[str, Any] = json.loads(next(each[6:] for each in lines[end:] if each.startswith("data: ")))
                return found

            yield said
    else:
        async with registry.client.ws_connect("/ws/events?marks=true", headers=headers) as socket:

            async def closed() -> dict[str, Any]:
                found: dict[str, Any] = {}
                async for message in socket:
                    assert message.type is WSMsgType.TEXT
                    found = message.json()
                assert socket.close_code == 1008
                return found

            yield closed


async def a_person(registry: Registry) -> tuple[Person, str]:
    ada = await person(registry, "ada", key_of("main"), key_of("spare"))
    return ada, await token(registry, ada.signer("main"))


@WIRES
@pytest.mark.parametrize("how", ["logout", "revoke", "expiry"])
async def test_an_open_stream_is_cut_once_its_session_is_over(
    registry: Registry, wire: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, sent = await a_person(registry)
    async with listening(registry, wire, sent) as ended, listening(registry, wire, None) as stays:
        waiting, staying = asyncio.ensure_future(ended()), asyncio.ensure_future(stays())
        await asyncio.sleep(0.6)
        assert not waiting.done()
        if how == "logout":
            assert (await auth(registry, "logout", sent)).status == 204
        elif how == "revoke":
            await ada.revoke("main")
        else:
            later = time.time() + session_tokens.SESSION_LIFETIME_S + 1
            monkeypatch.setattr(session_tokens.time, "time", lambda: later)
        async with asyncio.timeout(WITHIN_S):
            end = await waiting
        assert end["reason"] == "session_over"
        assert end["cursor"]
        assert not staying.done()
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)


@pytest.mark.parametrize("path", ["/events/stream", "/ws/events"])
async def test_a_token_that_is_no_session_opens_no_stream(registry: Registry, path: str) -> None:
    _, sent = await a_person(registry)
    await auth(registry, "logout", sent)
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    upgrade |= {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    for refused in (sent, "x", sent[:-4] + "AAAA"):
        answer = await registry.ask("GET", path, headers={"Authorization": f"Bearer {refused}", **upgrade})
        assert (answer.status, answer.code) == (401, "unauthenticated")
    registry.api.caught_up = False
    answer = await registry.ask("GET", path, headers={"Authorization": f"Bearer {sent}", **upgrade})
    assert answer.code == "not_caught_up"
