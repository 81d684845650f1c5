"""What is asked of the ledger: each event's rows as readers see them, pages under writes, and moments that are past."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from domain.ledger.frame import MintTokens
from domain.ledger.registry import fee_of
from log import released, topic
from projections import ledger_account_queries, ledger_agent_queries, ledger_queries, ledger_stake_queries
from projections.fact_queries import Cut
from projections.ledger import LedgerProjection
from projections.ledger_account_queries import StoredAccount, StoredPosting
from projections.postgres import Postgres
from projections.projector import Projector
from projections.reads import Reads, vector
from tests.projections.ledger_world import (
    CARD,
    FRAMES,
    MICRO,
    MOVES,
    OWNERS,
    PARTITIONS,
    Economy,
    ends,
    feed,
    project,
)

pytestmark = pytest.mark.stack
ADA, BOB, CAY = OWNERS
GRANT = 1_000 * MICRO
T = TypeVar("T")


class Asking:
    """Asks the live generation of the ledger."""

    def __init__(self, postgres: Postgres) -> None:
        self._reads = Reads(postgres)

    async def __call__(self, query: Callable[..., Awaitable[T]], *about: Any, **more: Any) -> T:
        found, _ = await self._reads.read("ledger", lambda t, g: query(t, g, *about, **more))
        return found

    async def account(self, economy: Economy, registry: str, owner: str, cut: Cut | None = None) -> StoredAccount:
        found = await self(ledger_account_queries.account, economy.account(registry, owner), cut)
        assert found is not None
        return found

    async def status(self, transfer: str) -> str:
        found = await self(ledger_account_queries.transfer, transfer)
        assert found is not None
        return found.status


async def test_a_transfer_inside_a_registry_is_on_both_statements_and_in_the_treasury(postgres: Postgres) -> None:
    economy, ask = await Economy().start(), Asking(postgres)
    name, _ = await economy.send(("books", ADA), ("books", CAY), 5 * MICRO, "for\ttea\\")
    await project(economy, postgres)
    found = await ask(ledger_account_queries.transfer, name)
    fee = fee_of(5 * MICRO, 50)
    assert found is not None
    assert (found.status, found.amount, found.fee, found.memo) == ("settled", 5 * MICRO, fee, "for\ttea\\")
    assert (found.receiver_frame, found.receiver_registry) == (FRAMES[0], "books")
    ada, cay = economy.account("books", ADA), economy.account("books", CAY)
    (paid, granted) = await ask(ledger_account_queries.statement, ada, limit=9)
    assert (granted.type, granted.amount, granted.available, granted.counterparty) == (
        "DeveloperRegistered", GRANT, GRANT, None,
    )  # fmt: skip
    assert (paid.amount, paid.available, paid.counterparty) == (-5 * MICRO - fee, GRANT - 5 * MICRO - fee, cay)
    assert (paid.transfer_id, paid.payment_id, paid.memo, paid.idx) == (name, None, "for\ttea\\", 0)
    (got, _) = await ask(ledger_account_queries.statement, cay, limit=9)
    assert (got.amount, got.available, got.counterparty, got.idx) == (5 * MICRO, GRANT + 5 * MICRO, ada, 1)
    registry = await ask(ledger_queries.registry, "books")
    assert registry is not None
    (earned,) = await ask(ledger_account_queries.statement, registry.treasury, limit=9)
    assert (earned.amount, earned.available, earned.counterparty, earned.idx) == (fee, fee, ada, 2)


async def test_accept_before_prepare_over_two_partitions_never_takes_a_status_back(postgres: Postgres) -> None:
    economy, ask = await Economy().start(), Asking(postgres)
    await project(economy, postgres)
    name, _ = await economy.send(("books", ADA), ("films", BOB), 5 * MICRO, "across")
    other, _ = await economy.send(("books", ADA), ("films", BOB), 7 * MICRO)
    for move in (("accept", 0), ("reject", 1), ("end", 0), ("end", 1)):
        await economy.phase(*move)
    fee, seen = fee_of(5 * MICRO, 50), []
    for step in ((1, 1), (0, 1), (1, 1), (0, 1), (0, 1), (0, 1)):
        await feed(economy, postgres, [step])
        found = await ask(ledger_account_queries.transfer, name)
        assert found is not None
        seen.append(found.status)
        assert (found.fee, found.receiver_registry, found.amount) == (fee, "films", 5 * MICRO)
        supplies = [await ask(ledger_queries.supply, frame) for frame in FRAMES]
        assert sum(each.transit_net + each.in_flight for each in supplies if each is not None) == 0
        assert all(each.holds for each in supplies if each is not None)
    assert seen == ["accepted", "accepted", "accepted", "accepted", "committed", "committed"]
    assert found.memo == "across"
    aborted = await ask(ledger_account_queries.transfer, other)
    assert aborted is not None
    assert (aborted.status, aborted.reason, aborted.fee) == ("aborted", "timeout", None)
    assert (await ask.account(economy, "books", ADA)).available == GRANT - 5 * MICRO
    (got, _) = await ask(ledger_account_queries.statement, economy.account("films", BOB), limit=9)
    assert (got.memo, got.counterparty, got.amount) == ("across", economy.account("books", ADA), 5 * MICRO - fee)
    east = await ask(ledger_queries.supply, FRAMES[0])
    assert east is not None
    assert (east.transit_net, east.in_flight, east.pos) == (-5 * MICRO, 0, ends(economy.log)[0] - 1)


async def test_what_is_on_its_way_is_in_flight(postgres: Postgres) -> None:
    economy, ask = await Economy().start(), Asking(postgres)
    name, _ = await economy.send(("books", ADA), ("songs", BOB), 5 * MICRO)
    await project(economy, postgres)
    supply = await ask(ledger_queries.supply, FRAMES[0])
    assert supply is not None
    assert (supply.transit_net, supply.in_flight, supply.tokens_circulating) == (
        -5 * MICRO,
        5 * MICRO,
        3 * GRANT - 5 * MICRO,
    )
    assert await ask.status(name) == "prepared"
    await economy.phase("accept", 0)
    await project(economy, postgres)
    assert await ask.status(name) == "accepted"
    supply = await ask(ledger_queries.supply, FRAMES[0])
    assert supply is not None
    assert (supply.transit_net, supply.in_flight, supply.tokens_circulating) == (0, 0, 3 * GRANT)


async def test_payments_are_held_claimed_cancelled_and_expired(postgres: Postgres) -> None:
    economy, ask = await Economy().start(), Asking(postgres)
    names = [await economy.hold(("books", ADA), ("books", CAY), 2 * MICRO) for _ in range(3)]
    fee = fee_of(2 * MICRO, 50)
    await project(economy, postgres)
    ada = await ask.account(economy, "books", ADA)
    assert (ada.available, ada.held) == (GRANT - 3 * (2 * MICRO + fee), 3 * (2 * MICRO + fee))
    await economy.play([("claim", 0, 0), ("cancel", 1, 0), ("expire", 2, 0)])
    await project(economy, postgres)
    found = [await ask(ledger_account_queries.payment, name) for name in names]
    assert [each.status for each in found if each is not None] == ["claimed", "cancelled", "expired"]
    claimed = found[0]
    assert claimed is not None
    assert claimed.transfer_id is not None
    assert await ask.status(claimed.transfer_id) == "settled"
    page = await ask(ledger_account_queries.statement, ada.account_id, limit=5)
    assert [(each.type, each.account_part) for each in page] == [
        ("PaymentExpired", "available"), ("PaymentExpired", "held"), ("PaymentCancelled", "available"),
        ("PaymentCancelled", "held"), ("TransferSettled", "held"),
    ]  # fmt: skip
    assert {each.counterparty for each in page} == {economy.account("books", CAY)}
    assert [each.payment_id for each in page] == [names[2], names[2], names[1], names[1], None]


async def test_stakes_earn_and_proposals_count(postgres: Postgres) -> None:
    economy, ask = await Economy().start(), Asking(postgres)
    name = await economy.stake("books", CAY, 400 * MICRO)
    await economy.send(("books", ADA), ("books", CAY), 100 * MICRO)
    await economy.play([("day", 0, 0), ("day", 0, 0)])
    proposal = await economy.propose("books", CAY, 70)
    await economy.play([("vote", 0, 2), ("vote", 0, 5)])
    await project(economy, postgres)
    (stake,) = await ask(ledger_stake_queries.stakes, CAY.lower(), limit=9)
    assert (stake.stake_id, stake.amount, stake.withdrawn_at) == (name, 400 * MICRO, None)
    assert stake.earned > 0
    rewards = [
        each
        for each in await ask(ledger_account_queries.statement, stake.account, limit=50)
        if each.type == "StakesRewarded"
    ]
    assert {each.stake_id for each in rewards} == {name}
    assert sum(each.amount for each in rewards) == stake.earned
    (opened,) = await ask(ledger_stake_queries.proposals, limit=9)
    assert (opened.proposal_id, opened.status, opened.abstain, opened.yes) == (proposal, "open", 400 * MICRO, 0)
    before = await ask(lambda _t, generation: as_vector(generation))
    economy.now += 86_400_000
    await economy.play([("unstake", 0, 0), ("tally", 0, 0)])
    await project(economy, postgres)
    (stake,) = await ask(ledger_stake_queries.stakes, CAY, limit=9)
    assert stake.withdrawn_at is not None
    assert await ask(ledger_stake_queries.stakes, ADA, limit=9) == []
    assert await ask(ledger_stake_queries.proposals, status="open", limit=9) == []
    (then,) = await ask(ledger_stake_queries.proposals, status="open", limit=9, offsets=before)
    assert then.proposal_id == proposal
    (now,) = await ask(ledger_stake_queries.proposals, registry_id="books", status="rejected", limit=9)
    assert now == await ask(ledger_stake_queries.proposal, proposal)


async def as_vector(generation: Any) -> list[int]:
    """Give the offsets that a generation stands at."""
    return vector(generation)


async def test_agents_are_found_by_their_words_and_exactly_by_their_skills(postgres: Postgres) -> None:
    economy, ask = await Economy().start(), Asking(postgres)
    first = await economy.agent("books", ADA, "did:key:zHerald")
    plain = {"name": "Will \0", "description": "Sings", "skills": [{"id": "sing", "name": "Song", "tags": ["words"]}]}
    second = await economy.agent("films", BOB, "did:key:zWill", plain)
    await economy.agent("films", CAY, "did:key:zMute", {"name": "Mute", "skills": "none", "description": 7})
    await project(economy, postgres)

    async def found(**asked: Any) -> list[str]:
        return [each.agent_id for each in await ask(ledger_agent_queries.agents, limit=9, **asked)]

    assert len(await found()) == 3
    assert await found(words="translations") == [first]
    assert await found(words="will") == [second]
    assert await found(words="tongue herald") == [first]
    assert await found(words="quo") == [first]
    assert await found(words="sings -herald") == [second]
    assert await found(skill="words") == [second, first]
    assert await found(skill="sum,up") == [first]
    assert await found(skill='quo"ted\\') == [first]
    assert await found(skill="word") == []
    assert await found(skill="words", words="herald") == [first]
    page = await ask(ledger_agent_queries.agents, limit=2)
    last = page[-1]
    assert len(await ask(ledger_agent_queries.agents, limit=2, after=(last.at, last.part, last.pos))) == 1
    known = await ask(ledger_agent_queries.agent, first)
    assert known is not None
    assert (known.card, known.developer_did, known.registry_id) == (CARD, ADA, "books")
    assert await ask(ledger_agent_queries.agent, "agt_none") is None


async def test_an_account_as_of_a_position_or_a_time_is_as_it_was_then(postgres: Postgres) -> None:
    economy, ask = await Economy().start(), Asking(postgres)
    account, frame, known = economy.account("books", ADA), FRAMES[0], []
    seat = economy.seats[0]
    for turn in range(40):
        moves = [("send", 0, 2), ("send", 2, 0), ("hold", 0, 2), ("freeze", 0, 0), ("unfreeze", 0, 0), ("stake", 0, 3)]
        await economy.play([moves[turn % 6], ("send", 7, 8)])
        entry = seat.store.get(f"account/{account}")
        assert entry is not None
        known.append((seat.position, economy.now, tuple(entry)))
        economy.now += 1_000
    await project(economy, postgres)
    for pos, at, entry in known:
        for cut in (Cut([pos, 0]), Cut([1 << 40, 0], [at, 0]), Cut([pos, 0], [at + 500, 0])):
            found = await ask.account(economy, "books", ADA, cut)
            assert (found.available, found.staked, found.held, found.frozen) == entry[4:]
    opened = await ask.account(economy, "books", ADA)
    assert opened.frame_id == frame
    asked = ledger_account_queries.account
    assert await ask(asked, account, Cut([opened.pos - 1, 0])) is None
    assert await ask(asked, account, Cut([1 << 40, 0], [opened.at - 1, 0])) is None
    assert await ask(asked, account, Cut([1 << 40, 0], [0, 0])) is None
    assert await ask(asked, "acc_none") is None


async def test_a_walk_of_a_statement_under_writes_never_repeats_and_never_skips(postgres: Postgres) -> None:
    economy, ask, done = await Economy().start(), Asking(postgres), asyncio.Event()
    await economy.play([("send", index % 3, (index + 1) % 3) for index in range(200)])
    await economy.play([("hold", 0, 2), ("cancel", 0, 0), ("mint", 0, 4)])
    await project(economy, postgres)
    running = asyncio.create_task(Projector(postgres, [LedgerProjection()]).run(economy.log, "ledger"))

    async def write() -> None:
        while not done.is_set():
            await economy.play([("send", 0, 2), ("hold", 2, 0), ("send", 2, 0)])
            await asyncio.sleep(0.002)

    writing = asyncio.create_task(write())
    account = economy.account("books", ADA)
    for limit in (1, 7, 100):
        whole = await ask(ledger_account_queries.statement, account, limit=100_000)
        walked: list[StoredPosting] = []
        page = await ask(ledger_account_queries.statement, account, limit=limit)
        while page:
            walked += page
            page = await ask(ledger_account_queries.statement, account, limit=limit, after=(page[-1].pos, page[-1].idx))
        assert [each for each in walked if (each.pos, each.idx) <= (whole[0].pos, whole[0].idx)] == whole
        assert len({(each.pos, each.idx) for each in walked}) == len(walked)
    done.set()
    await writing
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_frame_s_events_are_fed_once_each_in_the_order_of_the_log(postgres: Postgres) -> None:
    economy, ask = await Economy().start(), Asking(postgres)
    running = asyncio.create_task(Projector(postgres, [LedgerProjection()]).run(economy.log, "ledger"))
    await asyncio.sleep(0.5)
    found: list[tuple[int, int]] = []

    async def more() -> int:
        page = await ask(ledger_queries.events, FRAMES[0], limit=7, after=found[-1] if found else None)
        found.extend((each.pos, each.idx) for each in page)
        assert {each.frame_id for each in page} <= {FRAMES[0]}
        return len(page)

    for turn in range(30):
        await economy.play([(name, turn + index, turn * 3) for index, name in enumerate(MOVES)])
        await more()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await project(economy, postgres)
    while await more():
        pass
    wanted = [
        (message.offset, index)
        for message, decision in decisions(economy)
        for index, event in enumerate(decision.events)
        if event.payload.frame_id == FRAMES[0]
    ]
    assert found == wanted
    (first,) = await ask(ledger_queries.events, FRAMES[0], limit=1)
    assert (first.type, first.event["mode"], first.part) == ("FrameOpened", "sovereign", 0)


def decisions(economy: Economy) -> list[tuple[Any, Any]]:
    """Give what lies on the first frame's partition."""
    read = released.codec("ledger", "decision")
    return [(message, read.decode(message.value)) for message in economy.log.messages(topic.events("ledger"), 0)]


async def test_frames_and_registries_are_found(postgres: Postgres) -> None:
    economy, ask = await Economy().start(), Asking(postgres)
    await project(economy, postgres)
    assert [each.frame_id for each in await ask(ledger_queries.frames)] == sorted(FRAMES)
    frame = await ask(ledger_queries.frame, FRAMES[1])
    assert frame is not None
    assert (frame.mode, frame.minting, frame.part) == ("sovereign", "enabled", PARTITIONS - 1)
    assert await ask(ledger_queries.frame, "nowhere") is None
    assert await ask(ledger_queries.supply, "nowhere") is None
    assert await ask(ledger_queries.registry, "nowhere") is None
    registry = await ask(ledger_queries.registry, "songs")
    assert registry is not None
    assert registry.terms.mint_rewards


async def test_what_departed_in_all_passes_64_bits(postgres: Postgres) -> None:
    economy, ask = await Economy().start(), Asking(postgres)
    amount, here, there = 2**63 - 1 - 3 * GRANT, ("films", ADA), ("books", ADA)
    await economy.do(FRAMES[1], MintTokens(FRAMES[1], economy.account(*here), amount, "facts/0/0"))
    for trip in range(5):
        await economy.send(here, there, amount)
        await economy.phase("accept", trip)
        amount, here, there = amount * 99 // 100, there, here
    await project(economy, postgres)
    supplies = [await ask(ledger_queries.supply, frame) for frame in FRAMES]
    assert [each.in_flight for each in supplies if each is not None] == [0, 0]
    async with postgres.snapshot() as transaction:
        ((most,),) = await transaction.rows("SELECT max(departed) FROM ledger_g1.frames")
    assert most > 2**64
