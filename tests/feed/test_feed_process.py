"""A feed apart from its registry hears webhooks, heals by the delta feed, and shows what the registry's feed shows."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from api.feed import Feed
from log import topic
from log.following import Decided
from log.log import Topic
from log.memory import MemoryLog
from log.store import MemoryStore
from log.topic import FACTS_INGEST
from muniment.feed import FeedSettings, serve_feed
from projections.feed import FeedWriter
from projections.feed_view import FeedView
from tests.api.serving import ISSUER, PARTITIONS, Registry, running, star
from tests.feed.registry_scene import changes, webhook_bodies
from tests.feed.test_feed_routes import playlist, signed

pytestmark = pytest.mark.slow

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class History:
    """The decisions of a registry's log, as the plain account of its delta feed reads them."""

    def __init__(self, registry: Registry) -> None:
        self._log = registry.log

    def decided(self) -> list[Decided]:
        name = topic.events("facts")
        return [Decided("facts", each) for p in range(PARTITIONS) for each in self._log.messages(name, p)]


@dataclass
class Apart:
    """A registry, what it shows to everyone, and a feed apart from it."""

    registry: Registry
    url: str = ""
    log: MemoryLog = field(default_factory=MemoryLog)
    store: MemoryStore = field(default_factory=MemoryStore)
    feed: str = ""
    reachable: bool = True
    told: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def facts(self, request: web.Request) -> web.Response:
        self.asked.append(request.query["since"])
        if not self.reachable:
            return web.Response(status=503)
        # Across partitions the order is whichever was shown first, and stays.
        told = {item["position"] for item in self.told}
        found = changes(History(self.registry))  # type: ignore[arg-type]
        self.told += [item for item in found if item["position"] not in told]
        start = int(request.query["since"])
        page = self.told[start : start + int(request.query["limit"])]
        return web.json_response({"items": page, "next_cursor": str(start + len(page))})

    async def keys(self, _request: web.Request) -> web.Response:
        return web.json_response(self.registry.keys.jwks())

    async def session(self, request: web.Request) -> web.Response:
        if not self.reachable:
            return web.Response(status=503)
        sent = {"Authorization": request.headers["Authorization"]}
        answer = await self.registry.ask("GET", "/auth/session", headers=sent)
        return web.json_response(answer.json, status=answer.status)

    async def ask(self, method: str, path: str, **parts: Any) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.request(method, self.feed + path, **parts) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if "json" in answer.content_type else text

    async def is_degraded(self) -> bool:
        return bool((await self.ask("GET", "/health"))[1]["status"] == "degraded")

    async def is_at_one(self) -> bool:
        return self.store.get("facts_highwater") == ("1",)

    async def was_asked_again(self) -> bool:
        return len(self.asked) >= 3

    async def same_as_registry(self) -> bool:
        """Compare all that both feeds list."""
        mine = (await self.ask("GET", "/playlists?order=asc"))[1]
        theirs = (await self.registry.ask("GET", "/playlists?order=asc")).json
        return bool(mine["items"] == theirs["items"])


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(10):
        while not await holds():  # another process, as it were, is waited for
            await asyncio.sleep(0.05)


@asynccontextmanager
async def apart() -> AsyncIterator[Apart]:
    async with running() as registry:
        mirror = registry.api.mirror
        mirror._writers = (*mirror._writers, FeedWriter())
        registry.api.feed = Feed(FeedView(mirror), mirror)
        scene = Apart(registry)
        app = web.Application()
        app.router.add_get("/facts", scene.facts)
        app.router.add_get("/.well-known/jwks.json", scene.keys)
        app.router.add_get("/auth/session", scene.session)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        scene.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with fed(scene):
            yield scene
        await runner.cleanup()


@asynccontextmanager
async def fed(scene: Apart) -> AsyncIterator[None]:
    await scene.log.create([Topic(FACTS_INGEST, 1)])
    ready = asyncio.Event()

    def on_ready(url: str) -> None:
        scene.feed = url
        ready.set()

    settings = FeedSettings(
        scene.url, port=0, secret=SECRET, issuer=ISSUER, rate_limits="off", backfill_every_s=0.2, data=Path("unused")
    )
    serving = asyncio.create_task(serve_feed(scene.log, scene.store, settings, on_ready=on_ready))
    await asyncio.wait_for(ready.wait(), 5)
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def post_to_both(scene: Apart, name: str) -> None:
    answer = await scene.registry.ask("POST", "/playlists", playlist(name), by=scene.registry.operator)
    assert answer.status == 201, answer.text
    token = await scene.registry.session(scene.registry.operator)
    status, found = await scene.ask(
        "POST", "/playlists", json=playlist(name), headers={"Authorization": f"Bearer {token}"}
    )
    assert (status, found) == (201, answer.json)


async def test_both_feeds_show_the_same_whether_webhooks_come_or_not() -> None:
    async with apart() as scene:
        curators = [await scene.registry.signer(number, "curator") for number in (1, 2)]
        for name in ("a", "b", "c"):
            await post_to_both(scene, name)
        stars = [(curator, star(curator, name, reason="why")) for curator in curators for name in ("a", "b")]
        facts = [await scene.registry.ask("POST", "/facts", fact, by=curator) for curator, fact in stars]
        for key, body in webhook_bodies(History(scene.registry))[::-2]:  # type: ignore[arg-type]
            headers = {"Content-Type": "application/json", **signed(body, key, SECRET)}
            assert (await scene.ask("POST", "/registry-hook", data=body, headers=headers))[0] == 204
        await until(scene.same_as_registry)
        for fact in facts[::2]:
            path = f"/facts/{fact.json['id']}/quarantine"
            answer = await scene.registry.ask("POST", path, {"reason": "doubt"}, by=scene.registry.operator)
            assert answer.status == 200, answer.text
        await until(scene.same_as_registry)
        found = (await scene.ask("GET", "/playlists?star=true"))[1]["items"]
        assert {item["id"] for item in found} == {"b"}


async def test_a_feed_that_lost_its_store_folds_it_from_its_queue_while_the_registry_is_away() -> None:
    async with apart() as scene:
        curator = await scene.registry.signer(1, "curator")
        await post_to_both(scene, "a")
        assert (await scene.registry.ask("POST", "/facts", star(curator, "a"), by=curator)).status == 201
        await until(scene.same_as_registry)
        scene.reachable, scene.store = False, MemoryStore()
        async with fed(scene):
            await until(scene.same_as_registry)
            await until(scene.is_degraded)
            assert "muniment_http_requests_total" in (await scene.ask("GET", "/metrics"))[1]


async def test_the_feed_begins_at_its_highwater_and_goes_on_from_there() -> None:
    async with apart() as scene:
        curator = await scene.registry.signer(1, "curator")
        await scene.registry.ask("POST", "/facts", star(curator, "a"), by=curator)
        await until(scene.is_at_one)
        scene.asked.clear()
        async with fed(scene):
            await until(scene.was_asked_again)
        assert set(scene.asked) == {"1"}


async def test_only_a_publisher_of_the_registry_posts_and_only_the_first_replaces() -> None:
    async with apart() as scene:
        publisher, other = [await scene.registry.signer(number, "publisher") for number in (1, 2)]
        curator = await scene.registry.signer(3, "curator")

        async def posted(by: Any, name: str = "a", token: str | None = None) -> tuple[int, str | None]:
            sent = token or await scene.registry.session(by)
            headers = {"Authorization": f"Bearer {sent}"}
            status, found = await scene.ask("POST", "/playlists", json=playlist(name), headers=headers)
            return status, found.get("code")

        assert await posted(curator) == (403, "forbidden")
        assert await posted(publisher) == (201, None)
        assert await posted(publisher) == (201, None)
        assert await posted(other) == (403, "not_the_publisher")
        header, claims, signature = (await scene.registry.session(publisher)).split(".")
        for token in ("x", "a.b.c", f"{header}.{claims}.AAAA", f"{header}.{claims}x.{signature}"):
            assert await posted(publisher, token=token) == (401, "unauthenticated")
        assert (await scene.ask("POST", "/playlists", json=playlist("b")))[0] == 401
        assert (await scene.ask("POST", "/playlists", json={"id": "b"}))[0] == 400


async def test_a_session_that_was_ended_posts_nothing_though_its_token_lasts() -> None:
    async with apart() as scene:
        sent = await scene.registry.session(await scene.registry.signer(1, "publisher"))
        headers = {"Authorization": f"Bearer {sent}"}

        async def posted() -> tuple[int, str | None]:
            status, found = await scene.ask("POST", "/playlists", json=playlist("a"), headers=headers)
            return status, found.get("code")

        assert await posted() == (201, None)
        scene.reachable = False
        assert await posted() == (503, "read_model_unavailable")
        scene.reachable = True
        assert (await scene.registry.ask("POST", "/auth/logout", headers=headers)).status == 204
        assert await posted() == (401, "unauthenticated")
