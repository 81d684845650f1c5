"""Our client on records, schemas and erasure, against an api with vaults."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from log.canonical import canonical_json
from muniment.client import (
    CidMismatch,
    Client,
    Erased,
    Forbidden,
    IncompatibleSchema,
    NotFound,
    RkeyTaken,
    SchemaViolation,
    UnknownCollection,
)
from muniment.signing_key import SigningKey
from projections.sealed_values import cid_of
from tests.api_records.conftest import keeper
from tests.api_records.keeping import NOTE, NOTES, Keeper, person
from tests.projections.conftest import postgres

__all__ = ["keeper", "postgres"]

pytestmark = pytest.mark.stack

ANN, BOB = person(11), person(12)


@asynccontextmanager
async def client(keeper: Keeper, by: SigningKey | None) -> AsyncIterator[Client]:
    async with Client(str(keeper.registry.client.make_url("/")), by) as found:
        yield found


async def test_records_are_kept_on_conditions_listed_page_by_page_and_erased(keeper: Keeper) -> None:
    async with client(keeper, ANN) as ann, client(keeper, None) as anybody:
        first = await ann.records.post(NOTES, {"text": "one"}, "a")
        assert (first.uri, first.rkey, first.schema_version) == (f"mun://{ANN.did}/{NOTES}/a", "a", 1)
        assert first.cid == cid_of(canonical_json({"text": "one"}))
        with pytest.raises(RkeyTaken):
            await ann.records.post(NOTES, {"text": "two"}, "a")
        with pytest.raises(CidMismatch):
            await ann.records.put(NOTES, "a", {"text": "two"}, if_none_match=True)
        second = await ann.records.put(NOTES, "a", {"text": "two"}, if_match=["sha256-x", first.cid])
        with pytest.raises(CidMismatch):
            await ann.records.put(NOTES, "a", {"text": "three"}, if_match=first.cid)
        assert (await ann.records.put(NOTES, "b", {"text": "b"}, if_none_match=True)).rkey == "b"
        shown = await ann.records.get(ANN.did, NOTES, "a")
        assert (shown.value, shown.cid, shown.updated_at) == ({"text": "two"}, second.cid, second.updated_at)
        before = await anybody.records.get(ANN.did, NOTES, "a", as_of=first.position, min_position=second.position)
        assert before.value == {"text": "one"}
        made = [await ann.records.post(NOTES, {"text": str(number)}) for number in range(3)]
        listed = [each.rkey async for each in ann.records.list(ANN.did, NOTES, page_size=2)]
        assert listed == [*(each.rkey for each in reversed(made)), "b", "a"]
        with pytest.raises(CidMismatch):
            await ann.records.delete(NOTES, "a", if_match=first.cid)
        gone = await ann.records.delete(NOTES, "a", if_match=second.cid)
        assert gone.uri == first.uri
        with pytest.raises(NotFound):
            await anybody.records.get(ANN.did, NOTES, "a", min_position=gone.position)
        erasure = await ann.erase(ANN.did)
        assert erasure.did == ANN.did
        for _ in range(2):
            with pytest.raises(Erased):
                await ann.records.get(ANN.did, NOTES, "b")
        with pytest.raises(Erased):
            await ann.records.post(NOTES, {"text": "again"})


async def test_what_a_schema_or_an_owner_does_not_allow_is_refused_by_its_class(keeper: Keeper) -> None:
    async with client(keeper, BOB) as bob, client(keeper, keeper.registry.operator) as admin:
        with pytest.raises(SchemaViolation) as refused:
            await bob.records.post(NOTES, {"text": 5})
        assert [each.pointer for each in refused.value.errors] == ["/text"]
        with pytest.raises(UnknownCollection):
            await bob.records.post("org.example.nothing", {})
        with pytest.raises(Forbidden):
            await bob.records.put(NOTES, "a", {"text": "not mine"}, did=ANN.did)
        with pytest.raises(Forbidden):
            await bob.erase(ANN.did)
        narrow = {**NOTE, "required": ["text", "tags"]}
        with pytest.raises(IncompatibleSchema):
            await admin.schemas.put(NOTES, narrow)
        put = await admin.schemas.put(NOTES, narrow, breaking=True)
        assert (put.version, put.name, put.schema) == (2, f"{NOTES}@2", narrow)
        shown = await bob.schemas.show(NOTES, min_position=put.position)
        assert [each["version"] for each in shown.versions] == [1, 2]
