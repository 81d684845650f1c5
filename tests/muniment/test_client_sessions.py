"""Sessions as the client keeps them: refreshed by themselves, ended when asked for, checked for other services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp import web

from api import session_tokens
from api.service_keys import service_key
from log import jwks
from muniment import Client, SigningKey
from muniment.client import InvalidToken, TokenVerifier, Unauthenticated, Unreachable
from muniment.client.sign_in import SignIn
from tests.api.registered import key_of, person
from tests.api.serving import ISSUER, Registry, key, running
from tests.muniment.scripted import Scripted

pytestmark = pytest.mark.slow


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with running() as found:
        yield found


@asynccontextmanager
async def client(registry: Registry, by: SigningKey) -> AsyncIterator[Client]:
    async with Client(str(registry.client.make_url("/")), by) as found:
        yield found


def sign_in_of(sdk: Client) -> SignIn:
    found = sdk._transport._sign_in
    assert found is not None
    return found


def claims_of(sdk: Client) -> Any:
    return jwt.decode(str(sign_in_of(sdk)._token), options={"verify_signature": False})


async def whoami(sdk: Client) -> Any:
    return (await sdk._transport.call("GET", "/auth/session")).json["did"]


async def test_a_session_is_refreshed_before_it_runs_out_without_the_key(registry: Registry) -> None:
    async with client(registry, key(1)) as sdk:
        await whoami(sdk)
        before = claims_of(sdk)
        sign_in_of(sdk)._good_until = 0.0
        await whoami(sdk)
        after = claims_of(sdk)
        assert before["sid"] == after["sid"]
        assert before["jti"] != after["jti"]


async def test_a_session_that_can_not_be_refreshed_is_followed_by_another(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(registry, key(1)) as sdk:
        await whoami(sdk)
        before = claims_of(sdk)
        monkeypatch.setattr(session_tokens, "REFRESHED_FOR_S", 0)
        sign_in_of(sdk)._good_until = 0.0
        await whoami(sdk)
        refreshed = claims_of(sdk)
        assert before["sid"] != refreshed["sid"]
        # One whose time is over isn't even asked about.
        sign_in_of(sdk)._good_until = sign_in_of(sdk)._ends_at = 0.0
        await whoami(sdk)
        assert claims_of(sdk)["sid"] != refreshed["sid"]


async def test_a_registered_did_signs_in_with_the_key_that_its_file_names(registry: Registry) -> None:
    ada = await person(registry, "ada", key_of("door", "p256"))
    async with client(registry, ada.signer("door", "p256")) as sdk:
        assert await whoami(sdk) == ada.did
        assert claims_of(sdk)["key_id"] == "door"


async def test_logging_out_ends_the_session_and_the_next_call_opens_another(registry: Registry) -> None:
    async with client(registry, key(1)) as sdk:
        await sdk.logout()
        await whoami(sdk)
        ended = {"Authorization": f"Bearer {sign_in_of(sdk)._token}"}
        sid = claims_of(sdk)["sid"]
        await sdk.logout()
        assert (await registry.ask("GET", "/auth/session", headers=ended)).code == "unauthenticated"
        await whoami(sdk)
        assert claims_of(sdk)["sid"] != sid
        # Ended by somebody else: there is nothing left to end.
        held = {"Authorization": f"Bearer {sign_in_of(sdk)._token}"}
        assert (await registry.ask("POST", "/auth/logout", headers=held)).status == 204
        await sdk.logout()


async def test_a_logout_whose_answer_was_lost_is_asked_for_again() -> None:
    def lost(_request: web.Request) -> web.Response:
        return web.json_response({"code": "outcome_unknown"}, status=504, content_type="application/problem+json")

    def nobody(_request: web.Request) -> web.Response:
        return web.json_response({"code": "unauthenticated"}, status=401, content_type="application/problem+json")

    scripted = Scripted(lost, nobody)
    async with scripted.served() as sdk:
        sdk._transport._sign_in = held = SignIn(key(1), sdk._transport._once)
        held._token = "a.b.c"
        await sdk.logout()
        assert held.held is None
    assert [request.path for request in scripted.asked] == ["/auth/logout"] * 2
    assert len(scripted.keys) == 1


async def test_two_calls_that_meet_an_ended_session_open_one_new_one(registry: Registry) -> None:
    async with client(registry, key(1)) as sdk:
        await whoami(sdk)
        stale = dict(sign_in_of(sdk).held or {})
        assert (await registry.ask("POST", "/auth/logout", headers=stale)).status == 204
        await whoami(sdk)
        fresh = sign_in_of(sdk)._token
        sign_in_of(sdk).forget(stale)
        assert sign_in_of(sdk)._token == fresh


async def test_a_stream_that_meets_an_ended_session_says_so_and_the_next_opens_another(registry: Registry) -> None:
    async with client(registry, key(1)) as sdk:
        await whoami(sdk)
        assert (await registry.ask("POST", "/auth/logout", headers=dict(sign_in_of(sdk).held or {}))).status == 204
        with pytest.raises(Unauthenticated):
            async with sdk._transport.streamed("/events/stream", {}):
                pass
        async with sdk._transport.streamed("/events/stream", {}) as pieces:
            assert b"retry" in await anext(pieces)


async def test_a_follower_whose_session_is_ended_goes_on_with_another(registry: Registry) -> None:
    async with client(registry, key(1)) as sdk:
        await whoami(sdk)
        before = sign_in_of(sdk).held
        following = asyncio.ensure_future(anext(sdk.events()))
        while not registry.api.events.readers:
            await asyncio.sleep(0.01)
        await registry.ask("POST", "/auth/logout", headers=dict(before or {}))
        async with asyncio.timeout(5):
            while sign_in_of(sdk).held in (None, before) or not registry.api.events.readers:
                await asyncio.sleep(0.01)
        assert not following.done()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_another_service_checks_tokens_by_the_registrys_keys(registry: Registry) -> None:
    sent = await registry.session(registry.operator)
    async with TokenVerifier(str(registry.client.make_url("/")), issuer=ISSUER) as tokens:
        session = await tokens.verify(sent)
        assert session.did == registry.operator.did
        assert session.roles == {"admin", "operator"}
        assert await tokens.verify(sent, ask=True) == session
        for refused in (sent[:-4] + "AAAA", "x", ""):
            with pytest.raises(InvalidToken):
                await tokens.verify(refused)
        await registry.ask("POST", "/auth/logout", headers={"Authorization": f"Bearer {sent}"})
        # The token alone still counts: who must know asks.
        assert (await tokens.verify(sent)).did == registry.operator.did
        with pytest.raises(InvalidToken):
            await tokens.verify(sent, ask=True)
    async with TokenVerifier(str(registry.client.make_url("/"))) as other:
        with pytest.raises(InvalidToken):
            await other.verify(sent)


async def test_a_registry_that_is_away_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT_S", 0.2)
    token = jwt.encode({}, session_key(), "EdDSA", {"kid": "a"})
    async with TokenVerifier("http://127.0.0.1:1", timeout_s=0.2) as tokens:
        with pytest.raises(Unreachable):
            await tokens.verify(token)


def session_key() -> Any:
    return service_key(bytes(32)).private
