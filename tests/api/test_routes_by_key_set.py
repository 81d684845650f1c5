"""Routes that check sessions as a service elsewhere would: by published keys, and by what the log says of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from api.application import application
from api.registry_sessions import RegistrySessions
from api.route import Asked, Route, Who, json_response
from api.service_keys import ServiceKeys, service_key
from tests.api.registered import auth, person, token
from tests.api.serving import ISSUER, Registry


async def who(asked: Asked) -> web.StreamResponse:
    return json_response({"did": asked.caller.did})


async def anybody(asked: Asked) -> web.StreamResponse:
    return json_response({"did": "nobody" if asked.session is None else asked.session.did})


@asynccontextmanager
async def elsewhere(registry: Registry) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Serve one such route, and have the keys published."""

    async def fetch() -> Any:
        if registry.keys is PRIVATE:
            raise ConnectionError
        return registry.keys.jwks()

    registry.api.visitors = RegistrySessions(ISSUER, fetch)
    table = [
        Route("GET", "/who", who, "Who asks", Who.SESSION, by_key_set=True),
        Route("GET", "/anybody", anybody, "Who asks, if anybody does", by_key_set=True),
    ]
    async with TestClient(TestServer(application(registry.api, table))) as client:
        yield client


PRIVATE = ServiceKeys([service_key(b"p" * 32)])


async def asks(client: TestClient[web.Request, web.Application], sent: str, path: str = "/who") -> tuple[int, Any]:
    async with client.get(path, headers={"Authorization": f"Bearer {sent}"}) as answer:
        found = await answer.json()
        return answer.status, found.get("did") or found["code"]


async def test_a_session_is_let_in_by_the_published_keys_until_it_is_over(registry: Registry) -> None:
    ada = await person(registry, "ada")
    sent, other = await token(registry, ada.signer("main")), await token(registry, ada.signer("main"))
    # The token alone counts: this process's own keys are others by now.
    registry.api.sessions.keys = PRIVATE
    async with elsewhere(registry) as client:
        assert await asks(client, sent) == (200, ada.did)
        assert await asks(client, sent[:-4] + "AAAA") == (401, "unauthenticated")
        assert await asks(client, "x") == (401, "unauthenticated")
        assert await asks(client, sent, "/anybody") == (200, ada.did)
        assert await asks(client, "x", "/anybody") == (200, "nobody")
        registry.api.sessions.keys = registry.keys
        assert (await auth(registry, "logout", sent)).status == 204
        assert await asks(client, sent) == (401, "unauthenticated")
        assert await asks(client, other) == (200, ada.did)
        await ada.revoke("main")
        assert await asks(client, other) == (401, "unauthenticated")


async def test_without_any_key_nobody_is_turned_away_for_good(registry: Registry) -> None:
    sent = await token(registry, registry.operator)
    registry.keys = PRIVATE
    async with elsewhere(registry) as client:
        assert await asks(client, sent) == (503, "read_model_unavailable")
        assert await asks(client, sent, "/anybody") == (200, "nobody")
