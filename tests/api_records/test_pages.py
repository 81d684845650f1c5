"""Lists of records over HTTP: their order, their cursors, and walks while others write."""

import asyncio

from tests.api_records.keeping import NOTES, Keeper, person

ANN, BEN = person(1), person(2)


async def walked(keeper: Keeper, limit: int = 3) -> list[str]:
    """Walk through Ann's notes, with writes between the pages, and give the texts."""
    found, cursor, number = list[str](), None, 0
    while True:
        page = (await keeper.page(ANN.did, limit=limit, cursor=cursor)).json
        found += [item["value"]["text"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
        number += 1
        await asyncio.gather(
            keeper.put(ANN, f"r{number % 10}", {"text": f"changed {number}"}),
            keeper.delete(ANN, f"r{9 - number % 10}"),
            keeper.keep(ANN, {"text": f"new {number}"}),
        )


async def test_the_newest_come_first_and_an_update_moves_nothing(keeper: Keeper) -> None:
    for number in range(4):
        await keeper.put(ANN, f"r{number}", {"text": str(number)})
        await asyncio.sleep(0.002)
    last = await keeper.put(ANN, "r0", {"text": "again"})
    items = (await keeper.page(ANN.did, last)).json["items"]
    assert [item["value"]["text"] for item in items] == ["3", "2", "1", "again"]
    assert [item["uri"].rsplit("/", 1)[1] for item in items] == ["r3", "r2", "r1", "r0"]


async def test_a_walk_shows_each_record_once_as_it_was_when_it_began(keeper: Keeper) -> None:
    for number in range(10):
        last = await keeper.put(ANN, f"r{number}", {"text": str(number)})
    await keeper.page(ANN.did, last)
    assert sorted(await walked(keeper)) == [str(number) for number in range(10)]


async def test_the_same_cursor_gives_the_same_page_for_ever(keeper: Keeper) -> None:
    for number in range(6):
        last = await keeper.put(ANN, f"r{number}", {"text": str(number)})
    cursor = (await keeper.page(ANN.did, last, limit=2)).json["next_cursor"]
    first = (await keeper.page(ANN.did, limit=2, cursor=cursor)).json
    for number in range(6):
        last = await keeper.put(ANN, f"r{number}", {"text": "changed"})
    await keeper.delete(ANN, "r3")
    assert (await keeper.page(ANN.did, last, limit=2, cursor=cursor)).json == first


async def test_all_collections_of_an_owner_come_in_one_list(keeper: Keeper) -> None:
    await keeper.collection("org.example.other", {})
    await keeper.keep(ANN, {"text": "a"}, "a")
    await keeper.registry.ask("POST", "/records", {"collection": "org.example.other", "rkey": "a", "value": 1}, by=ANN)
    last = await keeper.keep(ANN, {"text": "b"}, "b")
    items = (await keeper.read("/records", last, did=ANN.did)).json["items"]
    assert {item["uri"].removeprefix(f"mun://{ANN.did}/") for item in items} == {
        f"{NOTES}/a",
        f"{NOTES}/b",
        "org.example.other/a",
    }
    assert (await keeper.read("/records", did=BEN.did)).json == {"items": [], "next_cursor": None}


async def test_a_cursor_is_of_its_list_alone(keeper: Keeper) -> None:
    for number in range(3):
        last = await keeper.put(ANN, f"r{number}", {"text": str(number)})
    cursor = (await keeper.page(ANN.did, last, limit=1)).json["next_cursor"]
    for answer in (
        await keeper.page(BEN.did, cursor=cursor),
        await keeper.read("/records", did=ANN.did, cursor=cursor),
        await keeper.page(ANN.did, cursor="bm9uZQ"),
    ):
        assert (answer.status, answer.code) == (400, "invalid_cursor")
    assert (await keeper.page(ANN.did, limit=101)).code == "invalid_request"
