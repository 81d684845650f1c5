"""What the client does when a registry answers badly, late or not at all."""

import asyncio
import time
from collections.abc import Callable

import pytest
from aiohttp import web

from api.problems import PROBLEMS
from muniment.client import LogUnavailable, NotFound, RateLimited, Refused, UnexpectedAnswer, Unreachable
from muniment.client.problems import BY_CODE, BY_STATUS, refusal
from tests.muniment.scripted import Scripted

FACT = {
    "id": "fct_1",
    "kind": "endorsement.star",
    "subject": {"origin": "feed.ff", "type": "playlist", "ref": "pl"},
    "issuer_did": "did:key:z6Mk",
    "body": {},
    "body_hash": "",
    "alg": "ed25519",
    "signature": "",
    "status": "active",
    "issued_at": "2025-10-13T03:00:00.000Z",
    "created_at": "2025-10-13T03:00:00.000Z",
    "position": "ZmFjdHMvMy8x",
}


def problem(code: str, **headers: str) -> web.Response:
    kind = PROBLEMS[code]
    body = {"code": code, "title": kind.title, "status": kind.status, "detail": "why", "retryable": kind.retryable}
    return web.json_response(body, status=kind.status, headers=headers, content_type="application/problem+json")


def created() -> web.Response:
    return web.json_response(FACT, status=201, headers={"Muniment-Position": "ZmFjdHMvMy8x"})


def hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def test_a_write_whose_answer_was_lost_is_repeated_under_the_same_key() -> None:
    server = Scripted(hang_up, hang_up, lambda _request: created())
    async with server.served() as client:
        assert (await client.facts.submit({})).id == "fct_1"
    assert len(server.asked) == 3
    assert len(server.keys) == 1
    assert None not in server.keys


@pytest.mark.parametrize("code", ["log_unavailable", "not_caught_up", "outcome_unknown"])
async def test_what_may_pass_is_tried_again(code: str) -> None:
    server = Scripted(lambda _request: problem(code), lambda _request: created())
    async with server.served() as client:
        await client.facts.submit({})
    assert (len(server.asked), len(server.keys)) == (2, 1)


async def test_retry_after_is_kept_to() -> None:
    server = Scripted(lambda _request: problem("rate_limited", **{"Retry-After": "1"}), lambda _request: created())
    began = time.monotonic()
    async with server.served() as client:
        await client.facts.submit({})
    assert time.monotonic() - began >= 1


async def test_a_pause_longer_than_the_call_may_take_is_not_waited_out() -> None:
    server = Scripted(lambda _request: problem("rate_limited", **{"Retry-After": "60"}))
    async with server.served() as client:
        with pytest.raises(RateLimited) as limited:
            await client.facts.submit({})
    assert limited.value.retry_after_s == 60
    assert len(server.asked) == 1


async def test_what_will_not_pass_is_not_tried_again() -> None:
    server = Scripted(lambda _request: problem("not_found"))
    async with server.served() as client:
        with pytest.raises(NotFound):
            await client.facts.get("fct_1")
    assert len(server.asked) == 1


async def test_trying_again_ends() -> None:
    server = Scripted(lambda _request: problem("log_unavailable"))
    async with server.served(timeout_s=0.5) as client:
        began = time.monotonic()
        with pytest.raises(LogUnavailable):
            await client.facts.submit({})
        assert time.monotonic() - began < 2


async def test_a_server_that_never_answers_is_unreachable() -> None:
    async def sleep(_request: web.Request) -> web.Response:
        await asyncio.sleep(2)
        return web.Response()

    server = Scripted(sleep)
    async with server.served(timeout_s=0.3) as client:
        with pytest.raises(Unreachable):
            await client.facts.get("fct_1")


@pytest.mark.parametrize(
    "answer",
    [
        lambda _request: web.Response(text="<html>"),
        lambda _request: web.Response(text="{", content_type="application/json"),
        lambda _request: web.json_response({"code": 3}, status=409, content_type="application/problem+json"),
        lambda _request: web.json_response([]),
        lambda _request: web.json_response({"id": "fct_1"}),
        lambda _request: web.json_response({**FACT, "subject": 3}),
        lambda _request: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        lambda _request: web.Response(body=b"\xff\xfe", content_type="application/json"),
    ],
)
async def test_an_answer_that_no_registry_gives_is_named_so(answer: Callable[[web.Request], web.Response]) -> None:
    async with Scripted(answer).served(timeout_s=2) as client:
        with pytest.raises(UnexpectedAnswer):
            await client.facts.get("fct_1")


async def test_a_read_waits_for_what_this_client_wrote() -> None:
    server = Scripted(lambda _request: created(), lambda _request: web.json_response(FACT))
    async with server.served() as client:
        await client.facts.submit({})
        await client.facts.get("fct_1")
    assert server.asked[-1].query["min_position"] == "ZmFjdHMvMy8x"


async def test_pages_and_the_delta_feed_are_walked_to_their_end() -> None:
    pages = [{"items": [FACT], "next_cursor": "c1"}, {"items": [FACT, FACT], "next_cursor": None}]
    server = Scripted(*(lambda _request, page=page: web.json_response(page) for page in pages))
    async with server.served() as client:
        assert len([fact async for fact in client.facts.list(kind="endorsement.star")]) == 3
    assert server.asked[1].query["cursor"] == "c1"
    change = {"change": "issued", "fact": FACT, "position": "ZmFjdHMvMy8x"}
    feed = [{"items": [change, change], "next_cursor": "c9"}, {"items": [], "next_cursor": "c9"}]
    server = Scripted(*(lambda _request, page=page: web.json_response(page) for page in feed))
    async with server.served() as client:
        found = [each async for each in client.facts.changes()]
    assert [each.resume for each in found] == ["0", "c9"]
    assert [request.query["since"] for request in server.asked] == ["0", "c9"]


def test_every_problem_of_the_api_has_a_class() -> None:
    for code, kind in PROBLEMS.items():
        found = refusal({"code": code, "detail": "why"}, kind.status)
        assert type(found) is not Refused
        assert isinstance(found, BY_STATUS.get(kind.status, Refused)) or code in BY_CODE
    assert set(BY_CODE) <= set(PROBLEMS)
