"""The table of media holds what the deciders know, whatever the batches, and nothing of who was erased."""

import hashlib
from typing import Any

import pytest

from domain.records.erasure import OwnerErased
from domain.records.media import MediaFinalized, MediaReserved, MediaSwept
from log.chain import Chain
from log.following import Decided
from processors.media_storage import open_storage
from projections.dump import dump
from projections.media import MediaFold
from projections.postgres import Postgres
from projections.projector import Projector
from projections.rebuilding import rebuild
from projections.records import RecordsProjection
from tests.api.serving import PARTITIONS, running
from tests.media.gallery import opened, person
from tests.projections.conftest import postgres

__all__ = ["postgres"]

pytestmark = pytest.mark.stack

EVENTS = "muniment.records.events"


async def rows(postgres: Postgres) -> dict[str, dict[str, Any]]:
    """Give the table's rows by their ids."""
    async with dump(postgres, "records") as found:
        return {row["media_id"]: row async for row in found.rows("media")}


async def project(postgres: Postgres, log: Any, at_once: int) -> None:
    """Project all decisions of the records, so many a transaction."""
    projector = Projector(postgres, [RecordsProjection(bytes(32))])
    for partition in range(PARTITIONS):
        mark = (await projector.marks("records", PARTITIONS))[partition]
        messages = log.messages(EVENTS, partition)[mark.next :]
        chain = Chain(mark)
        for start in range(0, len(messages), at_once):
            decided = [Decided("records", message) for message in chain.counted(messages[start : start + at_once])]
            await projector.apply("records", decided, {partition: chain.mark})


@pytest.mark.parametrize("at_once", [1, 2, 100])
async def test_rows_are_what_was_decided_in_any_batches(postgres: Postgres, tmp_path: Any, at_once: int) -> None:
    async with running() as registry:
        gallery = opened(registry, postgres, open_storage(tmp_path))
        kept, begun, gone = person(11), person(12), person(13)
        finalized = await gallery.keep(kept, b"kept", "text/plain")
        reserved = await gallery.reserve(begun, b"begun")
        await gallery.keep(gone, b"gone")
        await gallery.erase(gone)
        await project(postgres, registry.log, at_once)
        found = await rows(postgres)
        assert found.keys() == {finalized.json["id"], reserved.json["id"]}
        row = found[finalized.json["id"]]
        said = {"did": kept.did, "mime": "text/plain", "size": 4, "sha256": hashlib.sha256(b"kept").hexdigest()}
        assert {name: row[name] for name in said} == said
        assert (row["status"], row["status_pos"] > row["pos"], row["status_at"] >= row["at"]) == (
            "finalized",
            True,
            True,
        )
        row = found[reserved.json["id"]]
        assert (row["status"], row["status_pos"], row["status_at"]) == ("reserved", row["pos"], row["at"])


def decided_of(*payloads: object) -> list[tuple[object, int, int]]:
    return [(payload, number, 1_000 + number) for number, payload in enumerate(payloads)]


@pytest.mark.parametrize("at_once", [1, 10])
async def test_what_is_swept_is_said_to_be_and_what_is_erased_goes(postgres: Postgres, at_once: int) -> None:
    async with running() as registry:
        await project(postgres, registry.log, 1)
        file = ("did:key:a", "image/png", 1, "0", 9)
        events = decided_of(
            MediaReserved("med_a", *file),
            MediaReserved("med_b", *file),
            MediaSwept("med_a", "did:key:a"),
            MediaFinalized("med_b", *file[:4]),
            MediaReserved("med_c", "did:key:c", *file[1:]),
            OwnerErased("did:key:c"),
            MediaSwept("med_c", "did:key:c"),
        )
        for start in range(0, len(events), at_once):
            fold = MediaFold("records_g1")
            for payload, pos, at in events[start : start + at_once]:
                fold.take(payload, Place(0, pos), at)  # type: ignore[arg-type]  # only where it lies is asked
            async with postgres.transaction() as transaction:
                await fold.write(transaction)
        found = await rows(postgres)
        assert {name: (row["status"], row["pos"], row["status_pos"]) for name, row in found.items()} == {
            "med_a": ("swept", 0, 2),
            "med_b": ("finalized", 1, 3),
        }


class Place:
    """Where a decision lies."""

    def __init__(self, partition: int, offset: int) -> None:
        self.partition, self.offset = partition, offset


async def test_a_rebuilt_table_is_the_same(postgres: Postgres, tmp_path: Any) -> None:
    async with running() as registry:
        gallery = opened(registry, postgres, open_storage(tmp_path))
        await gallery.keep(person(11), b"kept")
        await project(postgres, registry.log, 3)
        before = await rows(postgres)
        await rebuild(registry.log, postgres, RecordsProjection(bytes(32)))
        assert await rows(postgres) == before
