"""Quotas at their edge: the last record and the last byte that fit are kept, also where many come at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.wiring import ApiSettings
from log.canonical import canonical_json
from projections.postgres import Postgres
from tests.api.serving import running
from tests.api_records.keeping import Keeper, keeping, person

ANN, BEN = person(1), person(2)
BYTES = 200


@pytest.fixture
async def small(postgres: Postgres) -> AsyncIterator[Keeper]:
    """Run a registry whose vaults are small."""
    settings = ApiSettings(records_per_owner=5, record_bytes_per_owner=BYTES)
    async with running(settings=settings) as registry, keeping(registry, postgres) as found:
        await found.collection()
        yield found


def of_size(size: int) -> dict[str, str]:
    """Make a note whose canonical form has so many bytes."""
    empty = len(canonical_json({"text": ""}))
    return {"text": "x" * (size - empty)}


async def test_of_many_who_come_at_once_as_many_are_kept_as_fit(small: Keeper) -> None:
    answers = await asyncio.gather(*(small.keep(ANN, {"text": "a"}) for _ in range(12)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [409] * 7
    full = next(answer for answer in answers if answer.status == 409)
    assert (full.code, full.json["quota"], full.json["used"], full.json["limit"]) == (
        "quota_exceeded",
        "records",
        "5",
        "5",
    )
    assert (await small.keep(BEN, {"text": "a"})).status == 201


async def test_the_last_byte_fits_and_the_next_does_not(small: Keeper) -> None:
    assert (await small.put(ANN, "a", of_size(100))).status == 201
    full = await small.put(ANN, "b", of_size(101))
    assert (full.status, full.code, full.json["quota"]) == (409, "quota_exceeded", "bytes")
    assert (await small.put(ANN, "b", of_size(100))).status == 201
    assert (await small.put(ANN, "b", of_size(101))).code == "quota_exceeded"
    assert (await small.put(ANN, "a", of_size(99))).status == 200
    assert (await small.put(ANN, "b", of_size(101))).status == 200
    assert (await small.delete(ANN, "b")).status == 204
    assert (await small.put(ANN, "c", of_size(101))).status == 201


async def test_bytes_are_counted_as_they_are_written_canonically(small: Keeper) -> None:
    value = {"text": "é" * 90}
    assert len(canonical_json(value)) == BYTES - 9
    assert (await small.put(ANN, "a", value)).status == 201
    assert (await small.put(ANN, "a", {"text": "é" * 95})).code == "quota_exceeded"
