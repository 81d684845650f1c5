"""Search: what matches and how it is shown, and that no text that is sought does anything but seek."""

import html
import re
from random import Random

from tests.gateway.crowd import POST, Crowd, person, texts

ANN, BEN, EVE = (person(number) for number in range(21, 24))
HOSTILE = (
    "'", "''; DROP TABLE records; --", '"', '"unclosed', "\\", "%", "%%", "%s", "{}", "$1", "\0", "a\0b", "\x02\x03",
    "&", "|", "!", "!!", "<->", "a <-> b", "a:*", ":*", "(", ")", "((((", "a & | b", "or", "or or", "and", "-", "--",
    "-a", "- -a", '-"a b"', '""', '" "', "*", "<script>alert(1)</script>", "&lt;", "\u200b", "\ufffd", "\uffff",
    "\U0001f600", "\U00020000", "\U000e0001", "\U0010ffff", "e\u0301", "\u202e", "\ufeff", " ", "\t\n", "a" * 512,
    "a " * 256, "-a " * 170, '"a" or ' * 70, "x" * 256 + " " + "y" * 255,
)  # fmt: skip


async def test_posts_are_found_by_words_phrases_alternatives_and_what_must_not_be_there(crowd: Crowd) -> None:
    uris = {
        text: await crowd.post(by, text)
        for by, text in ((ANN, "The blue sea"), (BEN, "A sea that is blue"), (ANN, "red house"), (EVE, "Straße 42"))
    }

    async def found(q: str, **more: str) -> set[str]:
        return {each["value"]["text"] for each in await crowd.search(q, **more)}

    assert await found("sea") == {"The blue sea", "A sea that is blue"}
    assert await found("SEA blue") == {"The blue sea", "A sea that is blue"}
    assert await found('"blue sea"') == {"The blue sea"}
    assert await found("sea -that") == {"The blue sea"}
    assert await found("house or straße") == {"red house", "Straße 42"}
    assert await found("seas") == await found("-sea") == await found("the and") == set()
    (one,) = await crowd.search("house")
    record = (await crowd.read("/records/" + uris["red house"].removeprefix("mun://"))).json
    assert one == {**record, "highlight": "red <mark>house</mark>"}


async def test_words_are_taken_by_their_stems_in_the_language_that_is_named(crowd: Crowd) -> None:
    for text in ("She was running home", "zwei Häuser am See", "run -d mc"):
        await crowd.post(ANN, text)

    async def found(q: str, lang: str | None = None) -> list[str]:
        more = {} if lang is None else {"lang": lang}
        return sorted(each["value"]["text"] for each in await crowd.search(q, **more))

    assert await found("run") == ["run -d mc"]
    assert await found("runs", "en") == ["She was running home", "run -d mc"]
    assert await found("Haus", "de") == ["zwei Häuser am See"]
    assert await found("Haus") == await found("Haus", "en") == []
    assert await found("the", "en") == []
    assert await found("home -run") == ["She was running home"]
    assert await found("home -run", "en") == []
    assert (await crowd.read("/search", q="a", lang="xx")).code == "invalid_request"


async def test_the_best_comes_first_then_the_newest_and_a_walk_shows_each_once(crowd: Crowd) -> None:
    for number in range(5):
        await crowd.post(ANN, f"a sea, number {number}", f"r{number}")
    await crowd.post(BEN, "sea sea sea")
    order = ["sea sea sea", *(f"a sea, number {number}" for number in range(4, -1, -1))]
    assert [each["value"]["text"] for each in await crowd.search("sea")] == order
    page = await crowd.read("/search", q="sea", limit=2)
    walked = texts(page)
    await crowd.post(EVE, "sea sea sea sea")
    await crowd.post(ANN, "no such word any more", "r1")
    await crowd.forget(ANN, POST, "r0")
    other = await crowd.read("/search", q="house", limit=2, cursor=page.json["next_cursor"])
    assert other.code == "invalid_cursor"
    while page.json["next_cursor"] is not None:
        page = await crowd.read("/search", q="sea", limit=2, cursor=page.json["next_cursor"])
        walked += texts(page)
    assert walked == order
    now = [each["value"]["text"] for each in await crowd.search("sea")]
    assert now == ["sea sea sea sea", "sea sea sea", *order[1:4]]


async def test_people_are_found_by_what_they_say_of_themselves_and_by_handles_that_look_alike(crowd: Crowd) -> None:
    ada = await crowd.owned("ada", "ada-lovelace")
    await crowd.owned("bob", "bob-the-builder")
    await crowd.show_as(ANN, "Ada of the sea", description="I paint <b>ships</b> & boats")
    await crowd.post(BEN, "ada ships lovelace")
    for q in ("ada-lovelace", "@Ada-Lovelace", "ada-loveliness", "ada-lov", "lovelace"):
        found = await crowd.search(q, type="profiles")
        assert (found[0]["did"], found[0]["handle"]) == (ada.did, "ada-lovelace"), q
    assert (await crowd.search("ada-lovelace", type="profiles"))[0]["highlight"] == "<mark>ada-lovelace</mark>"
    (ann,) = await crowd.search("ships", type="profiles")
    profile = await crowd.profile(ANN.did)
    marked = ann.pop("highlight")
    assert ann == profile
    assert "<mark>ships</mark>" in marked
    both = await crowd.read("/search", q="ada", type="profiles", limit=1)
    rest = await crowd.read("/search", q="ada", type="profiles", limit=1, cursor=both.json["next_cursor"])
    assert {both.json["items"][0]["did"], rest.json["items"][0]["did"]} == {ada.did, ANN.did}
    assert rest.json["next_cursor"] is None
    assert await crowd.search("zzzz-zzzz", type="profiles") == []


async def test_a_passage_is_html_in_which_nothing_is_markup_but_the_marks(crowd: Crowd) -> None:
    for text in (
        "sea <script>alert('sea')</script> & \"sea\"",
        "<mark>sea</mark> \x02 sea \x03",
        "sea <img src=x onerror=alert(1)> sea &lt;b&gt; sea",
        "\0 sea \U0001f30a <b",
    ):
        await crowd.post(ANN, text)
    found = await crowd.search("sea")
    assert len(found) == 4
    for each in found:
        plain = re.sub(r"</?mark>", "", each["highlight"])
        assert html.escape(html.unescape(plain)) == plain, each
        assert "<mark>sea</mark>" in each["highlight"]


async def test_no_text_that_is_sought_does_anything_but_seek(crowd: Crowd) -> None:
    await crowd.post(ANN, "a b or and \U0001f600 x")
    await crowd.show_as(ANN, "a b")
    await crowd.owned("ada", "ada-l")
    chance = Random(7)  # noqa: S311  # the same texts each time
    planes = [point for point in range(1, 0x110000) if not 0xD800 <= point < 0xE000]
    drawn = ["".join(map(chr, chance.choices(planes, k=30))) for _ in range(20)]
    asked = [(q, more) for q in HOSTILE for more in ({"type": "profiles"}, {"lang": "en"})]
    for q, more in (*asked, *((q, {"lang": "de"}) for q in drawn)):
        answer = await crowd.read("/search", q=q, **more)
        assert answer.status == 200, (q, answer.text)
        assert isinstance(answer.json["items"], list)
    for q in ("", "a" * 513, "x" * 4_000):
        assert (await crowd.read("/search", q=q)).code == "invalid_request"
    assert (await crowd.read("/search", q="x" * 10_000)).status == 400
    # Text that no UTF-8 is, and a lone surrogate, are refused or sought as what stands for them.
    for raw in ("%ff", "%ed%a0%80", "%00%ff", "%"):
        assert (await crowd.registry.ask("GET", f"/search?q={raw}")).status in {200, 400}, raw
    assert (await crowd.read("/search")).code == "invalid_request"
    assert [each["value"]["text"] for each in await crowd.search("b")] == ["a b or and \U0001f600 x"]
