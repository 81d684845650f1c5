"""Feeds: whose posts, in which order, from when; what leaves them at once, and what stays until a walk is over."""

import base64

from tests.api.serving import Answer
from tests.gateway.crowd import FOLLOW, POST, Crowd, person, texts

ANN, BEN, EVE, ZOE = (person(number) for number in range(1, 5))


async def walked(crowd: Crowd, first: Answer, path: str, by: object = None) -> list[str]:
    """Walk on from a first page."""
    found, cursor = texts(first), first.json["next_cursor"]
    while cursor is not None:
        page = await crowd.read(path, by, limit=2, cursor=cursor)  # type: ignore[arg-type]
        found += texts(page)
        cursor = page.json["next_cursor"]
    return found


async def test_an_authors_posts_are_the_records_that_they_are_newest_first(crowd: Crowd) -> None:
    uris = [await crowd.post(ANN, text) for text in ("one", "two")]
    await crowd.post(BEN, "not hers")
    await crowd.follow(ANN, BEN.did)
    answer = await crowd.read(f"/feeds/author/{ANN.did}")
    assert [each["uri"] for each in answer.json["items"]] == uris[::-1]
    assert answer.json["next_cursor"] is None
    assert "Muniment-As-Of" in answer.headers
    record = await crowd.read("/records/" + uris[0].removeprefix("mun://"))
    assert answer.json["items"][1] == record.json
    nobody = await crowd.read(f"/feeds/author/{ZOE.did}")
    assert nobody.json == {"items": [], "next_cursor": None}
    assert (await crowd.read("/feeds/author/nobody")).code == "invalid_request"


async def test_a_feed_has_the_posts_of_all_whom_its_reader_follows_and_unfollowing_shows_at_once(crowd: Crowd) -> None:
    assert (await crowd.read("/feeds/following")).code == "unauthenticated"
    assert await crowd.following(ANN) == []
    for text, by in (("b1", BEN), ("e1", EVE), ("b2", BEN), ("z1", ZOE)):
        await crowd.post(by, text)
    of_ben, again = await crowd.follow(ANN, BEN.did), await crowd.follow(ANN, BEN.did)
    of_eve = await crowd.follow(ANN, EVE.did)
    assert await crowd.following(ANN) == ["b2", "e1", "b1"]
    assert await crowd.following(BEN) == []
    await crowd.forget(ANN, FOLLOW, of_ben)
    assert await crowd.following(ANN) == ["b2", "e1", "b1"]
    await crowd.forget(ANN, FOLLOW, again)
    assert await crowd.following(ANN) == ["e1"]
    await crowd.follow(ANN, ZOE.did, of_eve)
    assert await crowd.following(ANN) == ["z1"]


async def test_a_walk_neither_repeats_nor_skips_while_others_post_change_and_let_go(crowd: Crowd) -> None:
    for number in range(5):
        await crowd.post(BEN, f"b{number}", f"b{number}")
        await crowd.post(EVE, f"e{number}", f"e{number}")
    for followed in (BEN, EVE):
        await crowd.follow(ANN, followed.did)
    order = [f"{name}{number}" for number in range(4, -1, -1) for name in "eb"]
    path = f"/feeds/author/{BEN.did}"
    mixed, alone = await crowd.read("/feeds/following", ANN, limit=2), await crowd.read(path, limit=2)
    for text in ("new", "newer"):
        await crowd.post(BEN, text)
    await crowd.post(BEN, "another word", "b1")
    await crowd.forget(BEN, POST, "b0")
    await crowd.forget(EVE, POST, "e4")
    await crowd.follow(ANN, ZOE.did)
    await crowd.post(ZOE, "later")
    assert await walked(crowd, mixed, "/feeds/following", ANN) == order
    assert await walked(crowd, alone, path) == [each for each in order if each[0] == "b"]
    now = await crowd.following(ANN)
    assert now == ["later", "newer", "new", "b4", "e3", "b3", "e2", "b2", "e1", "another word", "e0"]
    changed = (await crowd.read(path)).json["items"][-1]
    assert changed["updated_at"] > changed["indexed_at"]


async def test_unfollowing_shows_within_a_walk_too(crowd: Crowd) -> None:
    for number in range(4):
        await crowd.post(BEN, f"b{number}")
        await crowd.post(EVE, f"e{number}")
    await crowd.follow(ANN, BEN.did)
    of_eve = await crowd.follow(ANN, EVE.did)
    first = await crowd.read("/feeds/following", ANN, limit=2)
    await crowd.forget(ANN, FOLLOW, of_eve)
    assert await walked(crowd, first, "/feeds/following", ANN) == ["e3", "b3", "b2", "b1", "b0"]


async def test_a_cursor_is_of_its_feed_alone(crowd: Crowd) -> None:
    for text in ("a", "b", "c"):
        await crowd.post(BEN, text)
    cursor = (await crowd.read(f"/feeds/author/{BEN.did}", limit=1)).json["next_cursor"]
    for sent in (cursor[:-1], cursor + "A", "x", base64.urlsafe_b64encode(b"[]").decode()):
        assert (await crowd.read(f"/feeds/author/{BEN.did}", cursor=sent)).code == "invalid_cursor", sent
    assert (await crowd.read(f"/feeds/author/{EVE.did}", cursor=cursor)).code == "invalid_cursor"
    assert (await crowd.read("/feeds/following", BEN, cursor=cursor)).code == "invalid_cursor"
    for limit in ("0", "101", "x"):
        assert (await crowd.read(f"/feeds/author/{BEN.did}", limit=limit)).code == "invalid_request"


async def test_who_was_erased_leaves_every_feed_and_a_follow_of_them_stays(crowd: Crowd) -> None:
    await crowd.post(BEN, "b")
    await crowd.post(EVE, "e")
    for followed in (BEN, EVE):
        await crowd.follow(ANN, followed.did)
    await crowd.follow(EVE, BEN.did)
    await crowd.show_as(EVE, "Eve")
    first = await crowd.read("/feeds/following", ANN, limit=1)
    assert [(await crowd.profile(who.did))["followers"] for who in (BEN, EVE)] == [2, 1]
    await crowd.erase(EVE)
    assert await crowd.following(ANN) == ["b"]
    assert texts(await crowd.read("/feeds/following", ANN, cursor=first.json["next_cursor"])) == ["b"]
    for path in (f"/feeds/author/{EVE.did}", f"/profiles/{EVE.did}"):
        assert ((gone := await crowd.read(path)).status, gone.code) == (410, "erased")
    assert (await crowd.read("/feeds/following", EVE)).code == "erased"
    people = (await crowd.read("/profiles", ids=f"{EVE.did},{BEN.did}")).json["items"]
    assert [(each["did"], each["followers"]) for each in people] == [(BEN.did, 1)]
    assert (await crowd.profile(ANN.did))["following"] == 2
    assert await crowd.search("Eve", type="profiles") == []
    assert await crowd.search("e") == []


async def test_a_position_that_is_not_reached_is_waited_for_and_then_told(crowd: Crowd) -> None:
    await crowd.post(ANN, "a")
    far = {"min_position": "x", "wait_ms": 0}
    for path, by in ((f"/feeds/author/{ANN.did}", None), ("/feeds/following", ANN), (f"/profiles/{ANN.did}", None)):
        assert (await crowd.read(path, by, **far)).code == "invalid_request"
    crowd.written = {(context, part): offset + 1_000 for (context, part), offset in crowd.written.items()}
    for path, more in (
        (f"/feeds/author/{ANN.did}", {}),
        (f"/profiles/{ANN.did}", {}),
        ("/profiles", {"ids": ANN.did}),
        ("/search", {"q": "a"}),
    ):
        answer = await crowd.read(path, wait_ms=0, **more)
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "not_caught_up", "1")
