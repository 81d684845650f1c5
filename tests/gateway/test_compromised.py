"""What a key wrote while it was in other hands: its record is marked where its owner's are read, and shown nowhere."""

import asyncio
from typing import Any

import pytest

from tests.api.registered import Person, key_of, person
from tests.gateway.crowd import FOLLOW, POST, Crowd, texts
from tests.gateway.crowd import person as stranger

pytestmark = pytest.mark.stack
BEN = stranger(21)


async def ada_of(crowd: Crowd) -> Person:
    """Register a DID with two keys."""
    return await person(crowd.registry, "ada", key_of("main"), key_of("other", "p256"))


async def record(crowd: Crowd, uri: str, **query: Any) -> Any:
    """Read a record."""
    answer = await crowd.read(f"/records/{uri.removeprefix('mun://')}", **query)
    assert answer.status == 200, answer.text
    return answer.json


async def moment(crowd: Crowd, uri: str) -> int:
    """Give when the log had a record (ms), and let another millisecond begin."""
    found = await record(crowd, uri)
    name = tuple(uri.removeprefix("mun://").split("/"))
    async with crowd.keeper.postgres.transaction() as transaction:
        ((at,),) = await transaction.rows(
            "SELECT at FROM records_g1.records WHERE did = %s AND collection = %s AND rkey = %s AND until_pos IS NULL",
            *name,
        )
    assert found["uri"] == uri
    await asyncio.sleep(0.002)
    return int(at)


async def until_marked(crowd: Crowd, uri: str) -> Any:
    """Wait until what is said of a key is read."""
    async with asyncio.timeout(10):
        while "key_compromised" not in (found := await record(crowd, uri)):
            await asyncio.sleep(0.02)
    return found


async def test_just_what_the_key_wrote_from_that_moment_on_is_marked_and_not_among_posts(crowd: Crowd) -> None:
    ada = await ada_of(crowd)
    main, other = ada.signer("main"), ada.signer("other", "p256")
    await crowd.follow(BEN, ada.did)
    await crowd.show_as(main, "Ada")
    before = await crowd.post(main, "a song of the morning")
    stolen = await crowd.post(main, "a song of the thief")
    since = await moment(crowd, stolen)
    await crowd.show_as(main, "Thief")
    crowd.registry.tokens.clear()  # the next session is opened by another key
    after = await crowd.post(other, "a song of the evening")
    assert (await crowd.profile(ada.did))["posts"] == 3
    await ada.revoke("main", "compromised", since)
    found = await until_marked(crowd, stolen)
    assert found["key_compromised"] is True
    assert found["key_compromised_by"].startswith("KeyRevoked identity/")
    for clean in (before, after):
        assert "key_compromised" not in await record(crowd, clean)
    kept = ["a song of the evening", "a song of the morning"]
    assert texts(await crowd.read(f"/feeds/author/{ada.did}")) == kept
    assert await crowd.following(BEN) == kept
    assert {each["value"]["text"] for each in await crowd.search("song")} == {*kept}
    shown = await crowd.profile(ada.did)
    assert (shown["display_name"], shown["posts"]) == (None, 2)
    listed = (await crowd.read("/records", did=ada.did, collection=POST)).json["items"]
    assert [each.get("key_compromised") for each in listed] == [None, True, None]
    # What is known now is shown of then too.
    assert (await record(crowd, stolen, as_of=found["indexed_at"]))["key_compromised"] is True


async def test_its_owner_writes_over_it_by_a_key_that_holds(crowd: Crowd) -> None:
    ada = await ada_of(crowd)
    stolen = await crowd.post(ada.signer("main"), "by a thief", "one")
    await ada.revoke("main", "compromised", await moment(crowd, stolen))
    await until_marked(crowd, stolen)
    crowd.registry.tokens.clear()
    await crowd.post(ada.signer("other", "p256"), "by Ada", "one")
    assert "key_compromised" not in await record(crowd, stolen)
    assert texts(await crowd.read(f"/feeds/author/{ada.did}")) == ["by Ada"]


async def test_whom_a_thief_followed_is_not_followed(crowd: Crowd) -> None:
    ada = await ada_of(crowd)
    main, other = ada.signer("main"), ada.signer("other", "p256")
    await crowd.post(BEN, "hello")
    follow = await crowd.follow(main, BEN.did, "f")
    assert await crowd.following(main) == ["hello"]
    crowd.registry.tokens.clear()
    await ada.revoke("main", "compromised", await moment(crowd, f"mun://{ada.did}/{FOLLOW}/{follow}"))
    await until_marked(crowd, f"mun://{ada.did}/{FOLLOW}/{follow}")
    assert await crowd.following(other) == []
    assert (await crowd.profile(BEN.did))["followers"] == 0
    assert (await crowd.profile(ada.did))["following"] == 0
    await crowd.follow(other, BEN.did)
    assert await crowd.following(other) == ["hello"]
    assert (await crowd.profile(BEN.did))["followers"] == 1


async def test_a_key_that_is_only_lost_marks_nothing(crowd: Crowd) -> None:
    ada = await ada_of(crowd)
    mine = await crowd.post(ada.signer("main"), "mine")
    await ada.revoke("main", "lost")
    async with asyncio.timeout(10):
        while (await crowd.read(f"/dids/{ada.did}/log")).json["items"][-1]["operation"]["type"] != "revoke":
            await asyncio.sleep(0.02)
    assert "key_compromised" not in await record(crowd, mine)
    assert texts(await crowd.read(f"/feeds/author/{ada.did}")) == ["mine"]
