"""A job's way: queued, reserved, signed, sent, seen, confirmed; whatever dies on it, another goes on from the log."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from domain.publishing.batch import (
    BatchConfirmed,
    BatchFailed,
    BatchReleased,
    BatchReorged,
    BatchReserved,
    BatchSeen,
    BatchSent,
    BatchSigned,
)
from domain.publishing.job import JobQueued, JobsWaiting
from log.bitcoin import anchored, read_header, read_transaction
from log.merkle_path import height_and_root
from processors.batcher import BATCH_WAIT_MS, KEEP_MS, LEAST_AVAILABLE, SPLIT_TO
from processors.broadcaster import RETRIES
from processors.chain import ChainUnavailable
from tests.publishing.press import PIECE, Mind, Press

COIN = 100_000_000
STEPS = (BatchReserved, BatchSigned, BatchSent, BatchSeen, BatchConfirmed)


@pytest.fixture
async def press(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Press:
    return await Press(tmp_path).begin(monkeypatch, satoshis=COIN)


async def with_pieces(press: Press) -> Mind:
    """Let the pool be split, and the split be in a block."""
    mind = await Mind(press).go()
    await press.devnet.mine()
    return await mind.go()


async def test_jobs_that_waited_five_seconds_go_in_one_transaction_an_output_each(press: Press) -> None:
    mind = await with_pieces(press)
    jobs = press.queue(1, 2, 3)
    await mind.go()
    assert [press.status(each) for each in jobs] == ["queued"] * 3
    press.now += BATCH_WAIT_MS
    await mind.go()
    assert [press.status(each) for each in jobs] == ["seen"] * 3
    await press.devnet.mine()
    await mind.go()
    assert [press.status(each) for each in jobs] == ["confirmed"] * 3
    assert await press.anchored(jobs) == dict.fromkeys(map(press.hash_of, jobs), 1)
    of_jobs = [each for each in press.happened(BatchReserved) if each.job_ids]
    assert [each.job_ids for each in of_jobs] == [tuple(jobs)]


async def test_what_is_anchored_is_what_was_queued_and_the_path_leads_to_the_header(press: Press) -> None:
    mind = await with_pieces(press)
    (job,) = press.queue(2, priority="now")
    await mind.go()
    await press.devnet.mine()
    await mind.go()
    (queued,) = press.happened(JobQueued)
    name = press.job(job).batch_id
    (signed,) = [each for each in press.happened(BatchSigned) if each.batch_id == name]
    (confirmed,) = [each for each in press.happened(BatchConfirmed) if each.batch_id == name]
    outputs = read_transaction(signed.raw).outputs
    said = (
        f'{{"p":"sl-drm","v":1,"rid":"REC_2","hash":"{queued.hash}","uri":"https://example.org/2",'
        f'"ts":"{queued.timestamp}"}}'
    )
    assert anchored(outputs[0].script) == said.encode()
    assert outputs[0].satoshis == 0
    assert height_and_root(confirmed.bump, signed.txid) == (
        confirmed.height,
        read_header(confirmed.header).merkle_root,
    )


async def test_five_hundred_jobs_do_not_wait(press: Press) -> None:
    mind = await with_pieces(press)
    jobs = press.queue(*range(500))
    await mind.go()
    assert {press.status(each) for each in jobs} == {"seen"}
    assert len({press.job(each).batch_id for each in jobs}) == 1
    await press.devnet.mine()
    await mind.go()
    assert set((await press.anchored(jobs)).values()) == {1}


async def test_a_job_that_is_asked_for_now_goes_alone_and_at_once(press: Press) -> None:
    mind = await with_pieces(press)
    first, second = press.queue(1, 2, priority="now")
    (later,) = press.queue(3)
    await mind.go()
    assert [press.status(each) for each in (first, second, later)] == ["seen", "seen", "queued"]
    assert press.job(first).batch_id != press.job(second).batch_id


async def test_a_pool_with_few_outputs_is_split_from_its_largest(press: Press) -> None:
    await with_pieces(press)
    assert press.pool.available >= LEAST_AVAILABLE
    assert press.pool.available <= SPLIT_TO
    assert press.pool.holds
    (split,) = press.happened(BatchReserved)
    assert (split.job_ids, split.piece_satoshis) == ((), PIECE)


async def test_an_empty_pool_lets_jobs_wait_and_they_go_once_it_is_funded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    press = await Press(tmp_path).begin(monkeypatch)
    mind, jobs = Mind(press), press.queue(1, 2, priority="now")
    await mind.go(2)
    assert [press.status(each) for each in jobs] == ["waiting_for_utxo"] * 2
    assert len(press.happened(JobsWaiting)) == 1
    await press.fund(COIN)
    await mind.go(3)
    assert [press.status(each) for each in jobs] == ["seen"] * 2


async def test_small_outputs_pay_together_and_a_fee_that_eats_them_leaves_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    press = await Press(tmp_path).begin(monkeypatch)
    for satoshis in (60, 60, 60, 60):
        await press.fund(satoshis)
    mind, jobs = Mind(press), press.queue(1, priority="now")
    await mind.go(2)
    assert press.status(jobs[0]) == "seen"
    (signed,) = press.happened(BatchSigned)
    assert signed.change == ()
    assert press.pool.holds


@pytest.mark.parametrize("died_after", [*STEPS, None])
async def test_another_goes_on_at_once_where_one_died_and_sends_the_same_bytes(
    press: Press, died_after: type | None
) -> None:
    await with_pieces(press)
    (job,) = press.queue(1, priority="now")

    def reached() -> bool:
        name = press.job(job).batch_id
        return any(each.batch_id == name for each in press.happened(died_after or BatchReserved) if name)

    first = Mind(press)
    for part in ("batcher", "batcher", "broadcaster", "observer") if died_after else ():
        if not reached():
            await first.ask(part)
            press.settle()
    if died_after is BatchConfirmed:
        await press.devnet.mine()
        await first.go()
    # The first is gone with all that it held in memory.
    second = await Mind(press).go()
    await press.devnet.mine()
    await second.go()
    assert press.status(job) == "confirmed"
    assert await press.anchored([job]) == {press.hash_of(job): 1}
    name = press.job(job).batch_id
    for kind in STEPS[:2]:
        assert len([each for each in press.happened(kind) if each.batch_id == name]) == 1
    assert not press.happened(BatchReleased, BatchFailed)


async def test_two_who_both_lead_anchor_each_job_once(press: Press) -> None:
    await with_pieces(press)
    jobs = press.queue(*range(20), priority="now")
    one, other = await Mind(press).catch_up(), await Mind(press).catch_up()
    for part in ("batcher", "batcher", "broadcaster", "observer"):
        await one.ask(part)
        await other.ask(part)
        press.settle()
    await press.devnet.mine()
    await one.go()
    await other.go()
    assert {press.status(each) for each in jobs} == {"confirmed"}
    assert set((await press.anchored(jobs)).values()) == {1}
    assert press.pool.holds


async def test_what_another_signs_meanwhile_stops_nobody(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    await with_pieces(press)
    jobs = press.queue(1, 2, priority="now")
    one, other = await Mind(press).catch_up(), await Mind(press).catch_up()
    await one.ask("batcher")
    press.settle()
    plain = asyncio.to_thread

    async def slow(*asked: Any) -> Any:
        monkeypatch.setattr(asyncio, "to_thread", plain)
        await other.ask("batcher")
        press.settle()
        await one.catch_up()
        return await plain(*asked)

    monkeypatch.setattr(asyncio, "to_thread", slow)
    await one.ask("batcher")
    press.settle()
    assert {press.status(each) for each in jobs} == {"signed"}
    assert len(press.happened(BatchSigned)) == 3


async def test_a_refusal_to_the_last_fails_nothing_that_the_chain_has_after_all(press: Press) -> None:
    mind = await with_pieces(press)
    press.chain.lost, press.chain.refused = 1, 0
    (job,) = press.queue(1, priority="now")
    for part in ("batcher", "batcher", "broadcaster"):
        await mind.ask(part)
        press.settle()
    press.chain.refused = RETRIES
    for _ in range(RETRIES):
        press.now += 31_000
        await mind.ask("broadcaster")
        press.settle()
    assert press.status(job) == "sent"
    assert not press.happened(BatchFailed)


async def test_a_reservation_that_nobody_resumes_returns_after_its_time(press: Press) -> None:
    mind = await with_pieces(press)
    free = press.pool.available
    (job,) = press.queue(1, priority="now")
    await mind.ask("batcher")
    press.settle()
    assert press.status(job) == "reserved"
    assert press.pool.available == free - 1
    press.now += KEEP_MS
    await mind.ask("batcher")
    press.settle()
    assert press.status(job) == "queued"
    assert press.pool.available == free
    await mind.go(2)
    assert press.status(job) == "seen"


async def test_a_broadcast_whose_answer_was_lost_is_sent_again_and_changes_nothing(press: Press) -> None:
    mind = await with_pieces(press)
    press.chain.lost = 1
    (job,) = press.queue(1, priority="now")
    await mind.ask("batcher")
    press.settle()
    await mind.ask("batcher")
    press.settle()
    await mind.ask("broadcaster")
    press.settle()
    assert press.status(job) == "signed"
    press.now += 1_000
    await mind.ask("broadcaster")
    press.settle()
    assert press.status(job) == "sent"
    await press.devnet.mine()
    await mind.go()
    assert await press.anchored([job]) == {press.hash_of(job): 1}


async def test_what_the_chain_refuses_is_tried_again_and_fails_in_the_end_with_its_outputs_free(press: Press) -> None:
    mind = await with_pieces(press)
    before = press.pool
    press.chain.refused = RETRIES
    (job,) = press.queue(1, priority="now")
    for _ in range(RETRIES + 2):
        await mind.ask("batcher")
        press.settle()
        await mind.ask("broadcaster")
        press.settle()
        press.now += 10_000
    assert press.status(job) == "failed"
    (failed,) = press.happened(BatchFailed)
    assert (failed.reason, failed.lost) == ("not today", ())
    assert press.pool == before
    (again,) = press.queue(3, priority="now")
    await mind.go(2)
    assert press.status(again) == "seen"


async def test_a_chain_that_is_away_fails_nothing(press: Press) -> None:
    mind = await with_pieces(press)
    press.chain.away = 50
    (job,) = press.queue(1, priority="now")
    for _ in range(20):
        await mind.go()
        press.now += 31_000
    press.chain.away = 0
    await mind.go()
    press.now += 31_000
    await mind.go()
    assert press.status(job) == "seen"
    assert not press.happened(BatchFailed)


@pytest.mark.parametrize("depth", range(1, 7))
async def test_a_reorganisation_is_told_and_the_job_is_confirmed_in_another_block(press: Press, depth: int) -> None:
    mind = await with_pieces(press)
    (job,) = press.queue(1, priority="now")
    await mind.go()
    for _ in range(depth):
        await press.devnet.mine()
    await mind.go()
    (before,) = [each for each in press.happened(BatchConfirmed) if each.batch_id == press.job(job).batch_id]
    await press.devnet.reorganise(depth)
    await mind.ask("observer")
    press.settle()
    assert press.status(job) in {"reorged", "seen"}
    await mind.go(2)
    await press.devnet.mine()
    await mind.go()
    after = [each for each in press.happened(BatchConfirmed) if each.batch_id == press.job(job).batch_id][-1]
    assert press.status(job) == "confirmed"
    assert after.block_hash != before.block_hash
    assert press.happened(BatchReorged)
    assert await press.anchored([job]) == {press.hash_of(job): 1}
    assert press.pool.holds


async def test_change_is_spent_unconfirmed_up_to_twenty_five_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    press = await Press(tmp_path).begin(monkeypatch, satoshis=PIECE * 2)
    mind = Mind(press)
    jobs = []
    for number in range(27):
        jobs += press.queue(number, priority="now")
        await mind.go(2)
    assert [press.status(each) for each in jobs].count("seen") == 25
    assert [press.status(each) for each in jobs[25:]] == ["waiting_for_utxo"] * 2
    await press.devnet.mine()
    await mind.go(3)
    assert [press.status(each) for each in jobs].count("confirmed") == 25
    await mind.go(3)
    await press.devnet.mine()
    await mind.go(2)
    assert {press.status(each) for each in jobs} == {"confirmed"}
    assert press.pool.holds


async def test_the_observer_says_nothing_of_a_chain_that_is_away(press: Press) -> None:
    mind = await Mind(press).catch_up()
    press.chain.away = 1
    with pytest.raises(ChainUnavailable):
        await mind.observer.ask()
