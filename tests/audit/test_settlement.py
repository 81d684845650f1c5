"""Both sides of transfers across registries, compared: what is pending, what is said of it, what disagrees."""

from dataclasses import replace
from itertools import count

from domain.ledger.account import FreezeAccount
from domain.ledger.stake import StakeWithdrawn
from domain.ledger.transit import (
    AcceptTransfer,
    CommitTransfer,
    RejectTransfer,
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)
from processors.audit_source import LogSource
from processors.ledger_audits import LedgerAudits
from processors.task import DIFFERS, DONE, Run
from tests.audit.economy import AWAY, EVENTS, HOME, Economy, every_kind_of_movement, first


async def under_way() -> tuple[Economy, TransferPrepared]:
    """Make a ledger in which one transfer was prepared, and nothing more of it happened."""
    economy = await every_kind_of_movement()
    prepared = economy.find(TransferPrepared, -1)[2].events[0].payload
    assert (prepared.amount, prepared.receiver_frame) == (9_000, AWAY)
    return economy, prepared


async def settled(economy: Economy) -> Run:
    """Compare all that lies on the log."""
    return await LedgerAudits(LogSource(economy.log), lambda: economy.now).settlement()


def answer(economy: Economy, prepared: TransferPrepared, kind: type) -> None:
    """Let the receiving side answer."""
    sides = (prepared.sender, prepared.receiver, prepared.amount, economy.place(HOME))
    first(economy.by_reactor(kind(prepared.transfer_id, AWAY, HOME, *sides)))


async def test_a_transfer_is_pending_from_its_preparation_to_its_end_whatever_is_answered() -> None:
    economy, prepared = await under_way()
    at = economy.find(TransferPrepared, -1)[2].at
    said = {"pending": 1, "silent": 1, "accepted": 0, "rejected": 0, "amount": "9000"}
    said |= {"oldest_s": (economy.now - at) / 1000}
    assert await settled(economy) == Run(DONE, said)
    answer(economy, prepared, AcceptTransfer)
    economy.now += 5_000
    said |= {"silent": 0, "accepted": 1, "oldest_s": (economy.now - at) / 1000}
    assert await settled(economy) == Run(DONE, said)
    first(economy.by_reactor(CommitTransfer(prepared.transfer_id, HOME, economy.place(AWAY))))
    said |= {"pending": 0, "accepted": 0, "amount": "0", "oldest_s": 0.0}
    assert await settled(economy) == Run(DONE, said)


async def test_a_transfer_that_was_rejected_is_pending_until_it_is_given_back() -> None:
    economy, prepared = await under_way()
    answer(economy, prepared, RejectTransfer)
    found = await settled(economy)
    assert (found.outcome, found.said["pending"], found.said["rejected"]) == (DONE, 1, 1)


async def test_whichever_partition_was_read_further_the_sides_of_an_honest_ledger_agree() -> None:
    whole = await every_kind_of_movement()
    held = {p: list(whole.log.messages(EVENTS, p)) for p in range(whole.partitions)}
    home, away = (int(whole.place(frame).split("/")[1]) for frame in (HOME, AWAY))
    for ahead, behind in ((home, away), (away, home)):
        economy = await Economy().begin()
        audits = LedgerAudits(LogSource(economy.log), lambda: 0)
        for length in range(len(held[behind]) + 1):
            economy.log.messages(EVENTS, ahead)[:] = held[ahead]
            economy.log.messages(EVENTS, behind)[:] = held[behind][:length]
            assert (await audits.settlement()).outcome == DONE, (ahead, length)
        assert (await audits.settlement()).said["pending"] == 1
        assert (await audits.supply()).outcome == DONE


def unsaid(economy: Economy, kind: type, index: int = 0) -> None:
    """Let a decision be one that nothing came of."""
    partition, offset, decision = economy.find(kind, index)
    economy.rewrite(partition, {offset: replace(decision, events=())})


def across_frames(economy: Economy, kind: type) -> int:
    """Find which event of a kind is of the first transfer to another frame."""
    sent = (economy.find(TransferPrepared, index)[2].events[-1].payload for index in count())
    name = next(each.transfer_id for each in sent if each.receiver_frame == AWAY)
    return next(i for i in count() if economy.find(kind, i)[2].events[0].payload.transfer_id == name)


async def test_a_transfer_that_was_committed_and_not_accepted_is_named() -> None:
    economy = await every_kind_of_movement()
    index = across_frames(economy, TransferAccepted)
    committed = economy.find(TransferCommitted, across_frames(economy, TransferCommitted))[2].events[0].payload
    unsaid(economy, TransferAccepted, index)
    audits = LedgerAudits(LogSource(economy.log), lambda: economy.now)
    found = await audits.settlement()
    assert found.outcome == DIFFERS
    assert found.said["difference"]["detail"] == f"{committed.transfer_id} is committed and was accepted nowhere"
    assert found.said["difference"]["place"].startswith("ledger/")
    assert (await audits.supply()).outcome == DONE, "it is in flight still, so nothing was lost"
    assert (await audits.invariants()).outcome == DONE


async def test_a_transfer_that_was_given_back_and_not_rejected_is_named() -> None:
    economy = await every_kind_of_movement()
    partition, offset, decision = economy.find(TransferAborted)
    unsaid(economy, TransferRejected)
    audits = LedgerAudits(LogSource(economy.log), lambda: economy.now)
    found = await audits.settlement()
    assert found.outcome == DIFFERS
    assert found.said["difference"] == {
        "place": f"ledger/{partition}/{offset}",
        "rule": "transit",
        "detail": f"{decision.events[0].payload.transfer_id} is aborted and was rejected nowhere",
    }
    assert (await audits.supply()).outcome == DONE


async def test_a_receiving_side_that_rejects_what_it_accepted_is_named() -> None:
    economy, prepared = await under_way()
    answer(economy, prepared, AcceptTransfer)
    partition, offset, accepted = economy.find(TransferAccepted, -1)
    event = accepted.events[0].payload
    sides = (event.sender_frame, event.sender, event.receiver, event.amount)
    rejected = TransferRejected(event.transfer_id, AWAY, *sides, "timeout", event.prepared_at)
    economy.by_admin(FreezeAccount(AWAY, event.receiver, economy.authority))
    last = len(economy.decisions(partition)) - 1
    instead, like = economy.decisions(partition)[last], economy.find(TransferRejected)[2].events[0]
    economy.rewrite(partition, {last: replace(instead, events=(replace(like, payload=rejected),))})
    found = await settled(economy)
    assert found.outcome == DIFFERS
    assert found.said["difference"]["place"] == f"ledger/{partition}/{last}"
    assert offset < last


async def test_a_frame_that_is_not_followed_any_more_is_not_settled() -> None:
    economy = await every_kind_of_movement()
    place = economy.change(StakeWithdrawn, lambda event: replace(event, stake_id="stk_other"))
    audits = LedgerAudits(LogSource(economy.log), lambda: economy.now)
    for run in (audits.supply, audits.settlement, audits.invariants):
        found = await run()
        assert (found.outcome, found.said["difference"]["place"]) == (DIFFERS, place)
