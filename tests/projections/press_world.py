"""Publishing for projections: what a press's log makes of the tables, and workers that ask what they like."""

import random
from typing import Any

from domain.did import identity
from domain.publishing.anchoring import (
    FailBatch,
    NoteConfirmed,
    NoteReorged,
    NoteSeen,
    NoteSent,
    ReleaseBatch,
    ReserveBatch,
    SignBatch,
)
from domain.publishing.batch import Batch, ChangeOutput, batch
from domain.publishing.job import HoldJobs, Job, job
from domain.publishing.output import FundPool, Output, output, pool
from domain.publishing.publisher import Publisher, RegisterPublisher, RemovePublisher
from log.chain import Chain
from log.following import Decided, follow
from projections.dump import dump
from projections.postgres import Postgres
from projections.projector import Projector
from projections.publishing import PublishingProjection
from tests.audit.pressroom import CONTEXT, EVENTS, KEEP_MS, POOL, SCRIPT, Pressroom
from tests.domain.publishing.press import HERE, KEY, OTHER, intent, job_id
from tests.projections.plain_fold import Tables

BATCHES, JOBS = 30, 60


def ends(press: Pressroom) -> dict[int, int]:
    """Give the ends of publishing's events."""
    return {part: len(press.log.messages(EVENTS, part)) for part in range(press.partitions)}


async def project(press: Pressroom, postgres: Postgres) -> None:
    """Project all that the log holds."""
    await follow(press.log, CONTEXT, Projector(postgres, [PublishingProjection()]), until=ends(press))


async def feed(press: Pressroom, postgres: Postgres, count: int) -> int:
    """Project so many decisions in a transaction of their own, and count them."""
    projector = Projector(postgres, [PublishingProjection()])
    mark = (await projector.marks(CONTEXT, press.partitions))[press.part]
    chain = Chain(mark)
    messages = press.log.messages(EVENTS, press.part)[mark.next : mark.next + count]
    decided = [Decided(CONTEXT, message) for message in chain.counted(messages)]
    await projector.apply(CONTEXT, decided, {press.part: chain.mark})
    return len(decided)


async def tables_of(postgres: Postgres) -> Tables:
    """Give every row of publishing, by table and key."""
    found: Tables = {}
    async with dump(postgres, CONTEXT) as opened:
        for table in PublishingProjection.tables:
            found[table.name] = {tuple(row[n] for n in table.key): row async for row in opened.rows(table.name)}
    return found


def agree(tables: Tables, press: Pressroom) -> None:
    """See that the tables hold what the decider's fold does."""
    entries = dict(press._seats[CONTEXT, press.part].store.scan(""))

    def of(prefix: str) -> dict[str, Any]:
        return {key.split("/", 1)[1]: entry for key, entry in entries.items() if key.startswith(f"{prefix}/")}

    def held(table: str, *names: str) -> dict[str, tuple[Any, ...]]:
        return {key[0]: tuple(row[name] for name in names) for key, row in tables[table].items()}

    outputs = held("outputs", "satoshis", "status", "made_by", "held_by")
    assert outputs == {name: tuple(Output(*entry)) for name, entry in of("output").items()}
    figures = held("pool", "funded", "held", "fees", "available")
    assert figures.get(POOL, (0, 0, 0, 0)) == tuple(pool(press.state))
    jobs = held("jobs", "pubkey", "record_id", "waiting", "batch_id")
    assert jobs == {name: tuple(Job(*entry)) for name, entry in of("job").items()}
    batches = {name: Batch(*entry) for name, entry in of("batch").items()}
    assert held("batches", "status", "expires_at", "txid", "block_hash") == {
        name: (each.status, each.expires_at, each.txid, each.block_hash) for name, each in batches.items()
    }
    held_by = {(name, each): at for name, one in batches.items() for at, each in enumerate(one.job_ids)}
    assert {key: row["vout"] for key, row in tables["batch_jobs"].items()} == held_by
    for row in tables["jobs"].values():
        assert row["vout"] == held_by.get((row["batch_id"], row["job_id"]))
    publishers = {name: Publisher(*entry) for name, entry in of("publisher").items()}
    assert {
        name: (label, identity(by), removed is not None)
        for name, (label, by, removed) in held("publishers", "label", "registered_by", "removed_pos").items()
    } == {
        name: (each.label.replace("\0", "\ufffd"), identity(each.registered_by), each.removed)
        for name, each in publishers.items()
    }
    happened = [each for decision in press.decisions(press.part, CONTEXT) for each in decision.events]
    assert [row["event_type"] for _, row in sorted(tables["publishing_trail"].items())] == [e.type for e in happened]


def anything(press: Pressroom, chance: random.Random) -> Any:
    """Make up what some worker asks, whether or not it may."""
    name, jobs = f"bat_{chance.randrange(BATCHES)}", [chance.randrange(JOBS) for _ in range(2)]
    known, funded = batch(press.state, name), [f"{n:064x}:0" for n in range(8)]
    change = [each for n in range(BATCHES) if (one := batch(press.state, f"bat_{n}")) for each in one.change]
    pubkey = chance.choice((KEY, OTHER))
    named = tuple(dict.fromkeys(job_id(number, pubkey) for number in jobs))
    free = [each for each in (*funded, *change) if (one := output(press.state, each)) and one.status == "available"]
    taken = tuple(dict.fromkeys(chance.choice(free or funded) for _ in range(2)))
    every = [job_id(number, each) for number in range(JOBS) for each in (KEY, OTHER)]
    queued = [each for each in every if (one := job(press.state, each)) and one.batch_id is None]
    ready = tuple(dict.fromkeys(chance.choice(queued or every) for _ in range(3)))
    return chance.choice([
        lambda: RegisterPublisher(POOL, pubkey, f"label\\{press.now}", HERE, None),
        lambda: RegisterPublisher(POOL, pubkey, "a\0label", HERE, None),
        lambda: RemovePublisher(POOL, pubkey, HERE if chance.random() < 0.3 else None),
        *[lambda: FundPool(POOL, chance.choice(funded), chance.randrange(1, 5_000), SCRIPT, HERE)] * 2,
        *[lambda: intent(jobs[0], pubkey, press.now, 600)] * 4,
        lambda: HoldJobs(POOL, named),
        *[lambda: ReserveBatch(POOL, name, ready, taken, 0, 0, KEEP_MS, None)] * 5,
        lambda: ReserveBatch(POOL, name, (), taken, 2, 100, KEEP_MS, HERE),
        lambda: ReleaseBatch(POOL, name, chance.choice((None, "a\0reason"))),
        *[lambda: signing(press, name, known, chance)] * 6,
        *[lambda: chance.choice((NoteSent, NoteSeen))(POOL, name)] * 3,
        *[lambda: NoteConfirmed(POOL, name, 7, chance.choice(("ab", "cd")), b"\0\\h", b"b")] * 2,
        lambda: NoteReorged(POOL, name, chance.choice(("ab", "cd"))),
        lambda: FailBatch(POOL, name, "never", taken[:1] if known and taken[0] in known.outpoints else ()),
    ])()  # fmt: skip


def signing(press: Pressroom, name: str, known: Batch | None, chance: random.Random) -> SignBatch:
    """Give all that a batch reserved back in some outputs, but for a fee."""
    coins = (output(press.state, each) for each in (known.outpoints if known else ()))
    left = sum(each.satoshis for each in coins if each) - (fee := chance.randrange(100))
    parts = [part for part in (left // 3, left - left // 3) if part > 0]
    change = tuple(ChangeOutput(at, part, SCRIPT) for at, part in enumerate(parts))
    return SignBatch(POOL, name, f"{press.now:064x}", b"\0raw\\", fee, change)


async def walked(seed: int, steps: int) -> Pressroom:
    """Let workers that know nothing of one another ask so many things."""
    press, chance = Pressroom(), random.Random(seed)  # noqa: S311 - the same walk each time
    await press.begin()
    press.by_reactor(RegisterPublisher(POOL, KEY, "a label", HERE, None))
    for _ in range(steps):
        press.now += chance.choice((0, 7, KEEP_MS // 4))
        press.by_reactor(anything(press, chance))
    return press
