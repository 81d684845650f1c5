"""What is queued: an intent in time, of a registered key, with a nonce and a record that are new, at the key's pace."""

from dataclasses import replace

from domain.publishing.job import BURST_MS, LARGEST_SKEW_MS, HoldJobs, Job, JobsWaiting, job
from domain.publishing.publisher import PublisherRemoved
from tests.domain.publishing.press import (
    APART_MS,
    HERE,
    KEY,
    OPERATOR,
    OTHER,
    PER_MINUTE,
    POOL,
    intent,
    job_id,
    press,
    queued,
    reserved,
)
from tests.domain.scenario import NOON


def test_an_intent_is_queued_once() -> None:
    scene = press()
    scene.when(intent()).then(queued())
    assert job(scene.state, job_id(1)) == Job(KEY, "REC_1", waiting=False, batch_id=None)
    again = replace(intent(), job_id="job_x")
    scene.when(again).then_refused("nonce_used", {"jobId": job_id(1)})
    scene.when(replace(again, nonce="another")).then_refused("record_exists", {"jobId": job_id(1)})
    scene.when(replace(again, record_id="REC_2")).then_refused("nonce_used", {"jobId": job_id(1)})


def test_a_timestamp_is_within_ten_minutes_of_the_logs_time_on_either_side() -> None:
    for off in (-LARGEST_SKEW_MS, LARGEST_SKEW_MS):
        press().when(intent(at=NOON + off)).then(queued())
        further = NOON + off + (1 if off > 0 else -1)
        press().when(intent(at=further)).then_refused("timestamp_out_of_range", {"now": str(NOON)})


def test_only_a_registered_key_publishes_and_each_has_its_own_nonces_and_records() -> None:
    scene = press()
    scene.when(intent(pubkey=OTHER)).then_refused("key_not_registered", {"pubkey": OTHER})
    scene.when(intent()).then(queued())
    scene.given(PublisherRemoved(POOL, KEY, OPERATOR, HERE))
    scene.when(intent(2)).then_refused("key_not_registered")


def test_of_two_faults_the_earlier_is_told() -> None:
    scene = press(1)
    late = intent(1, OTHER, NOON + LARGEST_SKEW_MS + 1)
    scene.when(late).then_refused("timestamp_out_of_range")
    scene.when(replace(late, signed_at=NOON)).then_refused("key_not_registered")
    scene.when(replace(late, signed_at=NOON, pubkey=KEY)).then_refused("nonce_used")


def test_a_key_queues_its_minutes_worth_at_once_and_then_at_its_pace() -> None:
    scene = press()
    for number in range(1, PER_MINUTE + 1):
        scene.when(intent(number)).then(queued(number, NOON + number * APART_MS))
    scene.when(intent(99)).then_refused("rate_limited", {"retry_after_ms": str(APART_MS)})
    assert job(scene.state, job_id(99)) is None
    scene.at(NOON + APART_MS - 1).when(intent(99)).then_refused("rate_limited", {"retry_after_ms": "1"})
    scene.at(NOON + APART_MS).when(intent(99)).then(queued(99, NOON + BURST_MS + APART_MS))


def test_a_refused_intent_uses_up_neither_nonce_nor_record() -> None:
    scene = press()
    scene.when(intent(at=NOON - LARGEST_SKEW_MS - 1)).then_refused("timestamp_out_of_range")
    scene.when(intent()).then(queued())


def test_jobs_wait_while_the_pool_has_nothing_and_what_is_under_way_does_not() -> None:
    scene = press(1, 2).given(reserved(1))
    hold = HoldJobs(POOL, (job_id(1), job_id(2), "job_nobody"))
    scene.when(hold).then(JobsWaiting(POOL, (job_id(2),)))
    scene.when(hold).then_refused("nothing_to_do")
    scene.given(reserved(2, batch="bat_2", outpoints=()))
    assert job(scene.state, job_id(2)) == Job(KEY, "REC_2", waiting=False, batch_id="bat_2")
