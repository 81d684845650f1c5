"""A node's answers, as Bitcoin Core, SV Node and btcd word them, say no more than they say."""

import pytest

from processors.chain import ChainUnavailable, Refused, Seen
from tests.chain.played import Played, in_turn, node, says, stage
from tests.chain.small_chain import BLOCK, HEIGHT, INCLUSION, PARENT, SENT, TXIDS

OUTPOINT = SENT.inputs[0].outpoint


def fails(code: int, message: str = "", status: int = 500) -> Played:
    return says({"error": {"code": code, "message": message}}, status)


UNKNOWN = fails(-5, "No such mempool or blockchain transaction. Use gettransaction for wallet transactions.")
NOTHING = says({"result": None})
KNOWN_PARENT = says({"result": {"hex": PARENT.raw.hex(), "confirmations": 3, "blockhash": "aa" * 32}})


@pytest.mark.parametrize(
    "answer",
    [
        says({"result": SENT.txid}),
        fails(-27, "Transaction outputs already in utxo set"),
        fails(-27, "transaction already in block chain"),
        fails(-26, "257: txn-already-known"),
        fails(-26, "txn-already-in-mempool"),
        fails(-25, "TX rejected: already have transaction in mempool " + SENT.txid, 200),
        fails(-26, "TX rejected: already have transaction in mempool " + SENT.txid, 200),
    ],
)
async def test_the_same_bytes_again_are_taken_again(answer: Played) -> None:
    async with stage(sendrawtransaction=answer) as played, node(played) as chain:
        await chain.broadcast(SENT.raw)
        assert played.asked == [("sendrawtransaction", [SENT.raw.hex()])]


async def test_a_transaction_whose_outputs_are_all_spent_is_not_taken_for_one_that_is_refused() -> None:
    """Bitcoin Core says of it what it says where an input is spent by another."""
    answers = {
        "sendrawtransaction": fails(-25, "bad-txns-inputs-missingorspent"),
        "getrawtransaction": says({"result": {"hex": SENT.raw.hex(), "confirmations": 9, "blockhash": BLOCK.hash}}),
    }
    async with stage(**answers) as played, node(played) as chain:
        await chain.broadcast(SENT.raw)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-25, "Missing inputs"),
        (-25, "bad-txns-inputs-missingorspent"),
        (-26, "258: txn-mempool-conflict"),
        (-26, "TX rejected: output already spent in mempool"),
        (-22, "TX decode failed"),
    ],
)
async def test_what_is_refused_names_what_another_one_spent(code: int, words: str) -> None:
    answers = {
        "sendrawtransaction": fails(code, words),
        "getrawtransaction": in_turn(UNKNOWN, KNOWN_PARENT, UNKNOWN),
        "gettxout": NOTHING,
    }
    async with stage(**answers) as played, node(played) as chain:
        with pytest.raises(Refused) as raised:
            await chain.broadcast(SENT.raw)
        assert (raised.value.reason, raised.value.spent) == (words, (OUTPOINT,))
        assert ("gettxout", [PARENT.txid, 1, True]) in played.asked


@pytest.mark.parametrize("looked_up", ["by another process", "in the pool"])
async def test_a_transaction_that_arrives_while_it_is_looked_up_is_taken(looked_up: str) -> None:
    found = says({"result": {"hex": SENT.raw.hex()}})
    ours = says({"result": [{"txid": PARENT.txid, "vout": 1, "spendingtxid": SENT.txid}]})
    answers = {"sendrawtransaction": fails(-25, "Missing inputs"), "gettxout": NOTHING}
    if looked_up == "in the pool":
        answers |= {"gettxout": says({"result": {}}), "gettxspendingprevout": ours, "getrawtransaction": UNKNOWN}
    else:
        answers["getrawtransaction"] = in_turn(UNKNOWN, KNOWN_PARENT, found)
    async with stage(**answers) as played, node(played) as chain:
        await chain.broadcast(SENT.raw)


@pytest.mark.parametrize(
    ("spending", "spent"),
    [
        (says({"result": [{"txid": PARENT.txid, "vout": 1, "spendingtxid": "cc" * 32}]}), (OUTPOINT,)),
        (says({"result": [{"txid": PARENT.txid, "vout": 1}]}), ()),
        (fails(-32601, "Method not found", 404), ()),
    ],
)
async def test_what_only_the_pool_spends_is_asked_for_where_the_node_can_be(
    spending: Played, spent: tuple[str, ...]
) -> None:
    answers = {
        "sendrawtransaction": fails(-26, "66: insufficient priority"),
        "getrawtransaction": UNKNOWN,
        "gettxout": says({"result": {"value": 0.1}}),
        "gettxspendingprevout": spending,
    }
    async with stage(**answers) as played, node(played) as chain:
        with pytest.raises(Refused) as raised:
            await chain.broadcast(SENT.raw)
        assert raised.value.spent == spent


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-25, "Missing inputs"),
        (-26, "mempool full"),
        (-26, "mempool min fee not met, 12 < 40"),
        (-26, "64: too-long-mempool-chain"),
        (-26, "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 5"),
        (-28, "Verifying blocks..."),
        (-1, "something else"),
        (-32603, "Internal error"),
    ],
)
async def test_what_may_still_be_taken_is_not_refused(code: int, words: str) -> None:
    answers = {"sendrawtransaction": fails(code, words), "getrawtransaction": UNKNOWN, "gettxout": NOTHING}
    async with stage(**answers) as played, node(played) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.broadcast(SENT.raw)


async def test_an_output_that_its_transaction_does_not_have_was_spent_by_nobody() -> None:
    answers = {"gettxout": NOTHING, "getrawtransaction": KNOWN_PARENT}
    async with stage(**answers) as played, node(played) as chain:
        assert [await chain.fate(f"{PARENT.txid}:{vout}", SENT.txid) for vout in (0, 1, 2)] == [
            "spent",
            "spent",
            "unknown",
        ]


def mined(txids: object, confirmations: object = 1) -> dict[str, Played]:
    block = {"hash": BLOCK.hash, "height": HEIGHT, "confirmations": confirmations, "tx": txids}
    found = {"hex": SENT.raw.hex(), "blockhash": BLOCK.hash, "confirmations": 1}
    return {
        "getrawtransaction": says({"result": found}),
        "getblock": says({"result": block}),
        "getblockheader": says({"result": BLOCK.header.hex()}),
    }


async def test_a_transaction_in_a_block_is_proven() -> None:
    async with stage(**mined(TXIDS)) as played, node(played) as chain:
        assert await chain.transaction(SENT.txid) == Seen(SENT.raw, INCLUSION)


@pytest.mark.parametrize(
    "txids",
    [[SENT.txid], TXIDS[:4], [*TXIDS[:3], *TXIDS[:2:-1]], [each for each in TXIDS if each != SENT.txid], ["x"], None],
)
async def test_ids_that_do_not_lead_to_the_root_of_the_block_prove_nothing(txids: object) -> None:
    async with stage(**mined(txids)) as played, node(played) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.transaction(SENT.txid)


@pytest.mark.parametrize("confirmations", [-1, 0])
async def test_a_transaction_that_only_a_block_beside_the_chain_has_is_not_known(confirmations: int) -> None:
    async with stage(**mined(TXIDS, confirmations)) as played, node(played) as chain:
        assert await chain.transaction(SENT.txid) is None
    beside = says({"result": {"hex": SENT.raw.hex(), "blockhash": BLOCK.hash, "confirmations": 0}})
    async with stage(getrawtransaction=beside) as played, node(played) as chain:
        assert await chain.transaction(SENT.txid) is None
        assert not await chain.has(SENT.txid)


@pytest.mark.parametrize(
    "answer",
    [
        fails(-5, "No such mempool transaction. Use -txindex or provide a block hash to enable blockchain queries."),
        fails(-5, "No such mempool transaction. Blockchain transactions are still in the process of being indexed."),
        fails(-5, "The transaction index must be enabled to query the blockchain (specify --txindex)", 200),
        fails(-1, "Failed to retrieve transaction location"),
        says({"result": {"hex": PARENT.raw.hex()}}),
        says({"result": {"hex": "zz"}}),
        says({"result": "00"}),
    ],
)
async def test_a_node_that_cannot_tell_is_not_taken_to_know_no_transaction(answer: Played) -> None:
    async with stage(getrawtransaction=answer) as played, node(played) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.transaction(SENT.txid)


@pytest.mark.parametrize("code", [-8, -1])
async def test_a_height_above_the_newest_has_no_block_by_whatever_code(code: int) -> None:
    answers = {"getblockhash": fails(code, "Block height out of range"), "getblockcount": says({"result": HEIGHT})}
    async with stage(**answers) as played, node(played) as chain:
        assert await chain.block(HEIGHT + 1) is None
        with pytest.raises(ChainUnavailable):
            await chain.block(HEIGHT)
        with pytest.raises(ChainUnavailable):
            await chain.tip()
