"""Publishing's client against the real api and its decider, on the memory log."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.rate_limits import RateLimits
from log.intents import intent_signed_bytes, job_id
from muniment import Client, PublisherKey, SigningKey
from muniment.client import (
    AlreadyRegistered,
    Forbidden,
    IdempotencyConflict,
    InvalidRequest,
    InvalidSignature,
    KeyNotRegistered,
    NonceUsed,
    NotFound,
    RateLimited,
    RecordExists,
    TimestampOutOfRange,
)
from muniment.client.refusals import Refused
from tests.api.serving import Registry, key, running

pytestmark = pytest.mark.slow

WREN, LARK = (PublisherKey(bytes(range(at, at + 32))) for at in (1, 2))


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with running() as found, client(found, key(1)) as ada:
        await ada.publishing.register(WREN, "Wren")
        yield found


def client(registry: Registry, as_key: SigningKey | None = None) -> Client:
    return Client(str(registry.client.make_url("/")), as_key, timeout_s=5)


def record(record_id: str = "REC_1", **more: Any) -> dict[str, Any]:
    said = {"type": "music", "assetId": "asset-1", "recordId": record_id, "owners": [{"name": "Wren", "share": 0.5}]}
    return {**said, "distribution": {}, "terms": {"€": "euro"}, **more}


async def refused(kind: type[Refused], call: Any) -> Any:
    with pytest.raises(kind) as found:
        await call
    assert type(found.value) is kind
    return found.value


async def test_a_record_is_published_once_by_nobody_in_particular(registry: Registry) -> None:
    async with client(registry) as anybody:
        signed = anybody.publishing.sign(record(), WREN)
        taken = await anybody.publishing.submit(signed)
        assert taken.id == job_id(WREN.pubkey, intent_signed_bytes(signed["record"]))
        assert (taken.status, taken.repeated, taken.position) == ("queued", False, anybody.position)
        again = await anybody.publishing.submit(signed)
        assert (again.id, again.repeated) == (taken.id, True)
        kept = await anybody.publishing.submit(signed, idempotency_key="kept")
        assert (kept.id, kept.repeated) == (taken.id, True)
        other = await refused(RecordExists, anybody.publishing.publish(record(), WREN))
        assert other.job_id == taken.id
        nonce = signed["record"]["nonce"]
        used = await refused(NonceUsed, anybody.publishing.publish(record("REC_2", nonce=nonce), WREN))
        assert used.job_id == taken.id
        one = await anybody.publishing.publish(record("REC_2"), WREN, now=True, idempotency_key="one")
        assert one.id != taken.id
        await refused(
            IdempotencyConflict, anybody.publishing.publish(record("REC_3"), WREN, now=True, idempotency_key="one")
        )


async def test_what_can_not_be_published_is_refused_by_its_code(registry: Registry) -> None:
    async with client(registry) as anybody:
        await refused(KeyNotRegistered, anybody.publishing.publish(record(), LARK))
        await refused(TimestampOutOfRange, anybody.publishing.publish(record(timestamp="2026-01-02T03:04:05Z"), WREN))
        await refused(InvalidRequest, anybody.publishing.publish(record(owners=[]), WREN))
        await refused(InvalidRequest, anybody.publishing.publish(record(nonce="AAAA"), WREN))
        signed = anybody.publishing.sign(record(), WREN)
        await refused(InvalidSignature, anybody.publishing.submit({**signed, "signer": {"pubkey": LARK.pubkey}}))


async def test_many_are_published_each_with_its_own_outcome(registry: Registry) -> None:
    async with client(registry) as anybody:
        signed = [anybody.publishing.sign(record(f"REC_{number // 2}"), WREN) for number in range(4)]
        found = [each async for each in anybody.publishing.submit_many(signed)]
        assert [each.status for each in found] == [202, 409, 202, 409]
        assert isinstance(found[1].refused, RecordExists)
        assert found[0].job is not None
        assert found[1].refused.job_id == found[0].job.id
        again = [each async for each in anybody.publishing.submit_many(signed)]
        assert [each.status for each in again] == [200, 409, 200, 409]
        assert [each.job is not None and each.job.repeated for each in again] == [True, False, True, False]


async def test_what_came_too_fast_is_taken_later_and_nothing_twice() -> None:
    async with running(rate_limits=RateLimits()) as found, client(found, key(1)) as ada:
        await ada.publishing.register(WREN, "Wren")
        signed = [ada.publishing.sign(record(f"REC_{number}"), WREN) for number in range(62)]
        first = [each async for each in ada.publishing.submit_many(signed)]
        assert [each.status for each in first[:60]] == [202] * 60
        assert isinstance(first[-1].refused, RateLimited)
        assert not (await ada.publishing.submit(signed[-1])).repeated
        assert (await ada.publishing.submit(signed[-1])).repeated


async def test_who_shows_a_keys_signature_registers_it_and_may_take_that_back(registry: Registry) -> None:
    async with client(registry, key(1)) as ada, client(registry, key(2)) as bob:
        await refused(AlreadyRegistered, bob.publishing.register(WREN, "Mine"))
        await refused(Forbidden, bob.publishing.register(LARK.pubkey, "Mine"))
        await refused(Forbidden, bob.publishing.remove(WREN.pubkey))
        await refused(NotFound, bob.publishing.remove(LARK.pubkey))
        assert (await ada.publishing.remove(WREN.pubkey)).removed_by == key(1).did
        await refused(KeyNotRegistered, ada.publishing.publish(record(), WREN))
    async with client(registry, registry.operator) as admin:
        known = await admin.publishing.register(LARK.pubkey, "Lark")
        assert (known.label, known.registered_by) == ("Lark", registry.operator.did)
        assert (await admin.publishing.publish(record(), LARK)).status == "queued"
