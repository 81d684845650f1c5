"""A batch: reserved by one, signed once, never back; what it took it gives back, less the fee."""

from dataclasses import replace

import pytest

from domain.publishing.anchoring import (
    LONGEST_CHAIN,
    MOST_JOBS,
    FailBatch,
    NoteConfirmed,
    NoteReorged,
    NoteSeen,
    NoteSent,
    ReleaseBatch,
    ReserveBatch,
)
from domain.publishing.batch import (
    Batch,
    BatchConfirmed,
    BatchFailed,
    BatchReleased,
    BatchReorged,
    BatchReserved,
    BatchSeen,
    BatchSent,
    BatchSigned,
    ChangeOutput,
    batch,
    unconfirmed,
)
from domain.publishing.job import Job, job
from domain.publishing.output import FundPool, Output, Pool, PoolFunded, output, pool
from tests.domain.publishing.press import (
    COIN,
    FEE,
    KEEP_MS,
    KEY,
    NEXT,
    POOL,
    SATOSHIS,
    SIGN,
    SIGNED,
    TXID,
    change,
    intent,
    job_id,
    press,
    queued,
    reserve,
    reserved,
)
from tests.domain.scenario import NOON, Scenario

SENT, SEEN = BatchSent(POOL, "bat_1"), BatchSeen(POOL, "bat_1")
BLOCK = (7, "ab" * 32, b"h" * 80, b"bump")
CONFIRMED = BatchConfirmed(POOL, "bat_1", *BLOCK)
REORGED = BatchReorged(POOL, "bat_1", BLOCK[1])
FAIL = FailBatch(POOL, "bat_1", "the fee is too low", ())
CHANGE = f"{TXID}:1"


def signed(*numbers: int) -> Scenario:
    """Begin with a batch that is signed."""
    return press(*numbers).given(reserved(*numbers), SIGNED)


def test_a_batch_goes_its_way_and_each_step_is_known_by_the_log() -> None:
    scene = press(1, 2)
    scene.when(reserve(1, 2)).then(reserved(1, 2))
    assert job(scene.state, job_id(1)) == Job(KEY, "REC_1", waiting=False, batch_id="bat_1")
    assert output(scene.state, COIN) == Output(SATOSHIS, "reserved", None, "bat_1")
    scene.when(SIGN).then(SIGNED)
    assert output(scene.state, COIN) == Output(SATOSHIS, "spent", None, "bat_1")
    assert output(scene.state, CHANGE) == Output(SATOSHIS - FEE, "pending", "bat_1", None)
    scene.when(NoteSent(POOL, "bat_1")).then(SENT)
    assert output(scene.state, CHANGE) == Output(SATOSHIS - FEE, "available", "bat_1", None)
    scene.when(NoteSeen(POOL, "bat_1")).then(SEEN)
    scene.when(NoteConfirmed(POOL, "bat_1", *BLOCK)).then(CONFIRMED)
    assert pool(scene.state) == Pool(SATOSHIS, SATOSHIS - FEE, FEE, available=1)
    known = batch(scene.state, "bat_1")
    assert known is not None
    assert (known.status, known.txid, known.block_hash) == ("confirmed", TXID, BLOCK[1])


def test_two_batches_never_hold_the_same_output_or_job() -> None:
    scene = press(1, 2).given(reserved(1))
    scene.when(reserve(2, batch="bat_2")).then_refused("output_not_available", {"outpoint": COIN})
    scene.when(reserve(1, batch="bat_2")).then_refused("job_not_queued", {"job_id": job_id(1)})
    scene.when(reserve(2)).then_refused("batch_known")
    scene.when(reserve(2, batch="bat_2", outpoints=("gone:0",))).then_refused("output_not_available")
    scene.when(reserve(9, batch="bat_2")).then_refused("job_not_queued")


@pytest.mark.parametrize(
    "wrong",
    [
        reserve(),
        reserve(1, 1),
        reserve(1, outpoints=()),
        reserve(1, outpoints=(COIN, COIN)),
        replace(reserve(1), pieces=2, piece_satoshis=5),
        replace(reserve(), pieces=2),
        replace(reserve(1), keep_ms=0),
        reserve(*range(MOST_JOBS + 1)),
    ],
)
def test_a_batch_is_of_some_jobs_or_splits_and_holds_outputs_for_a_while(wrong: ReserveBatch) -> None:
    press(1).when(wrong).then_refused("out_of_bounds")


def test_outputs_are_split_by_a_batch_without_jobs() -> None:
    split = replace(reserve(), pieces=2, piece_satoshis=4_900)
    event = replace(reserved(), pieces=2, piece_satoshis=4_900)
    press().when(split).then(event)


def test_a_reservation_that_nobody_signs_returns_after_its_time_and_not_before() -> None:
    scene = press(1).given(reserved(1))
    release = ReleaseBatch(POOL, "bat_1", None)
    scene.at(NOON + KEEP_MS - 1).when(release).then_refused("not_expired", {"expires_at": str(NOON + KEEP_MS)})
    scene.at(NOON + KEEP_MS).when(release).then(BatchReleased(POOL, "bat_1", "nobody signed it in time"))
    assert output(scene.state, COIN) == Output(SATOSHIS, "available", None, None)
    scene.when(SIGN).then_refused("not_in_this_state", {"batch_status": "released"})
    scene.when(reserve(1, batch="bat_2")).then(
        BatchReserved(POOL, "bat_2", (job_id(1),), (COIN,), 0, 0, NOON + 2 * KEEP_MS)
    )


def test_a_reservation_that_can_not_be_signed_is_given_up_at_once() -> None:
    scene = press(1).given(reserved(1))
    scene.when(ReleaseBatch(POOL, "bat_1", "the fee eats the output")).then(
        BatchReleased(POOL, "bat_1", "the fee eats the output")
    )


def test_what_is_signed_never_returns_by_time_and_is_signed_once() -> None:
    scene = signed(1).at(NOON + 10 * KEEP_MS)
    scene.when(ReleaseBatch(POOL, "bat_1", None)).then_refused("not_in_this_state", {"batch_status": "signed"})
    scene.when(replace(SIGN, raw=b"other")).then_refused("not_in_this_state")


@pytest.mark.parametrize(
    "wrong",
    [
        replace(SIGN, fee=FEE - 1),
        replace(SIGN, fee=-1, change=change(SATOSHIS + 1)),
        replace(SIGN, fee=SATOSHIS, change=change(0)),
        replace(SIGN, change=(*change(5_000), *change(4_900))),
        replace(SIGN, change=()),
    ],
)
def test_a_transaction_gives_back_what_it_takes_less_its_fee(wrong: object) -> None:
    press(1).given(reserved(1)).when(wrong).then_refused("out_of_balance")


def test_a_transaction_makes_no_output_that_is_there_already() -> None:
    scene = press(1).given(reserved(1))
    scene.when(replace(SIGN, txid="00" * 32, change=(ChangeOutput(0, SATOSHIS - FEE, "76a9"),))).then_refused(
        "output_known", {"outpoint": COIN}
    )


def test_a_fee_may_take_all() -> None:
    scene = press(1).given(reserved(1)).when(replace(SIGN, fee=SATOSHIS, change=()))
    assert pool(scene.state) == Pool(SATOSHIS, 0, SATOSHIS, 0)


def test_what_the_chain_never_takes_fails_and_its_outputs_are_free_again() -> None:
    scene = signed(1)
    scene.when(FAIL).then(BatchFailed(POOL, "bat_1", "the fee is too low", ()))
    assert output(scene.state, COIN) == Output(SATOSHIS, "available", None, None)
    assert pool(scene.state) == Pool(SATOSHIS, SATOSHIS, 0, available=1)
    scene.when(reserve(1, batch="bat_2")).then_refused("job_not_queued")
    # The record may be sent again, by another intent.
    scene.when(intent(1)).then_refused("nonce_used")
    again = replace(intent(1), nonce="another", job_id="job_x")
    scene.when(again).then(replace(queued(), nonce="another", job_id="job_x", paced_until=NOON + 2_000))


def test_an_output_that_somebody_else_spent_is_lost_to_the_pool() -> None:
    scene = signed(1)
    scene.when(replace(FAIL, lost=("elsewhere:0",))).then_refused("out_of_balance")
    scene.when(replace(FAIL, lost=(COIN,))).then(BatchFailed(POOL, "bat_1", "the fee is too low", (COIN,)))
    assert pool(scene.state) == Pool(0, 0, 0, 0)
    scene.when(reserve(1, batch="bat_2")).then_refused("job_not_queued")


@pytest.mark.parametrize("event", [SENT, SEEN, CONFIRMED])
def test_what_the_chain_took_once_never_fails(event: object) -> None:
    signed(1).given(event).when(FAIL).then_refused("not_in_this_state")


def test_a_block_that_goes_sends_its_batches_back_on_the_way() -> None:
    scene = signed(1).given(SENT, CONFIRMED)
    scene.when(NoteReorged(POOL, "bat_1", "cd" * 32)).then_refused("not_in_this_state", {"block_hash": BLOCK[1]})
    scene.when(NoteReorged(POOL, "bat_1", BLOCK[1])).then(REORGED)
    scene.when(NoteReorged(POOL, "bat_1", BLOCK[1])).then_refused("not_in_this_state")
    scene.when(NoteSent(POOL, "bat_1")).then(SENT)
    other = (8, "ef" * 32, b"i" * 80, b"path")
    scene.when(NoteConfirmed(POOL, "bat_1", *other)).then(BatchConfirmed(POOL, "bat_1", *other))


def test_late_words_of_the_chain_take_nothing_back() -> None:
    scene = signed(1).given(SEEN)
    scene.when(NoteSent(POOL, "bat_1")).then_refused("not_in_this_state", {"batch_status": "seen"})
    scene.given(CONFIRMED)
    for late in (NoteSent(POOL, "bat_1"), NoteSeen(POOL, "bat_1"), NoteConfirmed(POOL, "bat_1", *BLOCK)):
        scene.when(late).then_refused("not_in_this_state", {"batch_status": "confirmed"})
    scene.when(NoteSent(POOL, "bat_9")).then_refused("not_found", {"batch_id": "bat_9"})


def test_transactions_in_no_block_stand_on_one_another_up_to_a_bound() -> None:
    scene = press(*range(1, LONGEST_CHAIN + 2))
    outpoint, left = COIN, SATOSHIS
    for number in range(1, LONGEST_CHAIN + 1):
        name, txid = f"bat_{number}", f"{number:064x}"
        scene.when(reserve(number, batch=name, outpoints=(outpoint,))).then(
            reserved(number, batch=name, outpoints=(outpoint,))
        )
        left -= FEE
        scene.given(BatchSigned(POOL, name, txid, b"raw", FEE, change(left)), BatchSent(POOL, name))
        outpoint = f"{txid}:1"
        assert unconfirmed(scene.state, outpoint) == number
    last = reserve(LONGEST_CHAIN + 1, batch="bat_x", outpoints=(outpoint,))
    scene.when(last).then_refused("chain_too_long", {"outpoint": outpoint})
    scene.given(replace(CONFIRMED, batch_id="bat_1"))
    assert unconfirmed(scene.state, outpoint) == LONGEST_CHAIN - 1
    scene.when(last).then(reserved(LONGEST_CHAIN + 1, batch="bat_x", outpoints=(outpoint,)))
    assert batch(scene.state, "bat_x") == Batch("reserved", (job_id(LONGEST_CHAIN + 1),), (outpoint,), NOON + KEEP_MS)


def test_an_output_is_funded_once() -> None:
    scene = press()
    fund = FundPool(POOL, COIN, 5, "76a9", "facts/1/12")
    scene.when(fund).then_refused("output_known", {"outpoint": COIN})
    for satoshis in (0, -1, 21_000_000 * 100_000_000):
        scene.when(replace(fund, outpoint=f"{NEXT}:0", satoshis=satoshis)).then_refused("out_of_bounds")
    scene.when(replace(fund, outpoint=f"{NEXT}:0")).then(
        PoolFunded(POOL, f"{NEXT}:0", 5, "76a9", scene.actor, "facts/1/12")
    )
    assert pool(scene.state) == Pool(SATOSHIS + 5, SATOSHIS + 5, 0, available=2)
