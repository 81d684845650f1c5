"""The client of publishing, against canned answers: what it sends, what it makes of what comes back, how it waits."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from log.intents import intent_signed_bytes, job_id, publisher, verify_intent
from log.statements import publisher_signed_bytes
from muniment import Client, PublisherKey, SigningKey
from muniment.client import (
    AmbiguousRecord,
    ChainUnavailable,
    KeyNotRegistered,
    NonceUsed,
    NotConfirmed,
    PublishingFailed,
    PublishItem,
    RecordExists,
    StillPublishing,
    UnexpectedAnswer,
)
from muniment.client.batches import batches
from tests.cli.canned import token
from tests.muniment.scripted import Scripted

WREN = PublisherKey(bytes(range(1, 33)))
RECORD = {
    "type": "music", "assetId": "asset-1", "recordId": "REC_1", "owners": [{"name": "Wren"}], "distribution": {},
    "terms": {},
}  # fmt: skip
TIME = "2026-01-02T03:04:05.678Z"


def answer(body: Any, status: int = 200, **headers: str) -> Any:
    return lambda _request: web.json_response(body, status=status, headers=headers)


def problem(code: str, status: int, **members: Any) -> Any:
    body = {"code": code, "detail": "no", **members}
    return lambda _request: web.json_response(body, status=status, content_type="application/problem+json")


def job_at(status: str, **more: Any) -> dict[str, Any]:
    return {"jobId": "job_1", "recordId": "REC_1", "status": status, "timestamps": {"createdAt": TIME}, **more}


class Kept(Scripted):
    """Keeps the bodies of what it was asked, too."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(*answers)
        self.bodies: list[Any] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.bodies.append(json.loads(text) if text else None)
        return await super().answer(request)


async def test_a_record_is_signed_with_what_it_lacks_and_sent_under_an_idempotency_key() -> None:
    registry = Kept(answer({"jobId": "job_1", "status": "queued"}, 202, Location="/v1/job/job_1"))
    async with registry.served() as client:
        taken = await client.publishing.publish(RECORD, WREN)
        await client.publishing.publish(RECORD, WREN, now=True, idempotency_key="one")
    assert (taken.id, taken.status, taken.record_id, taken.repeated) == ("job_1", "queued", None, False)
    first, second = registry.bodies
    signed = first["record"]
    assert {name: signed[name] for name in RECORD} == RECORD
    assert abs(datetime.fromisoformat(signed["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert signed["nonce"] != second["record"]["nonce"]
    assert WREN.sign_intent(signed) == first
    assert [request.query_string for request in registry.asked] == ["", "priority=now"]
    assert len(registry.keys) == 2
    assert None not in registry.keys


async def test_what_a_record_says_of_itself_is_left_as_it_is() -> None:
    said = {**RECORD, "timestamp": TIME, "nonce": "AAECAwQFBgcICQoLDA0ODw=="}
    registry = Kept(answer({"jobId": "job_1", "status": "queued"}, 202, **{"Idempotency-Hit": "true"}))
    async with registry.served() as client:
        signed = client.publishing.sign(said, WREN)
        again = await client.publishing.submit(signed)
    assert registry.bodies == [WREN.sign_intent(said)]
    assert again.repeated


async def test_an_intent_that_was_taken_before_is_its_job_and_another_under_its_nonce_is_refused() -> None:
    signed = WREN.sign_intent({**RECORD, "timestamp": TIME, "nonce": "AAECAwQFBgcICQoLDA0ODw=="})
    own = job_id(WREN.pubkey, intent_signed_bytes(signed["record"]))  # type: ignore[arg-type]  # it is an object
    refused = {"code": "nonce_used", "detail": "no", "jobId": own}
    batch = {"items": [{"status": 409, "problem": refused}]}
    registry = Scripted(problem("nonce_used", 409, jobId=own), answer(batch), problem("nonce_used", 409, jobId="job_0"))
    async with registry.served() as client:
        taken = await client.publishing.submit(signed)
        assert (taken.id, taken.repeated) == (own, True)
        (item,) = [each async for each in client.publishing.submit_many([signed])]
        assert (item.status, item.refused) == (200, None)
        assert item.job == taken
        with pytest.raises(NonceUsed):
            await client.publishing.submit(signed)


@pytest.mark.parametrize(("given", "keys"), [(None, 2), ("mine", 1)])
async def test_what_comes_too_fast_is_asked_again_under_another_key_unless_one_is_given(
    given: str | None, keys: int
) -> None:
    registry = Scripted(problem("rate_limited", 429), answer({"jobId": "job_1", "status": "queued"}, 202))
    async with registry.served() as client:
        assert (await client.publishing.publish(RECORD, WREN, idempotency_key=given)).id == "job_1"
    assert len(registry.asked) == 2
    assert len(registry.keys) == keys


async def outcomes(client: Client, records: Iterable[dict[str, Any]]) -> list[PublishItem]:
    return [each async for each in client.publishing.publish_many(records, WREN)]


async def test_many_records_go_in_batches_and_each_has_its_own_outcome() -> None:
    refused = {"code": "nonce_used", "detail": "no", "jobId": "job_0"}

    def outcome(_request: web.Request) -> web.Response:
        intents = registry.bodies[-1]["intents"]
        found: list[dict[str, Any]] = [
            {"status": 202, "jobId": f"job_{each['record']['recordId']}"} for each in intents
        ]
        found[-1] = {"status": 409, "problem": refused}
        return web.json_response({"items": found})

    registry = Kept(outcome)
    async with registry.served() as client:
        found = await outcomes(client, ({**RECORD, "recordId": str(number)} for number in range(501)))
    assert [len(body["intents"]) for body in registry.bodies] == [500, 1]
    assert [each.job.id for each in found[:499] if each.job] == [f"job_{number}" for number in range(499)]
    last = found[-1].refused
    assert isinstance(last, NonceUsed)
    assert (last.job_id, found[-1].status, found[-1].job) == ("job_0", 409, None)


async def test_a_batch_is_never_larger_than_the_registry_takes() -> None:
    large = [{"text": "ü" * 400_000}] * 11
    assert [len(each) for each in batches(large, items=500, most_bytes=4_000_000)] == [4, 4, 3]


@pytest.mark.parametrize("items", [[], [{"jobId": "job_1"}], [{"status": 202}]])
async def test_a_batch_that_is_not_answered_item_by_item_is_no_answer(items: list[Any]) -> None:
    async with Kept(answer({"items": items})).served() as client:
        with pytest.raises(UnexpectedAnswer):
            await outcomes(client, [RECORD])


async def test_a_job_is_waited_for_until_it_is_confirmed() -> None:
    states = [job_at(each) for each in ("queued", "waiting_for_utxo", "reserved", "sent", "reorged", "seen")]
    confirmed = job_at("confirmed", txid="ab" * 32, vout=0, confirmations=1)
    registry = Scripted(*(answer(each) for each in (*states, confirmed)))
    async with registry.served() as client:
        found = await client.publishing.wait("job_1", timeout_s=30)
    assert (found.status, found.txid, found.vout, found.confirmations) == ("confirmed", "ab" * 32, 0, 1)
    assert (found.record_id, found.timestamps) == ("REC_1", {"createdAt": TIME})
    assert len(registry.asked) == 7


@pytest.mark.parametrize(
    ("until", "looks"), [("reserved", 2), ("signed", 3), ("sent", 4), ("seen", 5), ("confirmed", 6)]
)
async def test_a_job_is_waited_for_no_longer_than_asked(until: Any, looks: int) -> None:
    registry = Scripted(
        *(answer(job_at(each)) for each in ("queued", "reserved", "signed", "sent", "seen", "confirmed"))
    )
    async with registry.served() as client:
        assert (await client.publishing.wait("job_1", until, timeout_s=30)).status != "queued"
    assert len(registry.asked) == looks


async def test_a_job_that_fails_or_takes_too_long_is_an_error_that_names_it() -> None:
    async with Scripted(answer(job_at("failed", error="the chain refuses it"))).served() as client:
        with pytest.raises(PublishingFailed, match="job_1 failed: the chain refuses it") as failed:
            await client.publishing.wait("job_1", "reserved")
        assert (failed.value.job_id, failed.value.reason) == ("job_1", "the chain refuses it")
    async with Scripted(answer(job_at("queued"))).served() as client:
        with pytest.raises(StillPublishing, match="job_1 is queued") as still:
            await client.publishing.wait("job_1", timeout_s=0.2)
        assert (still.value.job_id, still.value.status) == ("job_1", "queued")


@pytest.mark.parametrize(
    ("code", "status", "members", "kind"),
    [
        ("key_not_registered", 403, {"pubkey": WREN.pubkey}, KeyNotRegistered),
        ("nonce_used", 409, {"jobId": "job_1"}, NonceUsed),
        ("record_exists", 409, {"jobId": "job_1"}, RecordExists),
    ],
)
async def test_what_is_refused_says_why(code: str, status: int, members: dict[str, str], kind: Any) -> None:
    async with Scripted(problem(code, status, **members)).served() as client:
        with pytest.raises(kind) as refused:
            await client.publishing.publish(RECORD, WREN)
    assert refused.value.code == code
    assert getattr(refused.value, "job_id", "job_1") == "job_1"


async def test_a_record_and_its_proof_are_read_by_id_and_key() -> None:
    signer = {"pubkey": WREN.pubkey}
    record = {"record": RECORD, "hash": "cd" * 32, "signer": signer, "signature": "sig", "job": job_at("sent")}
    proof = {
        "canonical": "{}", "hash": "cd" * 32, "signer": signer, "signature": "sig", "txid": "ab" * 32, "vout": 2,
        "rawTx": "00", "spent": [{"satoshis": 1, "script": "51"}], "bump": "fe", "blockHeader": "ff", "height": 7,
    }  # fmt: skip
    registry = Scripted(
        answer(record),
        answer(proof),
        problem("not_confirmed", 409, jobId="job_1", job_status="sent"),
        problem("ambiguous_record", 409, pubkeys=["02aa", "03bb"]),
        answer({**record, "job": {}}),
        answer({**record, "signer": {}}),
    )
    async with registry.served() as client:
        found = await client.publishing.record("REC/1", WREN.pubkey)
        assert (found.record, found.pubkey, found.job.status, found.job.record_id) == (
            RECORD, WREN.pubkey, "sent", "REC_1",
        )  # fmt: skip
        proved = await client.publishing.proof("REC_1")
        assert (proved.pubkey, proved.raw_tx, proved.block_header, proved.height) == (WREN.pubkey, "00", "ff", 7)
        assert proved.json == proof
        with pytest.raises(NotConfirmed) as early:
            await client.publishing.proof("REC_1")
        assert early.value.job_status == "sent"
        with pytest.raises(AmbiguousRecord) as several:
            await client.publishing.record("REC_1")
        assert several.value.pubkeys == ["02aa", "03bb"]
        for _ in range(2):
            with pytest.raises(UnexpectedAnswer):
                await client.publishing.record("REC_1")
    assert registry.asked[0].raw_path == f"/v1/record/REC%2F1?pubkey={WREN.pubkey}"


async def test_the_trail_is_walked_page_by_page() -> None:
    step = {
        "event_type": "JobQueued", "actor_pubkey": WREN.pubkey, "resource_type": "job", "resource_id": "job_1",
        "action": "queued", "details": {}, "created_at": TIME, "position": "cA",
    }  # fmt: skip
    registry = Scripted(answer({"items": [step], "next_cursor": "c"}), answer({"items": [step], "next_cursor": None}))
    async with registry.served() as client:
        found = [each async for each in client.publishing.trail(WREN.pubkey, "job_1", TIME)]
    assert [(each.action, each.position) for each in found] == [("queued", "cA")] * 2
    assert registry.asked[1].query["cursor"] == "c"
    asked = {"actor": WREN.pubkey, "resource": "job_1", "since": TIME, "limit": "100"}
    assert dict(registry.asked[0].query) == asked


@contextlib.asynccontextmanager
async def signed_in(registry: Scripted, by: SigningKey) -> AsyncIterator[Client]:
    """Serve a client that signs in."""
    registry._answers[:0] = [answer({"nonce": "n", "issuer": "i"}, 201), answer({"token": token()}, 201)]
    async with registry.served() as anonymous, Client(anonymous.url, by, timeout_s=5) as client:
        yield client


async def test_a_key_is_registered_by_its_own_signature_or_by_an_admins_word() -> None:
    by = SigningKey(bytes(range(32)))
    known = {"pubkey": WREN.pubkey, "label": "Wren", "registered_by": by.did, "registered_at": TIME}
    registry = Kept(answer(known, 201), answer(known, 201), answer({"pubkey": WREN.pubkey, "removed_by": by.did}))
    async with signed_in(registry, by) as client:
        assert (await client.publishing.register(WREN, "Wren")).registered_by == by.did
        assert (await client.publishing.register(WREN.pubkey, "Wren")).label == "Wren"
        assert (await client.publishing.remove(WREN.pubkey)).removed_by == by.did
    own, by_admin, _ = registry.bodies[2:]
    signed = publisher_signed_bytes(pubkey=WREN.pubkey, label="Wren", registered_by=by.did)
    verify_intent(publisher(WREN.pubkey), signed, own.pop("signature"))
    assert own == by_admin == {"pubkey": WREN.pubkey, "label": "Wren"}
    assert registry.asked[-1].path == f"/v1/keys/{WREN.pubkey}"


async def test_the_pool_is_funded_and_split_and_the_chain_is_moved() -> None:
    pool = dict.fromkeys(("funded", "held", "fees", "available", "reserved", "pending", "queued"), 1)
    block = {"height": 3, "hash": "a", "previous": "b", "merkleRoot": "c", "time": TIME, "header": "d"}
    output = {"outpoint": "ab" * 32 + ":0", "satoshis": 5, "status": "available"}
    split = {"batchId": "bat_1", "status": "reserved", "outpoints": [output["outpoint"]], "count": 2, "satoshis": 2}
    position = "cHVibGlzaGluZy8wLzM"
    registry = Kept(
        answer(pool | {"holds": True, "waiting_for_utxo": 0, "largest": [output]}),
        answer(output, 201, **{"Muniment-Position": position}),
        answer(output, 201),
        answer(split, 202),
        answer(block),
        answer(block),
        answer(block),
    )
    async with registry.served() as client:
        assert (await client.publishing.pool()).largest == [output]
        assert (await client.publishing.fund(output["outpoint"])).satoshis == 5
        await client.publishing.fund(raw_tx="00", vout=1)
        assert (await client.publishing.split(2, 2)).batch_id == "bat_1"
        assert (await client.publishing.block(3)).merkle_root == "c"
        await client.publishing.mine()
        await client.publishing.reorganise(2)
    sent = [{"outpoint": output["outpoint"]}, {"rawTx": "00", "vout": 1}, {"count": 2, "satoshis": 2}]
    assert registry.bodies == [None, *sent, None, None, {"depth": 2}]
    assert registry.asked[3].query["min_position"] == position


async def test_a_chain_that_does_not_answer_is_tried_again_and_told() -> None:
    async with Scripted(problem("chain_unavailable", 503)).served(timeout_s=0.3) as client:
        with pytest.raises(ChainUnavailable):
            await client.publishing.block(1)
