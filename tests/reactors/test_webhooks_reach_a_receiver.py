"""What a receiver hears: which changes, in which words, signed how, and what its answers do."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from domain.facts.webhook import DeliveryAttempted, DeliveryScheduled, WebhookDisabled
from log.token import read_token
from tests.reactors.rig import CURATOR, SECRET, Heard, Reacting, Registry, receiving, until

pytestmark = pytest.mark.slow

OTHER_SECRET = "whsec_" + base64.b64encode(b"second secret of an endpoint 456").decode()


def x_signature(secret: str, body: bytes) -> str:
    return "sha256=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def answering(status: int, **headers: str):  # type: ignore[no-untyped-def]
    async def answer(_heard: Heard) -> web.StreamResponse:
        return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


async def test_an_endpoint_hears_of_each_change_once_in_numbered_order_in_the_words_of_the_read_api() -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry):
        await registry.issue("before")
        await registry.register("whk_a", f"{receiver.url}/a")
        fact_id = await registry.issue("after")
        await until(lambda: len(receiver.heard) == 1)
        await registry.revoke(fact_id)
        await until(lambda: len(receiver.heard) == 2)
        await asyncio.sleep(0.05)
        first, second = (heard.json for heard in receiver.heard)
        assert first | {"position": None} == {
            "id": fact_id,
            "kind": "endorsement.star",
            "subject": {"origin": "feed.ff", "type": "playlist", "ref": "after"},
            "issuer_did": CURATOR,
            "status": "active",
            "issued_at": "2025-10-09T08:53:20.123Z",
            "position": None,
            "sequence": 1,
        }
        assert (second["status"], second["sequence"], second["id"]) == ("revoked", 2, fact_id)
        ((context, _), offset), *rest = read_token(first["position"]).items()
        assert context == "facts"
        assert not rest
        assert next(iter(read_token(second["position"]).values())) > offset


async def test_both_signatures_verify_as_their_libraries_and_the_specification_say() -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry):
        await registry.register("whk_a", f"{receiver.url}/a")
        await registry.issue()
        heard = await until(lambda: receiver.heard and receiver.heard[0])
        Webhook(SECRET).verify(heard.body, heard.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(OTHER_SECRET).verify(heard.body, heard.headers)
        assert heard.headers["x-signature"] == x_signature(SECRET, heard.body)
        assert heard.headers["x-idempotency-key"] == heard.headers["webhook-id"] == "whk_a_1"
        assert (
            abs(parsedate_to_datetime(heard.headers["date"]).timestamp() - int(heard.headers["webhook-timestamp"])) < 1
        )
        assert heard.headers["content-type"] == "application/json"


async def test_while_a_rotation_overlaps_both_secrets_sign_and_afterwards_only_the_new_one() -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry):
        await registry.register("whk_a", f"{receiver.url}/a")
        await registry.rotate("whk_a", OTHER_SECRET, overlap_ms=1500)
        await registry.issue()
        heard = await until(lambda: receiver.heard and receiver.heard[0])
        for secret in (SECRET, OTHER_SECRET):
            Webhook(secret).verify(heard.body, heard.headers)
            assert x_signature(secret, heard.body) in heard.headers["x-signature"].split(",")
        await asyncio.sleep(1.6)
        await registry.issue()
        heard = await until(lambda: receiver.heard[1:] and receiver.heard[1])
        Webhook(OTHER_SECRET).verify(heard.body, heard.headers)
        assert heard.headers["x-signature"] == x_signature(OTHER_SECRET, heard.body)
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(heard.body, heard.headers)


async def test_an_endpoint_hears_only_of_the_kinds_it_asked_for() -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry):
        await registry.register("whk_a", f"{receiver.url}/a", ("rights.grant",))
        await registry.register("whk_b", f"{receiver.url}/b", ("endorsement.star", "rights.grant"))
        await registry.issue()
        await until(lambda: receiver.of("/b"))
        await asyncio.sleep(0.1)
        assert not receiver.of("/a")


@pytest.mark.parametrize("status", [500, 503, 404, 301, 302, 307])
async def test_what_is_not_a_2xx_is_tried_again_within_five_seconds_under_the_same_key(status: int) -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry):
        receiver.answers["/a"] = answering(status, Location=f"{receiver.url}/elsewhere")
        await registry.register("whk_a", f"{receiver.url}/a")
        await registry.issue()
        await until(lambda: registry.events(DeliveryAttempted))
        report = registry.events(DeliveryAttempted)[0]
        assert (report.outcome, report.status, report.attempt, report.sequence) == ("failed", status, 1, 1)
        del receiver.answers["/a"]
        await until(lambda: len(receiver.of("/a")) == 2, 6.0)
        first, second = receiver.of("/a")
        assert second.at - first.at < 5.2
        assert first.headers["x-idempotency-key"] == second.headers["x-idempotency-key"]
        assert first.body == second.body
        await until(lambda: registry.events(DeliveryAttempted)[-1].outcome == "delivered")
        assert not receiver.of("/elsewhere")


async def test_a_gone_endpoint_is_disabled_at_once_and_what_is_due_to_it_is_parked_not_dropped() -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry) as reacting:
        held = asyncio.Event()

        async def gone(_heard: Heard) -> web.StreamResponse:
            await held.wait()
            return web.Response(status=410)

        receiver.answers["/a"] = gone
        await registry.register("whk_a", f"{receiver.url}/a")
        for _ in range(30):
            await registry.issue(wait=False)
        await until(lambda: len(registry.events(DeliveryScheduled)) == 30)
        held.set()
        await until(lambda: len({r.sequence for r in registry.events(DeliveryAttempted)}) == 30)
        assert len(registry.events(WebhookDisabled)) == 1
        assert {report.outcome for report in registry.events(DeliveryAttempted)} == {"parked"}
        heard = len(receiver.heard)
        assert heard < 30
        await registry.issue()
        await until(lambda: len(registry.events(DeliveryScheduled)) == 31)
        await asyncio.sleep(0.1)
        assert len(receiver.heard) == heard
        assert [event.sequence for event in registry.events(DeliveryScheduled)] == list(range(1, 32))
        assert reacting.agenda.pending("whk_a") == 0
        reacting.check()


async def test_an_endpoint_that_hangs_delays_no_other() -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry, timeout_s=1.0):

        async def hang(_heard: Heard) -> web.StreamResponse:
            await asyncio.sleep(30)
            return web.Response()

        receiver.answers["/hangs"] = hang
        await registry.register("whk_a", f"{receiver.url}/hangs")
        await registry.register("whk_b", f"{receiver.url}/quick")
        for _ in range(40):
            await registry.issue(wait=False)
        await until(lambda: len(receiver.of("/quick")) == 40, 3.0)
        assert len(receiver.of("/hangs")) <= 8 * 4
        report = await until(
            lambda: next((r for r in registry.events(DeliveryAttempted) if r.outcome == "failed"), None)
        )
        assert (report.status, report.detail) == (None, "timeout")


async def test_an_endless_answer_counts_by_its_status_and_is_not_read_for_ever() -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry):

        async def endless(heard: Heard) -> web.StreamResponse:
            response = web.StreamResponse(status=200)
            await response.prepare(heard.request)
            with contextlib.suppress(ConnectionError):
                while True:
                    await response.write(b"x" * 65536)
            return response

        receiver.answers["/a"] = endless
        await registry.register("whk_a", f"{receiver.url}/a")
        await registry.issue()
        await until(lambda: registry.events(DeliveryAttempted), 3.0)
        assert registry.events(DeliveryAttempted)[0].outcome == "delivered"


async def test_retry_after_is_kept_to() -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry):
        receiver.answers["/a"] = answering(503, Retry_After="120")
        await registry.register("whk_a", f"{receiver.url}/a")
        await registry.issue()
        await until(lambda: registry.events(DeliveryAttempted))
        decision = next(
            entry.decision
            for entry in registry.decided
            if entry.payloads and isinstance(entry.payloads[0], DeliveryAttempted)
        )
        assert 115_000 < decision.events[0].payload.retry_at - decision.at <= 121_000


async def test_a_replay_tells_again_of_every_change_after_its_cursor_under_its_own_keys() -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry):
        facts = [await registry.issue() for _ in range(3)]
        await registry.register("whk_a", f"{receiver.url}/a")
        facts.append(await registry.issue())
        await until(lambda: len(receiver.heard) == 1)
        await registry.replay("whk_a", "rpl_1", "0")
        await until(lambda: len(receiver.heard) == 5)
        assert {heard.json["id"] for heard in receiver.heard[1:]} == set(facts)
        second = next(heard.json["position"] for heard in receiver.heard if heard.json["id"] == facts[1])
        await registry.replay("whk_a", "rpl_2", second)
        await until(lambda: len(receiver.heard) == 7)
        await asyncio.sleep(0.1)
        assert {heard.json["id"] for heard in receiver.heard[5:]} == set(facts[2:])
        assert sorted(heard.json["sequence"] for heard in receiver.heard) == list(range(1, 8))
        assert len({heard.headers["webhook-id"] for heard in receiver.heard}) == 7


async def test_a_deleted_endpoint_hears_of_nothing_more_and_leaves_nothing_behind() -> None:
    async with receiving() as receiver, Registry() as registry, Reacting(registry) as reacting:
        receiver.answers["/a"] = answering(500)
        await registry.register("whk_a", f"{receiver.url}/a")
        await registry.issue()
        await until(lambda: registry.events(DeliveryAttempted))
        await registry.delete("whk_a")
        await until(lambda: "whk_a" not in reacting.agenda.endpoints)
        await registry.issue()
        await asyncio.sleep(0.2)
        assert len(receiver.heard) == 1
        left = [
            key
            for prefix in ("due/", "matched/", "ready/", "delivery/", "job/")
            for key, _ in reacting.agenda.store.scan(prefix)
        ]
        assert left == []
        reacting.check()
