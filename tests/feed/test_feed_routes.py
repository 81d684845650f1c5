"""The feed's routes and the hook, asked over HTTP."""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any

import pytest

from api.feed import Feed
from api.wiring import ApiSettings
from log import strict_json
from log.topic import FACTS_INGEST
from projections.feed import FeedWriter
from projections.feed_queue import QueueFold, follow_queue
from projections.feed_view import FeedView
from tests.api.serving import ISSUED_AT, Answer, Registry, running, star

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    """Run an api with its feed and its hook."""
    async with running(settings=ApiSettings(hook_secret=SECRET, decision_timeout_s=2)) as found:
        mirror = found.api.mirror
        mirror._writers = (*mirror._writers, FeedWriter())
        found.api.feed = Feed(FeedView(mirror), mirror)
        consuming = asyncio.create_task(follow_queue(found.log, QueueFold(mirror)))
        yield found
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)


def playlist(name: str, day: int = 1) -> dict[str, Any]:
    items = [{"source": "https://art.example/1", "duration": 30}]
    return {"id": name, "slug": f"s-{name}", "title": name, "created": f"2025-01-{day:02}T00:00:00Z", "items": items}


async def post(registry: Registry, name: str, day: int = 1) -> Answer:
    answer = await registry.ask("POST", "/playlists", playlist(name, day), by=registry.operator)
    assert answer.status == 201, answer.text
    return answer


async def test_a_star_shows_in_the_feed_at_its_own_position(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    await post(registry, "pl_1")
    starred = await registry.ask("POST", "/facts", star(curator, reason="a find"), by=curator)
    position = starred.headers["Muniment-Position"]
    answer = await registry.ask("GET", f"/playlists/pl_1?min_position={position}")
    assert answer.status == 200
    assert answer.headers["Muniment-As-Of"]
    fact = starred.json
    assert answer.json == {
        "dpVersion": "1.0.0",
        **playlist("pl_1"),
        "created": "2025-01-01T00:00:00.000Z",
        "star": True,
        "stars_recent": [
            {
                "fact_id": fact["id"],
                "issuer_did": curator.did,
                "issued_at": ISSUED_AT,
                "reason": "a find",
                "position": fact["position"],
            }
        ],
    }


async def test_pages_walk_all_playlists_once_in_either_order_and_with_each_filter(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    names = [f"p:{number}/ü" for number in range(7)]
    for number, name in enumerate(names):
        last = await post(registry, name, day=1 + number // 2)
        if number % 3 == 0:
            last = await registry.ask("POST", "/facts", star(curator, name), by=curator)
            assert last.status == 201, last.text
    for query, wanted in (
        ("order=asc", names),
        ("order=asc&star=true", names[::3]),
        ("order=asc&star=false&sort=created", [name for name in names if name not in names[::3]]),
        ("order=desc", sorted(names, key=lambda name: (-(names.index(name) // 2), name))),
    ):
        found, cursor = [], ""
        while True:
            path = f"/playlists?{query}&limit=2{cursor}&min_position={last.headers['Muniment-Position']}"
            answer = await registry.ask("GET", path)
            assert answer.status == 200, answer.text
            found += [item["id"] for item in answer.json["items"]]
            if answer.json["next_cursor"] is None:
                break
            cursor = f"&cursor={answer.json['next_cursor']}"
        assert found == wanted
        other = await registry.ask("GET", f"/playlists?order=asc&star=true&limit=3{cursor}")
        assert other.status == (200 if "star=true" in query else 400)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/playlists/none", 404, "not_found"),
        ("/playlists?star=yes", 400, "invalid_request"),
        ("/playlists?order=up", 400, "invalid_request"),
        ("/playlists?sort=title", 400, "invalid_request"),
        ("/playlists?limit=0", 400, "invalid_request"),
        ("/playlists?cursor=abc", 400, "invalid_cursor"),
        ("/playlists?sort=created&sort=created", 400, "invalid_request"),
        ("/playlists/none?min_position=x", 400, "invalid_request"),
    ],
)
async def test_a_question_that_is_not_as_it_must_be_is_refused(
    registry: Registry, path: str, status: int, code: str
) -> None:
    answer = await registry.ask("GET", path)
    assert (answer.status, answer.code) == (status, code)


def hook(name: str = "pl_1", status: str = "active", fact_id: str = "fct_1", offset: int = 5) -> dict[str, Any]:
    position = base64.urlsafe_b64encode(f"facts/0/{offset}".encode()).decode().rstrip("=")
    return {
        "id": fact_id,
        "kind": "endorsement.star",
        "subject": {"origin": "feed.ff", "type": "playlist", "ref": name},
        "issuer_did": "did:key:zOther",
        "status": status,
        "issued_at": ISSUED_AT,
        "position": position,
        "sequence": offset,
    }


def signed(body: bytes, key: str = "k1", secret: str = SECRET, at: float | None = None, **more: str) -> dict[str, str]:
    mac = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return {
        "X-Signature": f"sha256={mac}",
        "X-Idempotency-Key": key,
        "Date": formatdate(time.time() if at is None else at, usegmt=True),
        **more,
    }


async def test_a_webhook_of_another_registry_stars_and_unstars(registry: Registry) -> None:
    await post(registry, "pl_1")
    for number, (status, starred) in enumerate((("active", True), ("revoked", False))):
        body = strict_json.dump(hook(status=status, offset=5 + number))
        answer = await registry.ask("POST", "/registry-hook", raw=body, headers=signed(body, f"k{number}"))
        assert (answer.status, answer.text) == (204, "")
        async with asyncio.timeout(5):
            while (await registry.ask("GET", "/playlists/pl_1")).json["star"] is not starred:
                await asyncio.sleep(0.01)


async def test_a_key_that_was_seen_is_204_again_with_no_effect(registry: Registry) -> None:
    body = strict_json.dump(hook())
    for _ in range(2):
        answer = await registry.ask("POST", "/registry-hook", raw=body, headers=signed(body))
        assert answer.status == 204
        async with asyncio.timeout(5):
            while registry.api.mirror.get("evt:k1") is None:  # as above
                await asyncio.sleep(0.01)
    assert len(registry.log.messages(FACTS_INGEST, 0)) == 1


BODY = strict_json.dump(hook())


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"X-Signature": None}, BODY, 401, "invalid_signature"),
        ({"X-Signature": "sha256="}, BODY, 401, "invalid_signature"),
        ({"X-Signature": "sha256=" + "A" * 43 + "="}, BODY, 401, "invalid_signature"),
        ({"X-Signature": "\u00e4"}, BODY, 401, "invalid_signature"),
        ({"Date": None}, BODY, 400, "invalid_request"),
        ({"Date": "yesterday"}, BODY, 400, "invalid_request"),
        ({"Date": formatdate(1e9, usegmt=True)}, BODY, 401, "invalid_signature"),
        ({"Date": formatdate(4e9, usegmt=True)}, BODY, 401, "invalid_signature"),
        ({"X-Idempotency-Key": None}, BODY, 400, "invalid_request"),
        ({"X-Idempotency-Key": "k" * 256}, BODY, 400, "invalid_request"),
        ({"Content-Type": "text/plain"}, BODY, 415, "unsupported_media_type"),
        ({}, b"{", 400, "malformed_json"),
        ({}, b'{"id":1,"id":2}', 400, "malformed_json"),
        ({}, b"[]", 400, "invalid_request"),
        ({}, b"\xff", 400, "malformed_json"),
        ({}, strict_json.dump(hook() | {"status": "new"}), 400, "invalid_request"),
        ({}, strict_json.dump(hook() | {"position": "x"}), 400, "invalid_request"),
        ({}, strict_json.dump(hook() | {"subject": None}), 400, "invalid_request"),
        ({}, strict_json.dump(hook() | {"issued_at": "2025"}), 400, "invalid_request"),
        ({}, strict_json.dump(hook("a\nb")), 400, "invalid_request"),
        ({}, b" " * (1 << 20) + b"{}", 413, "payload_too_large"),
    ],
)
async def test_a_hostile_webhook_is_refused_and_appends_nothing(
    registry: Registry, headers: dict[str, str | None], body: bytes, status: int, code: str
) -> None:
    sent = {name: value for name, value in (signed(body) | headers).items() if value is not None}
    answer = await registry.ask("POST", "/registry-hook", raw=body, headers=sent)
    assert (answer.status, answer.code) == (status, code), answer.text
    assert registry.log.messages(FACTS_INGEST, 0) == []


async def test_either_secret_of_a_rotation_is_taken(registry: Registry) -> None:
    body = strict_json.dump(hook())
    fresh = signed(body, secret="whsec_new")["X-Signature"]
    both = signed(body) | {"X-Signature": f"{fresh},{signed(body)['X-Signature']}"}
    assert (await registry.ask("POST", "/registry-hook", raw=body, headers=both)).status == 204
    alone = signed(body) | {"X-Signature": fresh}
    assert (await registry.ask("POST", "/registry-hook", raw=body, headers=alone)).status == 401


async def test_the_hook_says_when_the_log_is_away(registry: Registry) -> None:
    body = strict_json.dump(hook())
    registry.log.reachable = False
    answer = await registry.ask("POST", "/registry-hook", raw=body, headers=signed(body))
    registry.log.reachable = True
    assert (answer.status, answer.code) == (503, "log_unavailable")


async def test_without_a_secret_the_hook_is_closed() -> None:
    async with running() as closed:
        body = strict_json.dump(hook())
        answer = await closed.ask("POST", "/registry-hook", raw=body, headers=signed(body))
        assert (answer.status, answer.code) == (401, "invalid_signature")
