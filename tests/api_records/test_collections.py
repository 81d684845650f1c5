"""Collections over HTTP: versions, what is refused, and that a version is in force once its write has answered."""

import asyncio
from typing import Any

from domain.records.built_in import BUILT_IN
from log.following import follow
from tests.api.serving import running
from tests.api_records.keeping import NOTE, NOTES, Keeper, keeping, person

ANN = person(1)
LONGER = NOTE | {"properties": {**NOTE["properties"], "text": {"type": "string", "maxLength": 2_000}}}  # type: ignore[dict-item]
OTHER = {"type": "object", "properties": {"body": {"type": "string"}}, "required": ["body"]}


async def test_versions_are_numbered_and_a_breaking_one_begins_a_name(keeper: Keeper) -> None:
    longer = await keeper.collection(schema=LONGER)
    assert (longer.status, longer.json["version"], longer.json["name"]) == (201, 2, f"{NOTES}@1")
    assert longer.json["schema"] == LONGER
    refused = await keeper.collection(schema=OTHER)
    assert (refused.status, refused.code) == (409, "incompatible_schema")
    pointers = {error["pointer"] for error in refused.json["errors"]}
    assert pointers == {"/schema/required"}, "no note has a body: none of its values can be wrong"
    broken = await keeper.collection(schema=OTHER, breaking=True)
    assert (broken.status, broken.json["version"], broken.json["name"]) == (201, 3, f"{NOTES}@2")
    shown = await keeper.read(f"/schemas/{NOTES}", broken)
    assert [(each["version"], each["name"], each["breaking"]) for each in shown.json["versions"]] == [
        (1, f"{NOTES}@1", False),
        (2, f"{NOTES}@1", False),
        (3, f"{NOTES}@2", True),
    ]
    assert [each["schema"] for each in shown.json["versions"]] == [NOTE, LONGER, OTHER]


async def test_a_record_says_which_version_it_was_checked_against(keeper: Keeper) -> None:
    first = await keeper.keep(ANN, {"text": "a"}, "first")
    await keeper.collection(schema=LONGER)
    second = await keeper.put(ANN, "second", {"text": "x" * 1_500})
    assert (first.json["schema_version"], second.json["schema_version"]) == (1, 2)
    assert (await keeper.show(ANN.did, "first", second)).json["schema_version"] == 1


async def test_the_schema_that_is_in_force_is_no_further_version(keeper: Keeper) -> None:
    again = await keeper.collection()
    assert (again.status, again.json["version"]) == (200, 1)
    racing = await asyncio.gather(*(keeper.collection(schema=LONGER) for _ in range(8)))
    assert sorted(answer.status for answer in racing) == [200] * 7 + [201]
    assert {answer.json["version"] for answer in racing} == {2}


async def test_a_schema_that_is_none_is_refused_and_the_place_named(keeper: Keeper) -> None:
    cases: list[tuple[Any, str]] = [
        ({"type": "text"}, "/schema/type"),
        ({"properties": {"a": {"minLength": "x"}}}, "/schema/properties/a/minLength"),
        ({"$ref": "https://example.org/other"}, "/schema/$ref"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "/schema/properties/a/$ref"),
        ({"$ref": "#"}, "/schema"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/schema/$schema"),
        ({"pattern": "(?=lookahead)"}, "/schema/pattern"),
        (5, "/schema"),
        ({"enum": ["x" * 70_000]}, "/schema"),
    ]
    for schema, pointer in cases:
        refused = await keeper.collection("org.example.other", schema)
        assert (refused.status, refused.code) == (400, "invalid_request"), schema
        assert [error["pointer"] for error in refused.json["errors"]] == [pointer], schema
    assert (await keeper.collection("notes")).code == "not_found"
    assert (await keeper.read("/schemas/org.example.other")).code == "not_found"


async def test_only_an_admin_puts_a_schema(keeper: Keeper) -> None:
    refused = await keeper.registry.ask("PUT", f"/schemas/{NOTES}", {"schema": LONGER}, by=ANN)
    assert (refused.status, refused.code) == (403, "forbidden")


async def test_a_schema_is_judged_in_a_dry_run_too(keeper: Keeper) -> None:
    path = f"/schemas/{NOTES}?dry_run=true"
    told = await keeper.registry.ask("PUT", path, {"schema": LONGER}, by=keeper.registry.operator)
    assert (told.status, told.json["result"]["version"]) == (200, 2)
    refused = await keeper.registry.ask("PUT", path, {"schema": OTHER}, by=keeper.registry.operator)
    assert refused.code == "incompatible_schema"
    assert len((await keeper.read(f"/schemas/{NOTES}")).json["versions"]) == 1


async def test_a_process_that_has_not_heard_of_a_version_checks_nothing_against_the_one_before(
    keeper: Keeper,
) -> None:
    late = keeper.registry
    async with running(log=late.log, decides=False, keys=late.keys) as other, keeping(other, keeper.postgres) as second:
        assert (await second.keep(ANN, {"text": "a"})).status == 201
        # This process hears nothing of the records from now on.
        other.tasks[0].cancel()
        await asyncio.gather(other.tasks[0], return_exceptions=True)
        await keeper.collection(schema=OTHER, breaking=True)
        stale = await second.keep(ANN, {"text": "a"})
        assert (stale.status, stale.code) == (503, "not_caught_up")
        hearing = asyncio.create_task(follow(other.log, "records", other.api.mirror))
        assert (await second.keep(ANN, {"text": "a"})).code == "schema_violation"
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)


async def test_whatever_a_process_answers_first_the_next_schema_counts_in_all_at_once(keeper: Keeper) -> None:
    first = keeper.registry
    async with (
        running(log=first.log, decides=False, keys=first.keys) as other,
        keeping(other, keeper.postgres) as second,
    ):
        await first.session(ANN)
        await other.session(ANN)
        for round_ in range(6):
            limit = 100 - round_
            schema = {"type": "string", "maxLength": limit}
            assert (await keeper.collection("org.example.text", schema, breaking=True)).status == 201
            body = {"collection": "org.example.text", "value": "x" * (limit + 1)}
            answers = await asyncio.gather(
                *(each.registry.ask("POST", "/records", body, by=ANN) for each in (keeper, second))
            )
            assert {answer.code for answer in answers} == {"schema_violation"}


async def test_the_collections_that_a_registry_begins_with_are_taken_and_take_what_they_are_for(keeper: Keeper) -> None:
    for name, schema in BUILT_IN.items():
        assert (await keeper.collection(name, schema)).status == 201, name
    for name, value, wrong in (
        (
            "org.muniment.post",
            {"text": "x" * 3_000, "created_at": "2025-10-13T03:00:00Z", "media": ["med_a"]},
            {"text": "x" * 3_001},
        ),
        ("org.muniment.follow", {"subject": ANN.did}, {"subject": "ann"}),
        ("org.muniment.profile", {"display_name": "Ann", "description": "…", "avatar": "med_a"}, {"description": "…"}),
    ):
        ask = keeper.registry.ask
        assert (await ask("POST", "/records", {"collection": name, "value": value}, by=ANN)).status == 201
        for refused in (wrong, value | {"more": 1}):
            answer = await ask("POST", "/records", {"collection": name, "value": refused}, by=ANN)
            assert answer.code == "schema_violation", refused
