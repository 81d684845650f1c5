"""Publishing's tables hold what the decider knows, in any batches, and each query finds what a reader asks for."""

import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from log.bitcoin import read_transaction
from log.chain import Chain, Mark
from log.following import Decided
from processors.audit_row_keys import row_key
from processors.audit_rows import Dump, Expected, Row, compare
from processors.audit_tables import RULES
from processors.audit_verdict import Differs
from projections import publishing_queries, publishing_trail_queries
from projections.pages import Behind
from projections.postgres import Postgres
from projections.publishing import PublishingProjection
from projections.publishing_trail_queries import StoredStep
from projections.reads import Reads
from projections.rebuilding import rebuild
from tests.audit.pressroom import CONTEXT, EVENTS, POOL, Pressroom, author, every_kind_of_anchoring
from tests.projections.conftest import emptied
from tests.projections.plain_fold import Tables
from tests.projections.press_world import agree, feed, project, tables_of, walked

pytestmark = pytest.mark.stack
T = TypeVar("T")
ADA, BOB, EVE = (author(number) for number in (1, 2, 3))


class Asking:
    """Asks the live generation of publishing."""

    def __init__(self, postgres: Postgres) -> None:
        self._reads = Reads(postgres)

    async def __call__(self, query: Callable[..., Awaitable[T]], *about: Any, **more: Any) -> T:
        found, _ = await self._reads.read(CONTEXT, lambda t, g: query(t, g, *about, **more))
        return found

    async def told(self, resource: str, **more: Any) -> list[str]:
        """Tell a resource's trail in words."""
        steps = await self(publishing_trail_queries.trail, resource=resource, limit=100, **more)
        return [f"{each.resource_id if each.resource_type != 'job' else 'job'} {each.action}" for each in steps]


@pytest.fixture
async def press(postgres: Postgres) -> Pressroom:
    """Give a press in whose tables every event is."""
    found = await every_kind_of_anchoring()
    await project(found, postgres)
    return found


async def compared(press: Pressroom, tables: Tables) -> int:
    """Compare rows with what an auditor folds from the log. Raises Differs."""
    chain = Chain(Mark.start(EVENTS, press.part))
    assert all(chain.admit(message) for message in press.log.messages(EVENTS, press.part))
    rows = {row_key(name, row): row for name, table in tables.items() for row in table.values()}

    async def each() -> AsyncIterator[Row]:
        for key in sorted(rows):
            yield key, rows[key]

    with tempfile.TemporaryDirectory() as folder:
        expected = Expected(Dump(CONTEXT, CONTEXT, RULES[CONTEXT], {press.part: chain.mark}, each()), Path(folder))
        for message in press.log.messages(EVENTS, press.part):
            decided = Decided(CONTEXT, message)
            expected.take(message, decided.payloads, decided.decision.at)
        try:
            return await compare(expected)
        finally:
            expected.close()


@pytest.mark.parametrize("seed", [1, 2, 4])
async def test_the_tables_hold_what_the_decider_knows_whatever_is_asked_and_in_any_batches(
    postgres: Postgres, seed: int
) -> None:
    press, chance = await walked(seed, 600), random.Random(seed)  # noqa: S311 - the same order each time
    while await feed(press, postgres, chance.randrange(1, 40)):
        pass
    tables = await tables_of(postgres)
    agree(tables, press)
    assert await compared(press, tables) == sum(map(len, tables.values()))
    assert len({each["event_type"] for each in tables["publishing_trail"].values()}) > 10
    await emptied(postgres)
    await project(press, postgres)
    assert await tables_of(postgres) == tables


async def test_one_decision_at_a_time_makes_the_rows_that_one_batch_makes(postgres: Postgres, press: Pressroom) -> None:
    bulk = await tables_of(postgres)
    assert all(bulk.values())
    agree(bulk, press)
    assert {row["event_type"] for row in bulk["publishing_trail"].values()} == {
        event.__name__ for event in PublishingProjection.events
    }
    await emptied(postgres)
    while await feed(press, postgres, 1):
        pass
    assert await tables_of(postgres) == bulk


async def test_a_rebuild_finds_every_table_equal_and_shows_no_transaction(postgres: Postgres, press: Pressroom) -> None:
    before = await tables_of(postgres)
    done = await rebuild(press.log, postgres, PublishingProjection())
    assert (done.number, done.difference, done.rows) == (2, None, sum(map(len, before.values())))
    async with postgres.transaction() as transaction:
        await transaction.run("UPDATE publishing_g2.batches SET raw = NULL WHERE batch_id = 'bat_2'")
    difference = (await rebuild(press.log, postgres, PublishingProjection())).difference
    assert difference is not None
    assert (difference.table, difference.key) == ("batches", ("bat_2",))
    assert difference.live is not None
    assert not difference.live.keys() & {"raw", "header", "bump"}
    assert await tables_of(postgres) == before


async def test_an_auditor_names_each_column_that_was_changed_and_a_row_that_is_gone(
    postgres: Postgres, press: Pressroom
) -> None:
    tables = await tables_of(postgres)
    assert await compared(press, tables) == sum(map(len, tables.values()))
    for table in PublishingProjection.tables:
        key = max(tables[table.name])
        row = tables[table.name][key]
        name = f"{CONTEXT}:{row_key(table.name, row)} @ {CONTEXT}/"
        columns = [column for column in table.columns if column not in table.key]
        otherwise = {**row, **{column: "another" if row[column] != "another" else None for column in columns}}
        with pytest.raises(Differs) as found:
            await compared(press, {**tables, table.name: {**tables[table.name], key: otherwise}})
        assert found.value.difference.place.startswith(name)
        assert found.value.difference.detail == f"the row isn't what the log says: {', '.join(sorted(columns))}"
        rest = {other: each for other, each in tables[table.name].items() if other != key}
        with pytest.raises(Differs) as found:
            await compared(press, {**tables, table.name: rest})
        assert found.value.difference.detail == "the row is missing"


async def test_a_job_is_what_its_batch_is(postgres: Postgres, press: Pressroom) -> None:
    ask = Asking(postgres)

    async def status(job_id: str) -> str:
        found = await ask(publishing_queries.job, job_id)
        assert found is not None
        return found.status

    anchored = press.known("bat_1").job_ids[1]
    found = await ask(publishing_queries.job, anchored)
    assert found is not None
    assert (found.pubkey, found.record_id, found.status, found.vout) == (BOB.pubkey, "REC_1", "confirmed", 1)
    assert (found.txid, found.height) == (press.known("bat_1").txid, 301)
    assert found.sent_at is not None
    assert found.confirmed_at == found.status_at == found.sent_at + 1_000
    proof = await ask(publishing_queries.proof, "bat_1")
    assert proof is not None
    assert (proof.height, proof.block_hash) == (301, found.block_hash)
    spent = [each.outpoint for each in read_transaction(proof.raw or b"").inputs]
    (coin,) = await ask(publishing_queries.batch_outputs, spent)
    assert coin is not None
    assert (coin.satoshis, coin.status, coin.held_by) == (10_000, "spent", "bat_1")
    assert await ask(publishing_queries.batch_outputs, ["none:0", *spent, *spent]) == [None, coin, coin]
    late, other = press.known("bat_failed").job_ids
    failed = await ask(publishing_queries.job, late)
    assert failed is not None
    assert (failed.status, failed.reason) == ("failed", "another spent it")
    assert await status(other) == "failed"
    assert await ask(publishing_queries.job, "job_none") is None
    new = press.publish(ADA, "REC_new")
    coin_held = press.known("bat_split").change[0]
    for asked, expected in (
        (lambda: None, "queued"),
        (lambda: press.hold(new), "waiting_for_utxo"),
        (lambda: press.reserve("bat_new", [new], [coin_held]), "reserved"),
        (lambda: press.release("bat_new"), "queued"),
        (lambda: press.reserve("bat_newer", [new], [coin_held]), "reserved"),
        (lambda: press.sign("bat_newer"), "signed"),
    ):
        asked()
        await project(press, postgres)
        assert await status(new) == expected


async def test_a_record_s_id_finds_for_each_key_the_job_that_counts(postgres: Postgres, press: Pressroom) -> None:
    ask = Asking(postgres)
    both = await ask(publishing_queries.jobs_of_record, "REC_1")
    assert [each.pubkey for each in both] == [BOB.pubkey, ADA.pubkey]
    assert await ask(publishing_queries.jobs_of_record, "REC_1", ADA.pubkey) == both[1:]
    assert await ask(publishing_queries.jobs_of_record, "REC_1", EVE.pubkey) == []
    (again,) = await ask(publishing_queries.jobs_of_record, "REC_late")
    assert (again.batch_id, again.status) == ("bat_2", "sent")
    (failed,) = await ask(publishing_queries.jobs_of_record, "REC_other")
    assert failed.status == "failed"


async def test_publishers_are_walked_newest_first_and_the_pool_adds_up(postgres: Postgres, press: Pressroom) -> None:
    ask = Asking(postgres)
    everyone = await ask(publishing_queries.publishers, limit=9, removed=True)
    assert [(each.label, each.removed_by) for each in everyone] == [
        ("Bob again", None),
        ("Eve", press.operator.did),
        ("Ada", None),
    ]
    walked_over, after = list[str](), None
    while page := await ask(publishing_queries.publishers, limit=1, after=after):
        walked_over.append(page[0].label)
        after: Behind | None = (page[0].at, page[0].part, page[0].pos)
    assert walked_over == ["Bob again", "Ada"]
    assert await ask(publishing_queries.publisher, EVE.pubkey) == everyone[1]
    figures = await ask(publishing_queries.pool, POOL)
    assert figures is not None
    assert figures.holds
    assert (figures.reserved, figures.pending, figures.queued, figures.waiting) == (0, 0, 1, 0)
    largest = await ask(publishing_queries.available, limit=3)
    assert len(largest) == 3
    assert [each.satoshis for each in largest] == sorted((each.satoshis for each in largest), reverse=True)
    assert figures.available == len(await ask(publishing_queries.available, limit=99))
    assert await ask(publishing_queries.pool, "other") is None


async def test_the_trail_of_anything_is_told_in_order_with_what_became_of_it(
    postgres: Postgres, press: Pressroom
) -> None:
    ask = Asking(postgres)
    job = press.known("bat_1").job_ids[0]
    anchoring = [
        *("bat_1 reserved", "bat_1 signed", "bat_1 sent", "bat_1 seen", "bat_1 confirmed", "bat_1 reorged"),
        *("bat_1 sent", "bat_1 confirmed"),
    ]
    assert await ask.told(job) == ["job queued", "main waiting", *anchoring]
    assert await ask.told("bat_1") == anchoring
    assert await ask.told(press.known("bat_1").txid or "") == anchoring
    assert await ask.told("REC_other") == [
        "job queued",
        "bat_failed reserved",
        "bat_failed signed",
        "bat_failed failed",
    ]
    assert (await ask.told("REC_late"))[:3] == ["job queued", "bat_late reserved", "bat_late released"]
    assert await ask.told(BOB.pubkey) == [f"{BOB.pubkey} {what}" for what in ("registered", "removed", "registered")]
    coin = press.known("bat_2").outpoints[0]
    held_by = [each.split()[0] for each in await ask.told(coin)]
    assert list(dict.fromkeys(held_by)) == [coin, "bat_late", "bat_failed", "bat_2"]
    change = press.known("bat_1").change[0]
    assert await ask.told(change) == [*anchoring, "bat_split reserved", "bat_split signed", "bat_split seen"]
    assert await ask.told("nothing") == []
    assert await ask.told(job, actor=BOB.pubkey) == []
    by_bob = await ask(publishing_trail_queries.trail, actor=BOB.pubkey, limit=100)
    assert [each.action for each in by_bob] == ["registered", "registered", *["queued"] * 5]


async def test_a_walk_over_the_trail_goes_on_behind_any_step_position_or_time(
    postgres: Postgres, press: Pressroom
) -> None:
    ask, walk, after = Asking(postgres), list[StoredStep](), None
    everything = await ask(publishing_trail_queries.trail, limit=1_000)
    while len(walk) < len(everything) + 3:
        page = await ask(publishing_trail_queries.trail, limit=7, after=after)
        walk += page
        after = (page[-1].at, page[-1].part, page[-1].pos, page[-1].idx)
        press.fund(f"{len(walk):064x}:9", 5)
        await project(press, postgres)
    assert walk[: len(everything)] == everything
    assert [each.pos for each in walk] == sorted({each.pos for each in walk})
    tenth = everything[10]
    step = await ask(publishing_trail_queries.step_at, tenth.part, tenth.pos)
    (following,) = await ask(publishing_trail_queries.trail, limit=1, after=step)
    assert following == everything[11]
    assert await ask(publishing_trail_queries.step_at, tenth.part, -1) is None
    since = await ask(publishing_trail_queries.trail, limit=99, after=publishing_trail_queries.step_from(press.now))
    assert {each.at for each in since} == {press.now}
    signed = next(each for each in everything if each.action == "signed")
    assert signed.details["txid"] == press.known("bat_1").txid
    assert (signed.details["fee"], signed.details["change"][0]["vout"]) == ("50", 3)
