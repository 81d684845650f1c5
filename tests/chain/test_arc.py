"""ARC's answers: each status and each error that it documents means one thing for a transaction of ours."""

import pytest

from log.extended_format import extended
from processors.arc_chain import STATUSES, TAKEN, Callback
from processors.chain import ChainUnavailable, Refused, Seen
from tests.chain.played import Played, arc, in_turn, says, stage
from tests.chain.small_chain import BLOCK, BUMP, EXPLORED, HEIGHT, INCLUSION, PARENT, SENT

OUTPOINT = SENT.inputs[0].outpoint
SEND, LOOK = "POST /v1/tx", f"GET /v1/tx/{SENT.txid}"
SPENT = f"GET /tx/{PARENT.txid}/1/spent"
SPENDER = says({"txid": "cc" * 32, "vin": 0, "status": "confirmed"})
CHAIN = {f"GET /block/height/{HEIGHT}": says(EXPLORED), "GET /chain/info": says({"blocks": HEIGHT})}
UNSETTLED = STATUSES - TAKEN - {"REJECTED"}


def told(status: str, **more: object) -> Played:
    common = {"timestamp": "2026-01-01T00:00:00Z", "txid": SENT.txid, "txStatus": status, "status": 200, "title": "OK"}
    return says({**common, "blockHash": "", "blockHeight": 0, "merklePath": "", "extraInfo": "", **more})


def fails(code: int, status: int | None = None, **more: object) -> Played:
    common = {"type": f"https://bitcoin-sv.github.io/arc/#/errors?id=_{code}", "title": "Title", "detail": "Detail"}
    return says({**common, "status": code, "instance": None, "txid": SENT.txid, **more}, status or code)


@pytest.mark.parametrize("status", sorted(TAKEN))
async def test_what_arc_has_for_good_is_taken(status: str) -> None:
    async with stage(**{SEND: told(status)}) as played, arc(played) as chain:
        await chain.broadcast(SENT.raw)
        assert played.asked == [(SEND, {"rawTx": SENT.raw.hex()})]


@pytest.mark.parametrize("status", sorted(UNSETTLED))
async def test_what_may_still_become_of_a_transaction_is_neither_taken_nor_refused(status: str) -> None:
    async with stage(**{SEND: told(status, competingTxs=["cc" * 32]), SPENT: SPENDER}) as played, arc(played) as chain:
        with pytest.raises(ChainUnavailable, match=status):
            await chain.broadcast(SENT.raw)


@pytest.mark.parametrize("words", ["double spend", "Missing inputs", "txn-mempool-conflict"])
async def test_what_arc_rejects_for_another_one_names_what_that_one_spent(words: str) -> None:
    answers = {SEND: told("REJECTED", extraInfo=words), SPENT: SPENDER}
    async with stage(**answers) as played, arc(played) as chain:
        with pytest.raises(Refused, match=words) as raised:
            await chain.broadcast(SENT.raw)
        assert raised.value.spent == (OUTPOINT,)
        del played.answers[SPENT]
        with pytest.raises(ChainUnavailable, match="doesn't know yet"):
            await chain.broadcast(SENT.raw)


async def test_what_arc_rejects_because_it_is_known_is_taken() -> None:
    async with stage(**{SEND: told("REJECTED", extraInfo="257: txn-already-known")}) as played, arc(played) as chain:
        await chain.broadcast(SENT.raw)


@pytest.mark.parametrize("code", [400, 422, 461, 463, 464, 465, 471, 472, 473])
@pytest.mark.parametrize("status", [None, 200])
async def test_an_error_for_what_a_transaction_is_refuses_it(code: int, status: int | None) -> None:
    async with stage(**{SEND: fails(code, status, extraInfo="arc error")}) as played, arc(played) as chain:
        with pytest.raises(Refused) as raised:
            await chain.broadcast(SENT.raw)
        assert (raised.value.reason, raised.value.spent) == ("Title: Detail: arc error", ())


@pytest.mark.parametrize("code", [460, 462, 466])
async def test_an_error_for_its_inputs_refuses_it_where_another_one_spent_them(code: int) -> None:
    async with stage(**{SEND: fails(code), SPENT: SPENDER}) as played, arc(played) as chain:
        with pytest.raises(Refused) as raised:
            await chain.broadcast(SENT.raw)
        assert raised.value.spent == (OUTPOINT,)
        del played.answers[SPENT]
        with pytest.raises(ChainUnavailable, match="doesn't know yet"):
            await chain.broadcast(SENT.raw)


@pytest.mark.parametrize("code", [401, 403, 404, 409, 429, 467, 468, 469, 470, 500, 502, 503])
async def test_an_error_that_says_nothing_of_it_refuses_nothing(code: int) -> None:
    async with stage(**{SEND: fails(code)}) as played, arc(played) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.broadcast(SENT.raw)


@pytest.mark.parametrize(
    "answer",
    [
        says("<html>bad request", 400),
        says({"error": "from something before ARC"}, 400),
        fails(461, 400),
        says("null"),
        says({"txStatus": "STORED"}),
        told("STORED", txid="cc" * 32),
        told("DELIVERED"),
        told("stored"),
    ],
)
async def test_an_answer_that_is_not_arcs_is_none(answer: Played) -> None:
    async with stage(**{SEND: answer}) as played, arc(played) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.broadcast(SENT.raw)


async def test_what_it_spends_is_written_into_a_transaction_that_arc_can_not_complete() -> None:
    answers = {
        SEND: in_turn(fails(460), told("SEEN_ON_NETWORK")),
        f"GET /tx/{PARENT.txid}/hex": says(PARENT.raw.hex()),
    }
    async with stage(**answers) as played, arc(played) as chain:
        await chain.broadcast(SENT.raw)
        assert played.asked[-1] == (SEND, {"rawTx": extended(SENT, [PARENT.outputs[1]]).hex()})


async def test_arc_is_told_where_to_say_that_a_transaction_went_on() -> None:
    callback = Callback("https://registry.example/v1/chain/arc", "t0ken")
    async with stage(**{SEND: told("RECEIVED")}) as played, arc(played, callback) as chain:
        await chain.broadcast(SENT.raw)
        headers = played.headers[0]
        assert (headers["X-CallbackUrl"], headers["X-CallbackToken"]) == callback


def mined(**other: object) -> Played:
    return told("MINED", **{"blockHash": BLOCK.hash, "blockHeight": HEIGHT, "merklePath": BUMP.hex(), **other})


async def test_a_mined_transaction_is_proven_by_arc_and_the_explorers_header() -> None:
    async with stage(**{LOOK: mined(), **CHAIN}) as played, arc(played) as chain:
        assert await chain.transaction(SENT.txid) == Seen(None, INCLUSION)
        assert await chain.tip() == await chain.block(HEIGHT) == BLOCK


@pytest.mark.parametrize(
    "other",
    [
        {"merklePath": BUMP.hex()[:-2]},
        {"merklePath": BUMP.hex()[:-2] + ("00" if BUMP[-1] else "01")},
        {"merklePath": "0000"},
        {"merklePath": "zz"},
        {"blockHash": "ff" * 32},
        {"blockHeight": HEIGHT + 1},
        {"blockHeight": "812345"},
        {"txid": "cc" * 32},
    ],
)
async def test_a_path_that_does_not_lead_to_the_root_of_the_block_proves_nothing(other: dict[str, object]) -> None:
    async with stage(**{LOOK: mined(**other), **CHAIN}) as played, arc(played) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.transaction(SENT.txid)


@pytest.mark.parametrize("status", sorted(TAKEN - {"MINED"}))
async def test_what_arc_has_and_no_block_has_waits(status: str) -> None:
    async with stage(**{LOOK: told(status)}) as played, arc(played) as chain:
        assert await chain.transaction(SENT.txid) == Seen(None, None)


@pytest.mark.parametrize("answer", [says("", 404), mined(merklePath=""), *map(told, sorted(STATUSES - TAKEN))])
async def test_what_arc_does_not_settle_is_as_the_explorer_has_it(answer: Played) -> None:
    waits = says({"txid": SENT.txid})
    answers = {LOOK: answer, f"GET /tx/hash/{SENT.txid}": in_turn(waits, says("", 404))}
    async with stage(**answers) as played, arc(played) as chain:
        assert await chain.transaction(SENT.txid) == Seen(None, None)
        assert await chain.transaction(SENT.txid) is None


@pytest.mark.parametrize("answer", [says("", 401), fails(409), says("", 500), told("GONE")])
async def test_a_status_that_arc_does_not_tell_is_not_known(answer: Played) -> None:
    async with stage(**{LOOK: answer}) as played, arc(played) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.transaction(SENT.txid)
