"""The pool over HTTP: an admin funds it by what the chain has or is given, splits it, and sees that nothing is lost."""

from typing import Any

import pytest

from domain.publishing.batch import BatchReserved
from domain.publishing.output import PoolFunded
from log.bitcoin import BitcoinTransaction, Input, Output, txid_of
from tests.api.serving import Answer, key
from tests.api_publishing.publishing_house import PublishingHouse
from tests.chain.paying import Coin, Purse

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.stack]

COIN = 1_000_000
NOBODY_S = "ab" * 32 + ":0"


async def fund(house: PublishingHouse, query: str = "", headers: Any = None, **body: Any) -> Answer:
    """Fund the pool as the operator."""
    return await house.admin("POST", f"/v1/pool/fund{query}", body, **(headers or {}))


async def paying(house: PublishingHouse, *outputs: Output) -> bytes:
    """Make a transaction, which the chain hasn't, that gives these outputs."""
    purse = Purse()
    coin = Coin(await house.devnet.faucet(purse.script, COIN), COIN)
    return purse.spend([coin], outputs)


async def figures(house: PublishingHouse) -> Any:
    """Read what the pool holds."""
    answer = await house.read("/v1/pool", by=house.registry.operator)
    assert answer.status == 200, answer.text
    assert answer.json["holds"] is True
    return answer.json


async def test_a_pool_that_was_never_funded_is_empty(house: PublishingHouse) -> None:
    numbers = ("funded", "held", "fees", "available", "reserved", "pending", "queued", "waiting_for_utxo")
    expected = {**dict.fromkeys(numbers, 0), "holds": True, "largest": []}
    answer = await house.read("/v1/pool", by=house.registry.operator, min_position=None)
    assert answer.json == expected
    split = await house.admin("POST", "/v1/pool/split", {"count": 1, "satoshis": 1})
    assert (split.status, split.code) == (409, "output_not_available")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/pool", None),
        ("POST", "/v1/pool/fund", {"outpoint": NOBODY_S}),
        ("POST", "/v1/pool/split", {"count": 1, "satoshis": 1}),
    ],
)
async def test_the_pool_is_an_admin_s(house: PublishingHouse, method: str, path: str, body: Any) -> None:
    for by, status, code in ((None, 401, "unauthenticated"), (key(701), 403, "forbidden")):
        answer = await house.registry.ask(method, path, body, by=by)
        assert (answer.status, answer.code) == (status, code)


async def test_an_output_of_the_chain_is_given_by_its_outpoint_once(house: PublishingHouse) -> None:
    before = await figures(house)
    outpoint = await house.devnet.faucet(house.key.script, COIN)
    dry = await fund(house, "?dry_run=true", outpoint=outpoint)
    assert (dry.status, dry.json["type"], dry.json["result"]["satoshis"]) == (200, "FundPool", COIN)
    first = await fund(house, outpoint=outpoint)
    assert (first.status, first.json) == (201, {"outpoint": outpoint, "satoshis": COIN, "status": "available"})
    again = await fund(house, outpoint=outpoint)
    assert (again.status, again.code, again.json["outpoint"]) == (409, "output_known", outpoint)
    after = await figures(house)
    assert (after["funded"], after["held"]) == (before["funded"] + COIN, before["held"] + COIN)
    assert after["available"] == before["available"] + 1
    assert first.json in after["largest"]
    (event,) = [each for each in house.happened(PoolFunded) if each.outpoint == outpoint]
    assert (event.script, event.funded_by) == (house.key.script.hex(), house.registry.operator.did)


async def test_a_raw_transaction_is_given_to_the_chain_and_its_first_output_for_the_pool_is_meant(
    house: PublishingHouse,
) -> None:
    raw = await paying(house, Output(1, Purse(2).script), Output(700, house.key.script), Output(900, house.key.script))
    txid = txid_of(raw)
    first = await fund(house, rawTx=raw.hex())
    assert (first.status, first.json["outpoint"], first.json["satoshis"]) == (201, f"{txid}:1", 700)
    assert await house.devnet.transaction(txid) is not None
    second = await fund(house, rawTx=raw.hex(), vout=2)
    assert (second.status, second.json["outpoint"], second.json["satoshis"]) == (201, f"{txid}:2", 900)
    by_outpoint = await fund(house, outpoint=f"{txid}:1")
    assert by_outpoint.code == "output_known"


async def test_a_dry_run_gives_the_chain_nothing(house: PublishingHouse) -> None:
    raw = await paying(house, Output(800, house.key.script))
    dry = await fund(house, "?dry_run=true", rawTx=raw.hex())
    assert (dry.status, dry.json["result"]["outpoint"]) == (200, f"{txid_of(raw)}:0")
    assert await house.devnet.transaction(txid_of(raw)) is None


async def test_what_the_pool_s_key_can_t_spend_is_refused_and_not_broadcast(house: PublishingHouse) -> None:
    raw = await paying(house, Output(800, Purse(2).script), Output(900, house.key.script))
    for vout in (0, 2, (1 << 32) - 1):
        answer = await fund(house, rawTx=raw.hex(), vout=vout)
        assert (answer.status, answer.code) == (400, "invalid_request"), answer.text
        assert answer.json["errors"][0]["pointer"] == "/rawTx"
    assert await house.devnet.transaction(txid_of(raw)) is None
    others = await house.devnet.faucet(Purse(2).script, COIN)
    for outpoint in (others, others[:-1] + "1", others[:-1] + "999999999"):
        answer = await fund(house, outpoint=outpoint)
        assert (answer.status, answer.code) == (400, "invalid_request"), answer.text
        assert answer.json["errors"][0]["pointer"] == "/outpoint"


async def test_what_the_chain_does_not_know_or_take_is_told(house: PublishingHouse) -> None:
    unknown = await fund(house, outpoint=NOBODY_S)
    assert (unknown.status, unknown.code) == (404, "not_found")
    purse = Purse()
    coin = Coin(await house.devnet.faucet(purse.script, COIN), COIN)
    too_much = purse.spend([coin], [Output(COIN + 1, house.key.script)])
    unsigned = BitcoinTransaction([Input(coin.outpoint, b"")], [Output(1, house.key.script)]).raw
    missing = purse.spend([Coin(NOBODY_S, COIN)], [Output(1, house.key.script)])
    for raw in (too_much, unsigned, missing):
        refused = await fund(house, rawTx=raw.hex())
        assert (refused.status, refused.code) == (409, "transaction_refused"), refused.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"outpoint": NOBODY_S, "rawTx": "00"},
        {"outpoint": NOBODY_S, "vout": 0},
        {"vout": 0},
        *({"outpoint": value} for value in ("", "x", NOBODY_S[:-1], "AB" * 32 + ":0", NOBODY_S + "1x", "ab" * 32)),
        *({"outpoint": "ab" * 32 + end} for end in (":01", ":-1", ":1000000000", ": 1", ":0\n", ":٣")),
        *({"rawTx": value} for value in ("", "0", "0g", "AB", "00", "00" * 10, "0x00", None, 5, "0" * (1 << 19 | 2))),
        *({"rawTx": "00", "vout": value} for value in (-1, 1 << 32, "0", 1.5, True, None)),
        {"outpoint": NOBODY_S, "more": 1},
    ],
    ids=lambda body: repr(body)[:60],
)
async def test_what_funds_the_pool_has_a_form(house: PublishingHouse, body: Any) -> None:
    answer = await house.admin("POST", "/v1/pool/fund", body)
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"count": 1},
        {"satoshis": 1},
        *({"count": value, "satoshis": 1} for value in (0, -1, 1_001, "1", 1.5, True, None)),
        *({"count": 1, "satoshis": value} for value in (0, -1, 21 * 10**14 + 1, "1", 1.5, True, None)),
        {"count": 1, "satoshis": 1, "more": 1},
    ],
    ids=repr,
)
async def test_a_split_has_a_form(house: PublishingHouse, body: Any) -> None:
    answer = await house.admin("POST", "/v1/pool/split", body)
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.text


async def split(house: PublishingHouse, count: int, satoshis: int, query: str = "", **headers: str) -> Answer:
    """Split an output, chosen among all that is decided."""
    asked = f"/v1/pool/split?min_position={house.position()}{query}"
    return await house.admin("POST", asked, {"count": count, "satoshis": satoshis}, **headers)


async def test_an_output_is_split_and_its_pieces_are_there_once_the_chain_has_them(house: PublishingHouse) -> None:
    small, large = await house.fund(2_000_000), await house.fund(5_000_000)
    before = await figures(house)
    answer = await split(house, 3, 500_000)
    assert answer.status == 202, answer.text
    expected = {"batchId": answer.json["batchId"], "status": "reserved", "outpoints": [small]}
    assert answer.json == {**expected, "count": 3, "satoshis": 500_000}
    held = await figures(house)
    assert (held["reserved"], held["available"]) == (1, before["available"] - 1)
    await house.let("batcher")
    pending = await figures(house)
    assert (pending["reserved"], pending["pending"]) == (0, 4)
    assert pending["fees"] > before["fees"]
    await house.let("broadcaster")
    after = await figures(house)
    assert (after["pending"], after["available"]) == (0, before["available"] - 1 + 4)
    assert sum(each["satoshis"] == 500_000 for each in after["largest"]) == 3
    assert after["largest"][0]["outpoint"] == large
    assert after["held"] + after["fees"] == after["funded"] == before["funded"]


async def test_several_outputs_are_split_together_where_none_is_enough(house: PublishingHouse) -> None:
    held = (await figures(house))["held"]
    answer = await split(house, 1, held - 100_000)
    assert answer.status == 202, answer.text
    assert len(answer.json["outpoints"]) > 1
    refused = await split(house, 1, held - 100_000)
    assert (refused.status, refused.code) == (409, "output_not_available")
    await house.let("batcher", "broadcaster")


async def test_a_split_under_a_key_is_done_once_even_where_the_pool_has_nothing_left(house: PublishingHouse) -> None:
    held = (await figures(house))["held"]
    before = len([*house.happened(BatchReserved)])
    body = (1, held - 100_000)
    dry = await split(house, *body, query="&dry_run=true")
    assert (dry.status, dry.json["type"]) == (200, "ReserveBatch")
    first = await split(house, *body, Idempotency_Key="split")
    again = await split(house, *body, Idempotency_Key="split")
    assert (first.status, again.status, again.json) == (202, 202, first.json)
    assert again.headers["Idempotency-Hit"] == "true"
    other = await split(house, 2, 1, Idempotency_Key="split")
    assert (other.status, other.code) == (409, "idempotency_conflict")
    assert len([*house.happened(BatchReserved)]) == before + 1
    await house.let("batcher", "broadcaster")


async def test_the_same_funding_under_a_key_is_its_first_outcome(house: PublishingHouse) -> None:
    outpoint = await house.devnet.faucet(house.key.script, COIN)
    headers = {"Idempotency_Key": "fund"}
    first = await fund(house, headers=headers, outpoint=outpoint)
    again = await fund(house, headers=headers, outpoint=outpoint)
    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert again.headers["Idempotency-Hit"] == "true"


async def test_jobs_that_wait_are_counted_by_what_they_wait_for(house: PublishingHouse) -> None:
    await house.register("counted")
    for _ in range(2):
        await house.queue("counted")
    assert (await figures(house))["queued"] == 2
    await house.anchor()
    told = await figures(house)
    assert (told["queued"], told["waiting_for_utxo"]) == (0, 0)


async def test_while_the_chain_is_away_nothing_is_funded(house: PublishingHouse) -> None:
    outpoint, raw = await house.devnet.faucet(house.key.script, COIN), await paying(house, Output(9, house.key.script))
    for body in ({"outpoint": outpoint}, {"rawTx": raw.hex()}):
        house.chain.away = 1
        away = await fund(house, **body)
        assert (away.status, away.code, away.headers["Retry-After"]) == (503, "chain_unavailable", "1")
        assert (await fund(house, **body)).status == 201
    house.registry.api.anchorage, here = None, house.registry.api.anchorage
    assert (await fund(house, outpoint=outpoint)).code == "chain_unavailable"
    assert (await split(house, 1, 1)).code == "chain_unavailable"
    house.registry.api.anchorage = here
