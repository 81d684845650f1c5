"""Webhook targets that misbehave, against a whole registry: nothing is lost, no other endpoint waits for them."""

import asyncio
import base64
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from muniment import Client, SigningKey
from muniment.client import Delivery, InvalidRequest, Webhook
from tests.end_to_end.receiver import Heard, Receiver, receiving, status, until, verify
from tests.end_to_end.registry import Registry, running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]

STARS_UNDER_KILL = 100
FIRST_RETRY_WITHIN_S = 6.0


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running(tmp_path_factory.mktemp("webhooks") / "data") as found:
        yield found


class Scene:
    """An admin and a curator of a registry, and a path of the receiver that is this test's own."""

    def __init__(self, registry: Registry, receiver: Receiver, admin: Client, curator: Client) -> None:
        self.registry, self.receiver, self.admin, self.curator = registry, receiver, admin, curator
        self.path = f"/{secrets.token_hex(4)}"

    async def endpoint(self, path: str = "", secret: str | None = None) -> Webhook:
        return await self.admin.webhooks.create(self.receiver.url + self.path + path, secret=secret)

    async def star(self) -> str:
        return (await self.curator.facts.star(secrets.token_hex(8))).id

    def heard(self, path: str = "") -> list[Heard]:
        return self.receiver.of(self.path + path)

    async def hears(self, count: int, path: str = "", timeout_s: float = 30.0) -> list[Heard]:
        await asyncio.to_thread(until, lambda: len(self.heard(path)) >= count, timeout_s)
        return self.heard(path)

    async def deliveries(self, webhook: Webhook) -> list[Delivery]:
        found = [each async for each in self.admin.webhooks.deliveries(webhook.id)]
        return sorted(found, key=lambda each: each.sequence)

    async def delivery(self, webhook: Webhook, *statuses: str, timeout_s: float = 30.0) -> Delivery:
        """Wait until the last delivery has one of these statuses."""
        async with asyncio.timeout(timeout_s):
            while True:
                found = await self.deliveries(webhook)
                if found and found[-1].status in statuses:
                    return found[-1]
                await asyncio.sleep(0.1)


@pytest.fixture
async def scene(registry: Registry, receiver: Receiver) -> AsyncIterator[Scene]:
    async with entered(registry, receiver) as found:
        yield found
        async for webhook in found.admin.webhooks.list():
            await found.admin.webhooks.delete(webhook.id)


@contextlib.asynccontextmanager
async def entered(registry: Registry, receiver: Receiver) -> AsyncIterator[Scene]:
    key = SigningKey.generate()
    operator = SigningKey.load(registry.data / "operator.json")
    async with Client(registry.url, operator) as admin, Client(registry.url, key) as curator:
        await admin.signers.add(key.did, ["curator"])
        yield Scene(registry, receiver, admin, curator)


def hang(handler: BaseHTTPRequestHandler, _number: int) -> None:
    time.sleep(40)
    handler.close_connection = True


def hang_up(handler: BaseHTTPRequestHandler, number: int) -> None:
    """Close the connection without a word the first time."""
    if number == 1:
        handler.close_connection = True
    else:
        status(204)(handler, number)


async def test_a_target_that_hangs_delays_no_other_and_is_tried_again(scene: Scene) -> None:
    scene.receiver.answers[scene.path + "/slow"] = hang
    slow, quick = await scene.endpoint("/slow"), await scene.endpoint("/quick")
    began = time.monotonic()
    facts = {await scene.star() for _ in range(20)}
    heard = await scene.hears(20, "/quick", timeout_s=8.0)
    assert time.monotonic() - began < 8.0
    assert {each.json["id"] for each in heard} == facts
    async with asyncio.timeout(40):
        while not (failed := [each for each in await scene.deliveries(slow) if each.status == "failed"]):
            await asyncio.sleep(0.2)
    assert failed[0].response_status is None
    assert failed[0].retry_at is not None
    assert {each.status for each in await scene.deliveries(quick)} == {"delivered"}


@pytest.mark.parametrize("code", [302, 308])
async def test_a_redirect_is_not_followed_and_counts_as_a_failure(scene: Scene, code: int) -> None:
    scene.receiver.answers[scene.path] = status(code, 204, Location=scene.receiver.url + scene.path + "/elsewhere")
    webhook = await scene.endpoint()
    await scene.star()
    first, second = (await scene.hears(2))[:2]
    assert second.at - first.at < FIRST_RETRY_WITHIN_S
    assert not scene.heard("/elsewhere")
    delivery = await scene.delivery(webhook, "delivered")
    assert (delivery.attempts, delivery.response_status) == (2, 204)


async def test_a_target_that_fails_is_sent_the_same_again_under_the_same_key(scene: Scene) -> None:
    scene.receiver.answers[scene.path] = status(500, 200)
    webhook = await scene.endpoint()
    await scene.star()
    first, second = (await scene.hears(2))[:2]
    assert second.at - first.at < FIRST_RETRY_WITHIN_S
    assert first.body == second.body
    assert first.headers["x-idempotency-key"] == second.headers["x-idempotency-key"]
    verify(first, str(webhook.secret))
    verify(second, str(webhook.secret))
    delivery = await scene.delivery(webhook, "delivered")
    assert (delivery.attempts, delivery.response_status) == (2, 200)


async def test_a_target_that_hangs_up_is_tried_again(scene: Scene) -> None:
    scene.receiver.answers[scene.path] = hang_up
    webhook = await scene.endpoint()
    await scene.star()
    await scene.hears(2)
    assert (await scene.delivery(webhook, "delivered")).attempts == 2


async def test_a_target_that_is_gone_is_disabled_at_once_and_nothing_due_to_it_is_dropped(scene: Scene) -> None:
    scene.receiver.answers[scene.path] = status(410)
    webhook = await scene.endpoint()
    facts = [await scene.star()]
    assert (await scene.delivery(webhook, "parked")).response_status == 410
    assert (await scene.admin.webhooks.get(webhook.id)).status == "disabled"
    facts += [await scene.star() for _ in range(3)]
    async with asyncio.timeout(20):
        while len(found := await scene.deliveries(webhook)) < 4 or {each.status for each in found} != {"parked"}:
            await asyncio.sleep(0.1)
    assert [each.sequence for each in found] == [1, 2, 3, 4]
    assert [each.body["id"] for each in found] == facts
    assert len(scene.heard()) == 1


async def test_a_replay_sends_what_was_before_again_under_numbers_of_its_own(scene: Scene) -> None:
    facts = [await scene.star() for _ in range(3)]
    webhook = await scene.endpoint()
    await scene.admin.webhooks.replay(webhook.id, "0")
    starred = str(scene.curator.position)
    expected = [change async for change in scene.admin.facts.changes(min_position=starred)]
    heard = await scene.hears(len(expected))
    assert {each.json["id"] for each in heard} >= set(facts)
    assert sorted(each.json["sequence"] for each in heard) == list(range(1, len(expected) + 1))
    assert len({each.headers["webhook-id"] for each in heard}) == len(expected)


async def test_while_a_secret_is_rotated_both_hold(scene: Scene) -> None:
    old, new = ("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    webhook = await scene.endpoint(secret=old)
    await scene.star()
    verify((await scene.hears(1))[0], old)
    await scene.admin.webhooks.rotate(webhook.id, new)
    await scene.star()
    verify((await scene.hears(2))[1], old, new)


async def test_killed_in_the_middle_of_a_hundred_stars_the_reactor_leaves_no_gap(scene: Scene) -> None:
    webhook = await scene.endpoint()
    facts: set[str] = set()

    async def star() -> None:
        for _ in range(STARS_UNDER_KILL // 4):
            facts.add(await scene.star())

    async def kill() -> None:
        for at in (10, 40, 70):
            while len(facts) < at:  # another task is waited for
                await asyncio.sleep(0.01)
            scene.registry.kill("react")

    await asyncio.gather(kill(), *(star() for _ in range(4)))

    def told() -> dict[int, dict[str, Any]]:
        return {each.json["sequence"]: each.json for each in scene.heard()}

    await asyncio.to_thread(until, lambda: len(told()) >= STARS_UNDER_KILL, 90.0)
    assert sorted(told()) == list(range(1, STARS_UNDER_KILL + 1))
    assert {each["id"] for each in told().values()} == facts
    # Told twice is allowed, but only under the same key with the same words.
    by_key: dict[str, bytes] = {}
    for each in scene.heard():
        assert by_key.setdefault(each.headers["x-idempotency-key"], each.body) == each.body
    assert len(by_key) == STARS_UNDER_KILL
    await scene.delivery(webhook, "delivered")


async def test_the_audit_passes_after_all_that(registry: Registry) -> None:
    verdict = json.loads(await asyncio.to_thread(registry.cli, "audit", "--json"))
    assert verdict["projections"]["webhooks"] > STARS_UNDER_KILL


PRIVATE = (
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f.1:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://0.0.0.0:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
)


async def test_a_target_in_our_own_network_is_refused_and_never_called(receiver: Receiver, tmp_path: Path) -> None:
    port = receiver.url.rsplit(":", 1)[1]
    before = len(receiver.heard)
    with running(tmp_path / "data", env={"MUNIMENT_WEBHOOK_TARGETS": "public"}) as registry:
        async with entered(registry, receiver) as scene:
            for url in PRIVATE:
                with pytest.raises(InvalidRequest) as refused:
                    await scene.admin.webhooks.create(url.format(port=port))
                assert [error.pointer for error in refused.value.errors] == ["/url"]
                assert "127.0.0.1" not in str(refused.value.detail)
            assert [each async for each in scene.admin.webhooks.list()] == []
            await scene.star()
    assert len(receiver.heard) == before
