"""Pages, moments and the delta feed show exactly what a plain fold of the log has at the same position."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.did import identity
from projections import fact_change_queries, fact_queries
from projections.dump import PROJECTIONS
from projections.fact_queries import Cut, Filters, StoredFact
from projections.generations import Generation
from projections.postgres import Postgres, Transaction
from projections.projector import Projector
from projections.reads import Reads, vector
from tests.conftest import Services
from tests.projections.conftest import emptied
from tests.projections.plain_fold import counted, folded
from tests.projections.test_projecting import MOVE, ends, project
from tests.projections.world import ISSUERS, World

pytestmark = pytest.mark.stack
STATUSES = ("active", "revoked", "expired", "quarantined")
FILTERS = (
    Filters(),
    Filters(kind="endorsement.star"),
    Filters(kind="rights.grant"),
    Filters(origin="feed.ff", type="playlist"),
    Filters(ref="pl0"),
    Filters(issuer=ISSUERS[0]),
    Filters(issuer=ISSUERS[2].upper().replace("DID:PKH:EIP155", "did:pkh:eip155")),
)


Shown = tuple[str, str, int, str | None]


def expected(world: World, below: dict[int, int], filters: Filters, status: str) -> list[Shown]:
    """Give what a page walk must show as of these offsets, by the plain fold: id, status, its event's offset, mark."""
    found = [
        row
        for row in folded(world.log, below)["facts"].values()
        if row["status"] == status
        and (status != "active" or row["compromised_by"] is None)
        and all(getattr(filters, name) in (None, row[name]) for name in ("kind", "origin", "type", "ref"))
        and (filters.issuer is None or identity(filters.issuer) == identity(row["issuer_did"]))
    ]
    found.sort(key=lambda row: (row["at"], row["part"], row["pos"]), reverse=True)
    return [(row["fact_id"], row["status"], row["changed_pos"], row["compromised_by"]) for row in found]


async def walk(reads: Reads, filters: Filters, status: str, cut: Cut | None, meanwhile: Any = None) -> tuple[Any, Cut]:
    """Walk pages of three as the api does, with something done between them."""
    found: list[StoredFact] = []
    after: tuple[int, int, int] | None = None
    while True:

        async def query(
            transaction: Transaction, generation: Generation, cut: Cut | None = cut, after: Any = after
        ) -> tuple[list[StoredFact], Cut]:
            rows = await fact_queries.page(
                transaction, generation, filters, status=status, limit=3, cut=cut, after=after
            )
            return rows, cut or Cut(vector(generation))

        (rows, cut), _ = await reads.read("facts", query)
        found += rows
        if len(rows) < 3:
            return [(row.fact_id, row.status, row.changed_pos, row.compromised_by) for row in found], cut
        after = rows[-1].at, rows[-1].part, rows[-1].pos
        if meanwhile is not None:
            await meanwhile()


def run(example: Any, services: Services) -> None:
    """Run an example against an emptied database."""

    async def scenario() -> None:
        postgres = Postgres(services.postgres)
        await emptied(postgres)
        await example(postgres, await World().start())
        await postgres.close()

    asyncio.run(scenario())


PLAYED = st.lists(MOVE, min_size=5, max_size=60)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=PLAYED, later=PLAYED, filters=st.sampled_from(FILTERS), status=st.sampled_from(STATUSES))
def test_a_page_walk_shows_the_moment_it_began_whatever_is_written_meanwhile(
    services: Services, moves: list[Any], later: list[Any], filters: Filters, status: str
) -> None:
    async def example(postgres: Postgres, world: World) -> None:
        await world.play(moves)
        await project(world, postgres)
        rest = list(later)

        async def meanwhile() -> None:
            await world.play(rest[:10])
            del rest[:10]
            await project(world, postgres)

        found, cut = await walk(Reads(postgres), filters, status, None, meanwhile)
        below = {p: offset + 1 for p, offset in enumerate(cut.offsets)}
        assert found == expected(world, below, filters, status)

    run(example, services)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=st.lists(PLAYED, min_size=2, max_size=5), filters=st.sampled_from(FILTERS))
def test_as_of_a_position_shows_what_was_true_there(services: Services, turns: list[Any], filters: Filters) -> None:
    async def example(postgres: Postgres, world: World) -> None:
        moments = []
        for moves in turns:
            await world.play(moves)
            moments.append(ends(world.log))
        await project(world, postgres)
        for below in moments:
            cut = Cut([below[p] - 1 for p in range(world.partitions)])
            for status in STATUSES:
                found, _ = await walk(Reads(postgres), filters, status, cut)
                assert found == expected(world, below, filters, status)

    run(example, services)


async def test_as_of_a_time_shows_what_the_log_had_by_then(postgres: Postgres) -> None:
    world = await World().start()
    for turn in range(4):
        await world.play([(name, turn * 3 + i, turn) for i, name in enumerate(("issue", "issue", "revoke", "silent"))])
        await asyncio.sleep(0.003)
    await project(world, postgres)
    for at in sorted({decision.at for _, _, decision in counted(world.log)}):
        below = ends(world.log)
        for part, pos, decision in reversed(counted(world.log)):
            if decision.at > at:
                below[part] = pos
        whole = [end - 1 for _, end in sorted(ends(world.log).items())]
        for status in ("active", "revoked"):
            found, _ = await walk(Reads(postgres), Filters(), status, Cut(whole, [at] * len(whole)))
            assert found == expected(world, below, Filters(), status)


async def test_the_feed_never_misses_or_repeats_while_partitions_are_written(postgres: Postgres) -> None:
    world = await World().start()
    projecting = [asyncio.create_task(Projector(postgres, PROJECTIONS).run(world.log, "facts")) for _ in range(2)]
    reads, done = Reads(postgres), asyncio.Event()

    async def write() -> None:
        for turn in range(60):
            await world.play([("issue", turn, turn), ("issue", turn + 1, turn), ("quarantine", turn, 0)])
            await world.play([("mark", turn, 0), ("release", turn, 0), ("revoke", turn * 3, 0)])
            await world.play([("clear", turn * 2, 0), ("expire", turn * 5, 0)])
            await asyncio.sleep(0.002)
        await project(world, postgres)
        done.set()

    async def poll(filters: Filters, status: str | None, limit: int) -> list[tuple[str, int, int, str]]:
        after: dict[int, int] = {}
        found: list[tuple[str, int, int, str]] = []
        while True:
            last_round = done.is_set()

            async def query(transaction: Transaction, generation: Generation, after: dict[int, int] = after) -> Any:
                return await fact_change_queries.feed(
                    transaction, generation, filters, status=status, after=after, limit=limit
                )

            (items, after), _ = await reads.read("facts", query)
            found += [(item.change, item.fact.part, item.pos, item.fact.status) for item in items]
            if last_round and not items:
                return found
            await asyncio.sleep(0)

    while True:
        try:
            await reads.look()
            await reads.read("facts", lambda _t, _g: asyncio.sleep(0))
            break
        except ConnectionError:
            await asyncio.sleep(0.05)
    writing = asyncio.create_task(write())
    alls, some, by_issuer = await asyncio.gather(
        poll(Filters(), None, 7), poll(Filters(), "active", 3), poll(Filters(issuer=ISSUERS[0]), None, 100)
    )
    await writing
    for task in projecting:
        task.cancel()
    await asyncio.gather(*projecting, return_exceptions=True)
    tables = folded(world.log)
    issued = [("issued", row["part"], row["pos"], "active", row["issuer_did"]) for row in tables["facts"].values()]
    changed = [
        (row["change"], row["part"], row["pos"], row["status"], tables["facts"][row["fact_id"],]["issuer_did"])
        for row in tables["fact_changes"].values()
    ]
    everything = sorted((*issued, *changed), key=lambda item: item[1:3])
    assert len(everything) > 200
    for found, wanted in (
        (alls, [item[:4] for item in everything]),
        (some, [item[:4] for item in everything if item[3] == "active"]),
        (by_issuer, [item[:4] for item in everything if item[4] == ISSUERS[0]]),
    ):
        assert len(found) == len(set(found)), "nothing is repeated"
        assert sorted(found, key=lambda item: item[1:3]) == wanted
        for partition in range(world.partitions):
            offsets = [item[2] for item in found if item[1] == partition]
            assert offsets == sorted(offsets), "a partition's changes come in its order"
