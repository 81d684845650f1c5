"""An intent that has two things wrong with it is refused for the one that is looked at first, and uses up nothing."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from api.rate_limits import DEFAULT_TIERS, PUBLIC_KEY, RateLimits, Tier
from api.times import rfc3339
from domain.publishing.job import JobQueued
from tests.api_publishing.publishing_house import PublishingHouse, nonce, pubkey, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")

SKEW_MS = 10 * 60_000
MANY = 10**6
STATUSES = {
    "invalid_request": 400,
    "invalid_signature": 401,
    "timestamp_out_of_range": 400,
    "key_not_registered": 403,
    "nonce_used": 409,
    "record_exists": 409,
    "rate_limited": 429,
}
"""The codes, the first that counts first."""
USED: dict[str, Any] = {}
"""A record that both publishers of this file published."""


def paced(per_minute: int) -> RateLimits:
    """Limit intents of a public key, and hardly anything else."""
    tiers = {name: Tier(name, MANY) for name in DEFAULT_TIERS}
    return RateLimits(tiers={**tiers, PUBLIC_KEY: Tier(PUBLIC_KEY, per_minute)})


async def published(desk: PublishingHouse) -> Mapping[str, Any]:
    """Give the record that both published, one of whom may publish no more."""
    if not USED:
        USED.update(desk.record())
        await desk.register("wren", "gone")
        desk.registry.api.rate_limits = paced(1)
        for name in ("wren", "gone"):
            assert (await desk.publish(signed(name, USED))).status == 202
        desk.registry.api.rate_limits = RateLimits(tiers={})
        removed = await desk.admin("DELETE", f"/v1/keys/{pubkey('gone')}")
        assert removed.status == 200, removed.text
    return USED


def wrong(desk: PublishingHouse, *codes: str) -> dict[str, Any]:
    """Make an intent that deserves each of some codes."""
    changes: dict[str, Callable[[], Mapping[str, str]]] = {
        "timestamp_out_of_range": lambda: {"timestamp": rfc3339(desk.clock.now() - SKEW_MS - 1)},
        "nonce_used": lambda: {"nonce": USED["nonce"]},
        "record_exists": lambda: {"recordId": USED["recordId"]},
    }
    record = desk.record()
    for code in codes:
        record |= changes.get(code, dict)()
    made = signed("gone" if "key_not_registered" in codes else "wren", record)
    if "invalid_signature" in codes:
        made["record"]["type"] += "!"
    return {**made, "version": 2} if "invalid_request" in codes else made


@pytest.mark.parametrize(
    "codes",
    [*((code,) for code in STATUSES), *itertools.combinations(STATUSES, 2), tuple(STATUSES)],
    ids=" and ".join,
)
async def test_the_earlier_code_is_given(
    desk: PublishingHouse, codes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(desk)
    monkeypatch.setattr(desk.registry.api, "rate_limits", paced(1 if "rate_limited" in codes else MANY))
    before = len([*desk.happened(JobQueued)])
    answer = await desk.publish(wrong(desk, *codes))
    assert (answer.status, answer.code) == (STATUSES[codes[0]], codes[0]), answer.text
    assert len([*desk.happened(JobQueued)]) == before


async def test_an_intent_that_has_nothing_wrong_is_queued_and_says_where_its_job_is(desk: PublishingHouse) -> None:
    await published(desk)
    answer = await desk.publish(wrong(desk))
    assert answer.status == 202
    assert answer.json == {"jobId": answer.json["jobId"], "status": "queued"}
    assert answer.headers["Location"] == f"/v1/job/{answer.json['jobId']}"
    assert "Muniment-Position" in answer.headers
    assert "Idempotency-Hit" not in answer.headers


async def test_a_nonce_and_a_record_s_id_name_the_job_that_has_them(desk: PublishingHouse) -> None:
    await desk.register("names")
    first = await desk.queue("names")
    record = desk.record()
    queued = await desk.publish(signed("names", record))
    for code, changes in (("nonce_used", {"nonce": record["nonce"]}), ("record_exists", {})):
        refused = await desk.publish(signed("names", desk.record(recordId=record["recordId"], **changes)))
        assert (refused.code, refused.json["jobId"]) == (code, queued.json["jobId"])
    assert first.json["jobId"] != queued.json["jobId"]


async def test_another_key_may_use_the_same_nonce_and_record_s_id(desk: PublishingHouse) -> None:
    await desk.register("one", "two")
    record = desk.record()
    jobs = {(await desk.publish(signed(name, record))).json["jobId"] for name in ("one", "two")}
    assert len(jobs) == 2


async def test_a_nonce_is_used_for_ever(desk: PublishingHouse) -> None:
    await desk.register("ever")
    once = nonce()
    await desk.queue("ever", nonce=once)
    desk.clock.forward(10 * 365 * 86_400_000)
    late = await desk.publish(signed("ever", desk.record(nonce=once)))
    assert late.code == "nonce_used"


@pytest.mark.parametrize("code", ["timestamp_out_of_range", "record_exists", "rate_limited", "key_not_registered"])
async def test_a_refused_intent_uses_up_no_nonce(
    desk: PublishingHouse, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(desk)
    name = f"refused for {code}"
    if code != "key_not_registered":
        await desk.register(name)
    once, first = nonce(), desk.record()
    changes = {"timestamp_out_of_range": {"timestamp": rfc3339(0)}, "record_exists": {"recordId": first["recordId"]}}
    if code in {"record_exists", "rate_limited"}:
        monkeypatch.setattr(desk.registry.api, "rate_limits", paced(1))
        assert (await desk.publish(signed(name, first))).status == 202
    if code == "record_exists":
        monkeypatch.undo()
    refused = await desk.publish(signed(name, desk.record(nonce=once, **changes.get(code, {}))))
    assert refused.code == code, refused.text
    monkeypatch.undo()
    if code == "key_not_registered":
        await desk.register(name)
    again = await desk.publish(signed(name, desk.record(nonce=once)))
    assert again.status == 202, again.text


@pytest.mark.parametrize(
    ("off_ms", "status"),
    [(-SKEW_MS - 1, 400), (-SKEW_MS, 202), (0, 202), (SKEW_MS, 202), (SKEW_MS + 1, 400)],
)
async def test_a_timestamp_is_within_ten_minutes_of_the_log_s_time(
    desk: PublishingHouse, off_ms: int, status: int
) -> None:
    await desk.register(f"timely {off_ms}")
    record = desk.record(timestamp=rfc3339(desk.clock.now() + off_ms))
    answer = await desk.publish(signed(f"timely {off_ms}", record))
    assert answer.status == status, answer.text
    if status == 400:
        assert answer.code == "timestamp_out_of_range"
        assert answer.json["now"] == rfc3339(desk.clock.now())


async def test_an_offset_from_utc_counts(desk: PublishingHouse) -> None:
    await desk.register("abroad")
    local = rfc3339(desk.clock.now() + 5 * 3_600_000 + 30 * 60_000)
    assert (await desk.publish(signed("abroad", desk.record(timestamp=local[:-1] + "+05:30")))).status == 202
    assert (await desk.publish(signed("abroad", desk.record(timestamp=local)))).code == "timestamp_out_of_range"


async def test_sixty_intents_of_a_public_key_are_taken_in_a_minute_whoever_sends_them(
    desk: PublishingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.register("eager", "other")
    default = DEFAULT_TIERS[PUBLIC_KEY].per_minute
    assert default == 60
    monkeypatch.setattr(desk.registry.api, "rate_limits", paced(default))
    intents = [signed("eager", desk.record(), der=False) for _ in range(61)]
    batch = await desk.registry.ask("POST", "/v1/publish/batch", {"intents": intents})
    assert [item["status"] for item in batch.json["items"]] == [202] * 60 + [429]
    refused = await desk.publish(signed("eager", desk.record()))
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "rate_limited", "1")
    assert (await desk.publish(signed("other", desk.record()))).status == 202
    desk.clock.forward(1_000)
    assert (await desk.publish(signed("eager", desk.record()))).status == 202
    assert (await desk.publish(signed("eager", desk.record()))).code == "rate_limited"


async def test_a_refusal_for_haste_says_how_long_to_wait(
    desk: PublishingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.register("hasty")
    monkeypatch.setattr(desk.registry.api, "rate_limits", paced(2))
    for _ in range(2):
        await desk.queue("hasty")
    refused = await desk.publish(signed("hasty", desk.record()))
    assert refused.headers["Retry-After"] == "30"
    assert refused.json["retryable"] is True
    desk.clock.forward(30_000)
    await desk.queue("hasty")


async def test_without_rate_limits_a_public_key_has_none(desk: PublishingHouse) -> None:
    await desk.register("free")
    intents = [signed("free", desk.record(), der=False) for _ in range(100)]
    batch = await desk.registry.ask("POST", "/v1/publish/batch", {"intents": intents})
    assert {item["status"] for item in batch.json["items"]} == {202}
