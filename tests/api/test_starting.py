"""An api that has just started, served as its process serves it."""

import asyncio

import aiohttp
import pytest

from api.assembly import serving
from tests.api.serving import Registry, loops, running


async def test_until_the_log_is_read_nobody_is_refused_for_a_role_that_is_not_known_yet(registry: Registry) -> None:
    headers = {"Authorization": f"Bearer {await registry.session(registry.operator)}"}
    async with (
        running(log=registry.log, decides=False, follows=False) as late,
        serving(late.api, "127.0.0.1", 0) as port,
        aiohttp.ClientSession(headers=headers) as client,
    ):
        url = f"http://127.0.0.1:{port}"
        await asyncio.sleep(0)
        async with client.delete(f"{url}/signers/did:key:x") as response:
            assert (response.status, (await response.json(content_type=None))["code"]) == (503, "not_caught_up")
            assert response.headers["Retry-After"] == "1"
        async with client.get(f"{url}/health") as response:
            assert response.status == 503
        async with client.get(f"{url}/.well-known/jwks.json") as response:
            assert response.status == 200
        late.tasks.append(asyncio.create_task(loops(late.api)))
        async with asyncio.timeout(5):
            while not late.api.caught_up:
                await late.api.mirror.moved(0.1)
        async with client.delete(f"{url}/signers/did:key:x") as response:
            assert response.status == 404


async def test_bytes_that_are_no_http_get_an_answer_and_leave_no_stack_trace(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(registry.api, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nX: \x00\r\n\r\n")
        await writer.drain()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.split(b" ")[1] == b"400"
    assert caplog.records == []
