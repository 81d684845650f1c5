"""Records over HTTP: kept, changed, let go of, on conditions, by their owners alone, under their schemas."""

import asyncio
import base64
import hashlib
from typing import Any

from api.times import rfc3339
from log.canonical import canonical_json
from tests.api.serving import key
from tests.api_records.keeping import NOTES, Keeper, person

ANN, BEN = person(1), person(2)


def cid(value: Any) -> str:
    """Compute a cid as anybody can."""
    digest = hashlib.sha256(canonical_json(value)).digest()
    return "sha256-" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def test_a_value_is_kept_and_read_by_anybody(keeper: Keeper) -> None:
    value = {"text": "grüße\u0000", "tags": ["a"]}
    kept = await keeper.keep(ANN, value, "first")
    uri = f"mun://{ANN.did}/{NOTES}/first"
    assert kept.status == 201
    indexed_at = kept.json["indexed_at"]
    view = {"uri": uri, "cid": cid(value), "value": value, "schema_version": 1, "indexed_at": indexed_at}
    assert kept.json == view
    shown = await keeper.show(ANN.did, "first", kept)
    assert shown.json == view
    assert shown.headers["ETag"] == f'"{cid(value)}"'
    assert "Muniment-As-Of" in shown.headers


async def test_a_key_is_made_where_none_is_given_and_later_ones_sort_behind(keeper: Keeper) -> None:
    made = [(await keeper.keep(ANN, {"text": str(number)})).json["uri"].rsplit("/", 1)[1] for number in range(5)]
    assert made == sorted(set(made))
    assert {len(rkey) for rkey in made} == {19}


async def test_a_key_that_is_taken_is_told(keeper: Keeper) -> None:
    await keeper.keep(ANN, {"text": "a"}, "first")
    again = await keeper.keep(ANN, {"text": "b"}, "first")
    assert (again.status, again.code, again.json["rkey"]) == (409, "rkey_taken", "first")
    assert (await keeper.keep(BEN, {"text": "b"}, "first")).status == 201


async def test_a_record_is_put_changed_and_let_go_of(keeper: Keeper) -> None:
    created = await keeper.put(ANN, "first", {"text": "a"})
    assert (created.status, created.json["value"]) == (201, {"text": "a"})
    updated = await keeper.put(ANN, "first", {"text": "b"})
    assert (updated.status, updated.json["indexed_at"]) == (200, created.json["indexed_at"])
    shown = await keeper.show(ANN.did, "first", updated)
    assert shown.json == updated.json
    assert shown.json["updated_at"] >= shown.json["indexed_at"]
    gone = await keeper.delete(ANN, "first")
    assert (gone.status, gone.text) == (204, "")
    assert (await keeper.show(ANN.did, "first", gone)).code == "not_found"
    assert (await keeper.delete(ANN, "first")).code == "not_found"
    anew = await keeper.put(ANN, "first", {"text": "c"})
    assert anew.status == 201
    assert "updated_at" not in (await keeper.show(ANN.did, "first", anew)).json


async def test_a_condition_takes_the_cid_quoted_or_bare(keeper: Keeper) -> None:
    for form in ('"{}"', "{}", '"other", "{}"', "*"):
        created = await keeper.put(ANN, "first", {"text": "a"})
        there = created.json["cid"]
        assert (await keeper.put(ANN, "first", {"text": "b"}, if_match=form.format(there))).status == 200, form
        gone = await keeper.delete(ANN, "first", if_match=form.format(cid({"text": "b"})))
        assert gone.status == 204, form


async def test_a_condition_that_does_not_hold_is_412_and_names_the_cid(keeper: Keeper) -> None:
    missing = await keeper.put(ANN, "first", {"text": "a"}, if_match="*")
    assert (missing.status, missing.code) == (412, "cid_mismatch")
    created = await keeper.put(ANN, "first", {"text": "a"}, if_none_match="*")
    assert created.status == 201
    for headers in ({"if_none_match": "*"}, {"if_match": cid({})}, {"if_match": f'W/"{created.json["cid"]}"'}):
        refused = await keeper.put(ANN, "first", {"text": "b"}, **headers)
        assert (refused.status, refused.code, refused.json["cid"]) == (412, "cid_mismatch", created.json["cid"])
    assert (await keeper.delete(ANN, "first", if_match=cid({}))).code == "cid_mismatch"


async def test_a_condition_that_is_none_is_refused(keeper: Keeper) -> None:
    for headers in ({"if_match": ""}, {"if_match": "a b"}, {"if_none_match": '"a"'}, {"if_match": ","}):
        refused = await keeper.put(ANN, "first", {"text": "a"}, **headers)
        assert (refused.status, refused.code) == (400, "invalid_request"), headers


async def test_of_many_who_change_a_record_on_its_cid_one_does(keeper: Keeper) -> None:
    created = await keeper.put(ANN, "first", {"text": "a"})
    for round_ in range(3):
        there = (await keeper.show(ANN.did, "first", created)).json["cid"]
        racing = [keeper.put(ANN, "first", {"text": f"{round_} {number}"}, if_match=there) for number in range(24)]
        answers = await asyncio.gather(*racing)
        won = [answer for answer in answers if answer.status == 200]
        assert len(won) == 1
        assert {answer.code for answer in answers if answer.status != 200} == {"cid_mismatch"}
        shown = await keeper.show(ANN.did, "first", won[0])
        assert shown.json["value"] == won[0].json["value"]
        created = won[0]


async def test_of_many_who_create_a_record_one_does(keeper: Keeper) -> None:
    racing = [keeper.put(ANN, "new", {"text": str(number)}, if_none_match="*") for number in range(16)]
    racing += [keeper.keep(ANN, {"text": str(number)}, "new") for number in range(16)]
    answers = await asyncio.gather(*racing)
    assert sorted(answer.status for answer in answers).count(201) == 1
    assert {answer.code for answer in answers if answer.status != 201} <= {"cid_mismatch", "rkey_taken"}


async def test_only_its_owner_writes_into_a_vault(keeper: Keeper) -> None:
    await keeper.put(ANN, "first", {"text": "a"})
    for answer in (
        await keeper.put(BEN, "first", {"text": "b"}, did=ANN.did),
        await keeper.delete(BEN, "first", did=ANN.did),
        await keeper.registry.ask("POST", f"/dids/{ANN.did}/erase", {"confirm": ANN.did}, by=BEN),
    ):
        assert (answer.status, answer.code) == (403, "forbidden")
    nobodys = await keeper.registry.ask("POST", "/records", {"collection": NOTES, "value": {"text": "a"}})
    assert (nobodys.status, nobodys.code) == (401, "unauthenticated")


async def test_an_ethereum_address_has_one_vault_in_any_case(keeper: Keeper) -> None:
    eve = key(3, "eip191")
    kept = await keeper.keep(eve, {"text": "a"}, "first")
    assert kept.json["uri"] == f"mun://{eve.did.lower()}/{NOTES}/first"
    for did in (eve.did, eve.did.lower()):
        assert (await keeper.show(did, "first", kept)).json["value"] == {"text": "a"}
        assert len((await keeper.page(did, kept)).json["items"]) == 1
        assert (await keeper.put(eve, "first", {"text": "b"}, did=did)).status == 200


async def test_a_value_that_is_not_as_its_schema_says_is_422_with_pointers_into_it(keeper: Keeper) -> None:
    cases: list[tuple[Any, list[str]]] = [
        ({}, [""]),
        ({"text": 5}, ["/text"]),
        ({"text": "x" * 1_001}, ["/text"]),
        ({"text": "a", "tags": ["b", 1, None]}, ["/tags/1", "/tags/2"]),
        ({"text": "a", "a/b": 1}, [""]),
        (None, [""]),
        ([], [""]),
    ]
    await keeper.registry.session(ANN)
    before = keeper.registry.appended()
    for value, pointers in cases:
        for refused in (await keeper.keep(ANN, value), await keeper.put(ANN, "first", value)):
            assert (refused.status, refused.code) == (422, "schema_violation"), value
            assert [error["pointer"] for error in refused.json["errors"]] == pointers, value
            assert (refused.json["collection"], refused.json["schema_version"]) == (NOTES, 1)
    assert keeper.registry.appended() == before


async def test_a_collection_without_a_schema_is_told(keeper: Keeper) -> None:
    refused = await keeper.registry.ask("POST", "/records", {"collection": "org.example.none", "value": {}}, by=ANN)
    assert (refused.status, refused.code, refused.json["collection"]) == (
        409,
        "unknown_collection",
        "org.example.none",
    )


async def test_a_request_that_is_not_as_it_must_be_is_refused_and_the_place_named(keeper: Keeper) -> None:
    cases: list[tuple[Any, str]] = [
        ({"collection": NOTES}, "/value"),
        ({"collection": "notes", "value": {}}, "/collection"),
        ({"collection": "Org.example.note", "value": {}}, "/collection"),
        ({"collection": NOTES, "value": {}, "rkey": ".."}, "/rkey"),
        ({"collection": NOTES, "value": {}, "rkey": "."}, "/rkey"),
        ({"collection": NOTES, "value": {}, "rkey": ""}, "/rkey"),
        ({"collection": NOTES, "value": {}, "rkey": "a/b"}, "/rkey"),
        ({"collection": NOTES, "value": {}, "rkey": "a" * 65}, "/rkey"),
        ({"collection": NOTES, "value": {}, "rkey": None}, "/rkey"),
        ({"collection": NOTES, "value": {}, "more": 1}, "/more"),
        ({"collection": NOTES, "value": 2**60}, ""),
        ({"collection": NOTES, "value": "\ud800"}, ""),
    ]
    for body, pointer in cases:
        refused = await keeper.registry.ask("POST", "/records", body, by=ANN)
        assert refused.status == 400, body
        assert [error["pointer"] for error in refused.json.get("errors", [])] == [pointer] * bool(pointer), body


async def test_names_that_no_record_can_have_are_not_found(keeper: Keeper) -> None:
    for path in (
        f"/records/nobody/{NOTES}/first",
        f"/records/{ANN.did}/notes/first",
        f"/records/{ANN.did}/{NOTES}/a%20b",
        f"/records/{ANN.did}/{NOTES}/a%0A",
        f"/records/{ANN.did}/{NOTES}/none",
    ):
        assert (await keeper.read(path)).code == "not_found", path
    assert (await keeper.read("/records", did="nobody")).code == "invalid_request"
    assert (await keeper.read("/records")).code == "invalid_request"


async def test_the_same_request_under_the_same_key_has_its_first_outcome_whatever_happened_since(
    keeper: Keeper,
) -> None:
    first = await keeper.keep(ANN, {"text": "a"}, Idempotency_Key="one")
    await keeper.collection(schema={"type": "string"}, breaking=True)
    again = await keeper.keep(ANN, {"text": "a"}, Idempotency_Key="one")
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["Idempotency-Hit"] == "true"
    other = await keeper.keep(ANN, "another", Idempotency_Key="one")
    assert (other.status, other.code) == (409, "idempotency_conflict")
    put = await keeper.put(ANN, "x", "a", Idempotency_Key="two")
    conditional = await keeper.put(ANN, "x", "a", Idempotency_Key="two", if_match="*")
    assert (put.status, conditional.code) == (201, "idempotency_conflict")


async def test_many_repeats_at_once_keep_one_record(keeper: Keeper) -> None:
    answers = await asyncio.gather(*(keeper.keep(ANN, {"text": "a"}, Idempotency_Key="one") for _ in range(20)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["uri"] for answer in answers}) == 1
    assert len((await keeper.page(ANN.did, answers[0])).json["items"]) == 1


async def test_a_dry_run_says_what_would_happen_and_leaves_nothing(keeper: Keeper) -> None:
    before = keeper.registry.appended()
    path = f"/records/{ANN.did}/{NOTES}/first"
    told = await keeper.registry.ask("PUT", path + "?dry_run=true", {"value": {"text": "a"}}, by=ANN)
    assert (told.status, told.json["result"]["value"], told.json["result"]["cid"]) == (
        200,
        {"text": "a"},
        cid({"text": "a"}),
    )
    wrong = await keeper.registry.ask("PUT", path + "?dry_run=true", {"value": {}}, by=ANN)
    assert wrong.code == "schema_violation"
    gone = await keeper.registry.ask("DELETE", path + "?dry_run=true", by=ANN)
    assert gone.code == "not_found"
    erased = await keeper.registry.ask("POST", f"/dids/{ANN.did}/erase?dry_run=true", {"confirm": ANN.did}, by=ANN)
    assert (erased.status, erased.json["dry_run"]) == (200, True)
    assert keeper.registry.appended() == before
    async with keeper.postgres.snapshot() as transaction:
        assert await transaction.rows("SELECT did FROM muniment.vault_keys") == []


async def test_a_write_that_is_not_waited_for_is_told_of_without_its_value(keeper: Keeper) -> None:
    sent = await keeper.keep(ANN, {"text": "a secret"}, "first", Prefer="respond-async")
    assert sent.status == 202
    ruled = await keeper.registry.ruled(sent.headers["Location"])
    assert ruled.json["result"]["uri"] == f"mun://{ANN.did}/{NOTES}/first"
    assert "secret" not in ruled.text


async def test_a_record_is_read_as_of_a_moment(keeper: Keeper) -> None:
    first = await keeper.put(ANN, "first", {"text": "a"})
    await asyncio.sleep(0.01)
    second = await keeper.put(ANN, "first", {"text": "b"})
    await asyncio.sleep(0.01)
    gone = await keeper.delete(ANN, "first")
    await asyncio.sleep(0.01)
    anew = await keeper.put(ANN, "first", {"text": "c"})
    for answer, text in ((first, "a"), (second, "b"), (gone, None), (anew, "c")):
        shown = await keeper.show(ANN.did, "first", as_of=answer.headers["Muniment-Position"])
        assert (shown.json["value"]["text"] if text else shown.code) == (text or "not_found")
    for at, text in ((first.json["indexed_at"], "a"), (second.json["updated_at"], "b"), (anew.json["indexed_at"], "c")):
        shown = await keeper.show(ANN.did, "first", as_of=at)
        assert shown.json["value"] == {"text": text}
    assert (await keeper.show(ANN.did, "first", as_of=rfc3339(0))).code == "not_found"
    assert (await keeper.show(ANN.did, "first", as_of="yesterday")).code == "invalid_request"


async def test_what_does_not_open_is_never_shown_as_something_else(keeper: Keeper) -> None:
    kept = await keeper.put(ANN, "first", {"text": "a"})
    await keeper.show(ANN.did, "first", kept)
    async with keeper.postgres.transaction() as transaction:
        await transaction.run("UPDATE records_g1.records SET value = NULL")
    answer = await keeper.show(ANN.did, "first")
    assert (answer.status, answer.code) == (500, "internal")
