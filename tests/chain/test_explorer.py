"""An explorer's answers, wrapped or not, say no more than can be proven."""

import pytest

from log.bitcoin_bytes import lying, readable, twice
from processors.chain import ChainUnavailable, Refused, Seen
from processors.explorer_chain import explorer_url
from tests.chain.played import Played, explorer, in_turn, says, stage
from tests.chain.small_chain import BLOCK, EXPLORED, HEIGHT, INCLUSION, PARENT, SENT, TXIDS

OUTPOINT = SENT.inputs[0].outpoint
BROADCAST, RAW = "POST /tx/broadcast", "POST /tx/raw"
SPENT = f"GET /tx/{PARENT.txid}/1/spent"
FOUND = f"GET /tx/hash/{SENT.txid}"
PROOF = f"GET /tx/{SENT.txid}/proof/tsc"
AT_HEIGHT = f"GET /block/height/{HEIGHT}"
INFO = "GET /chain/info"


def pair(left: str, right: str) -> str:
    return readable(twice(lying(left) + lying(right)))


NODES = [TXIDS[3], pair(TXIDS[0], TXIDS[1]), pair(*[pair(TXIDS[4], TXIDS[4])] * 2)]
"""What lies beside our transaction, the third of five, from its own level up."""
PROVEN = {"index": 2, "txOrId": SENT.txid, "target": BLOCK.hash, "nodes": NODES}
CONFIRMED = {"txid": SENT.txid, "blockhash": BLOCK.hash, "blockheight": HEIGHT, "confirmations": 2}
CHAIN = {AT_HEIGHT: says(EXPLORED), INFO: says({"blocks": HEIGHT, "bestblockhash": BLOCK.hash})}


def wrapped(value: object) -> Played:
    return says({"success": True, "data": value})


@pytest.mark.parametrize(
    "answer",
    [
        says(SENT.txid),
        says(f'"{SENT.txid}"\n'),
        wrapped(SENT.txid),
        wrapped({"txid": SENT.txid}),
        says({"txid": SENT.txid}, 201),
        says({"success": True, "data": {"txid": SENT.txid}}),
        says("unexpected response code 500: 257: txn-already-known", 400),
        says("Transaction already in the mempool", 400),
        says({"success": False, "error": "257: txn-already-known"}),
    ],
)
async def test_a_transaction_is_taken_and_taken_again(answer: Played) -> None:
    async with stage(**{BROADCAST: answer}) as played, explorer(played) as chain:
        await chain.broadcast(SENT.raw)
        assert played.asked == [(BROADCAST, {"txhex": SENT.raw.hex(), "txHex": SENT.raw.hex()})]


async def test_whatsonchain_takes_transactions_by_the_route_that_it_has() -> None:
    async with stage(**{RAW: says(SENT.txid)}) as played, explorer(played) as chain:
        await chain.broadcast(SENT.raw)
        assert played.asked[-1] == (RAW, {"txhex": SENT.raw.hex()})


@pytest.mark.parametrize(
    "answer",
    [
        says("unexpected response code 500: Missing inputs", 400),
        says("258: txn-mempool-conflict", 400),
        says({"success": False, "error": "Missing inputs"}),
        says({"error": "mandatory-script-verify-flag-failed"}, 400),
    ],
)
async def test_what_is_refused_names_what_another_one_spent(answer: Played) -> None:
    spender = {"txid": "cc" * 32, "vin": 0, "status": "unconfirmed"}
    async with stage(**{BROADCAST: answer, SPENT: says(spender)}) as played, explorer(played) as chain:
        with pytest.raises(Refused) as raised:
            await chain.broadcast(SENT.raw)
        assert raised.value.spent == (OUTPOINT,)


async def test_a_transaction_that_spent_its_own_inputs_is_taken() -> None:
    answers = {BROADCAST: says("Missing inputs", 400), SPENT: says({"txid": SENT.txid, "vin": 0})}
    async with stage(**answers) as played, explorer(played) as chain:
        await chain.broadcast(SENT.raw)


async def test_a_broken_rule_is_refused_in_one_short_line_and_names_no_output() -> None:
    answers = {BROADCAST: says("16: mandatory-script-verify\n" + "x" * 999, 400)}
    async with stage(**answers) as played, explorer(played) as chain:
        with pytest.raises(Refused) as raised:
            await chain.broadcast(SENT.raw)
        assert raised.value.spent == ()
        assert raised.value.reason.startswith("16: mandatory-script-verify x")
        assert len(raised.value.reason) == 200


@pytest.mark.parametrize(
    "answer",
    [
        says("Missing inputs", 400),
        says("66: mempool full", 400),
        says("the explorer is away", 500),
        says("", 503),
        says("", 401),
        says("", 403),
        says("", 429),
        says("cc" * 32),
        says({"success": True}),
        says("<html>"),
        says(""),
    ],
)
async def test_what_may_still_be_taken_is_not_refused(answer: Played) -> None:
    async with stage(**{BROADCAST: answer}) as played, explorer(played) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.broadcast(SENT.raw)


async def test_an_explorer_that_takes_transactions_at_no_route_is_unavailable() -> None:
    async with stage() as played, explorer(played) as chain:
        with pytest.raises(ChainUnavailable, match="404"):
            await chain.broadcast(SENT.raw)


@pytest.mark.parametrize("proof", [says([PROVEN]), says(PROVEN), wrapped(PROVEN)])
async def test_a_transaction_in_a_block_is_proven(proof: Played) -> None:
    answers = {FOUND: says(CONFIRMED), PROOF: proof, **CHAIN}
    async with stage(**answers) as played, explorer(played) as chain:
        assert await chain.transaction(SENT.txid) == Seen(None, INCLUSION)
        assert (await chain.block(HEIGHT), await chain.block(HEIGHT + 1)) == (BLOCK, None)


async def test_while_the_newest_block_stays_asking_for_it_is_one_request() -> None:
    async with stage(**CHAIN) as played, explorer(played) as chain:
        assert [await chain.tip() for _ in range(3)] == [BLOCK] * 3
        assert played.lines() == [INFO, AT_HEIGHT, INFO, INFO]


@pytest.mark.parametrize(
    "proof",
    [
        None,
        [],
        [PROVEN | {"index": 3}],
        [PROVEN | {"index": 2 + 8}],
        [PROVEN | {"nodes": NODES[:2]}],
        [PROVEN | {"nodes": ["*", *NODES[1:]]}],
        [PROVEN | {"nodes": [NODES[1], NODES[0], NODES[2]]}],
        [PROVEN | {"nodes": ["ab"]}],
        [PROVEN | {"nodes": NODES * 20}],
        [PROVEN | {"nodes": None}],
        {"success": False, "error": "no"},
    ],
)
async def test_a_path_that_does_not_lead_to_the_root_of_the_block_proves_nothing(proof: object) -> None:
    answers = {FOUND: says(CONFIRMED), PROOF: says(proof), **CHAIN}
    async with stage(**answers) as played, explorer(played) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.transaction(SENT.txid)


async def test_a_transaction_waits_or_is_not_known() -> None:
    waits = says({"txid": SENT.txid, "confirmations": 0})
    answers = {FOUND: in_turn(waits, says("", 200), says("Not Found", 404))}
    async with stage(**answers) as played, explorer(played) as chain:
        assert await chain.transaction(SENT.txid) == Seen(None, None)
        assert await chain.transaction(SENT.txid) is None
        assert await chain.transaction(SENT.txid) is None


@pytest.mark.parametrize(
    "answers",
    [
        {AT_HEIGHT: says(EXPLORED | {"nonce": EXPLORED["nonce"] + 1})},
        {AT_HEIGHT: says(EXPLORED | {"hash": "ff" * 32})},
        {AT_HEIGHT: says(EXPLORED | {"height": HEIGHT - 1})},
        {AT_HEIGHT: says(EXPLORED | {"bits": "1d00ffff"})},
        {AT_HEIGHT: says(EXPLORED | {"version": "2"})},
        {AT_HEIGHT: says("", 404)},
        {AT_HEIGHT: says("", 500)},
        {INFO: says({})},
        {INFO: says("", 404)},
    ],
)
async def test_a_newest_block_that_is_not_whole_is_none(answers: dict[str, Played]) -> None:
    async with stage(**CHAIN | answers) as played, explorer(played) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.tip()


async def test_a_transaction_in_another_block_than_the_chain_has_there_is_not_settled() -> None:
    answers = {FOUND: says(CONFIRMED | {"blockhash": "ff" * 32}), **CHAIN}
    async with stage(**answers) as played, explorer(played) as chain:
        with pytest.raises(ChainUnavailable, match="another block"):
            await chain.transaction(SENT.txid)


@pytest.mark.parametrize("answer", [says(PARENT.raw.hex()), says(f'"{PARENT.raw.hex()}"'), wrapped(PARENT.raw.hex())])
async def test_the_bytes_of_a_transaction_are_those_of_its_id(answer: Played) -> None:
    answers = {f"GET /tx/{PARENT.txid}/hex": in_turn(answer, says(SENT.raw.hex()), says("", 404))}
    async with stage(**answers) as played, explorer(played) as chain:
        assert await chain.raw(PARENT.txid) == PARENT.raw
        with pytest.raises(ChainUnavailable):
            await chain.raw(PARENT.txid)
        assert await chain.raw(PARENT.txid) is None


def test_an_explorers_url_has_its_network_or_gets_the_main_one() -> None:
    assert explorer_url("https://explorer.example") == "https://explorer.example/api/bsv/main"
    assert explorer_url("https://explorer.example/v1/bsv/test") == "https://explorer.example/v1/bsv/test"
