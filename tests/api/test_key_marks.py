"""A key that was in other hands: what it signed from then on is marked, keeps its status and counts no more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from domain.facts.fact import Fact, fact_key
from log.following import follow
from log.store import MemoryStore
from processors.key_marks import CONTEXTS, KeyMarks, KeyMarksAgenda
from processors.reactor_commands import ReactorCommands
from tests.api.registered import Person, key_of, person
from tests.api.serving import Registry, star


@contextlib.asynccontextmanager
async def following(registry: Registry, agenda: KeyMarksAgenda, *contexts: str) -> AsyncIterator[None]:
    """Feed a reactor's part in this."""
    loops = [asyncio.create_task(follow(registry.log, context, agenda)) for context in contexts]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


@contextlib.asynccontextmanager
async def marking(registry: Registry, store: MemoryStore) -> AsyncIterator[None]:
    """Run a reactor's part in this over a store, which another may go on with."""
    agenda = KeyMarksAgenda(store)
    marks = KeyMarks(agenda, ReactorCommands(registry.log), lambda: True)
    running = asyncio.create_task(marks.run())
    try:
        async with following(registry, agenda, *CONTEXTS):
            yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def curator(registry: Registry) -> Person:
    """Register a DID that may star."""
    ada = await person(registry, "ada", key_of("main"), key_of("other", "p256"))
    answer = await registry.ask("POST", "/signers", {"did": ada.did, "roles": ["curator"]}, by=registry.operator)
    assert answer.status == 201, answer.text
    return ada


async def starred(registry: Registry, ada: Person, ref: str, key_id: str = "main") -> tuple[str, int]:
    """Star a playlist; give the fact's id and when the log had it (ms)."""
    by = ada.signer(key_id, "p256" if key_id == "other" else "ed25519")
    answer = await registry.ask("POST", "/facts", star(by, ref), by=ada.signer("main"))
    assert answer.status == 201, answer.text
    entry = registry.api.mirror.get(f"issued/{answer.json['id']}")
    assert entry is not None
    await asyncio.sleep(0.002)  # the next has another millisecond
    return str(answer.json["id"]), int(entry[13])


def mark_of(registry: Registry, fact_id: str) -> str | None:
    """Give by whose word a fact is marked."""
    entry = registry.api.mirror.get(fact_key(fact_id))
    assert entry is not None
    return Fact(*entry).compromised_by


async def until_marked(registry: Registry, marked: set[str], clean: set[str]) -> None:
    """Wait until just these facts are marked, and see that it stays so."""

    def right() -> bool:
        return all(mark_of(registry, each) for each in marked) and not any(mark_of(registry, each) for each in clean)

    async with asyncio.timeout(10):
        while not right():
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert right()


async def compromised(ada: Person, since: int) -> None:
    """Say that the main key was in other hands from a moment on."""
    await ada.revoke("main", "compromised", since)


async def again(registry: Registry, ada: Person, ref: str) -> dict[str, Any]:
    """Send a star again by a key that holds: it is answered with the fact as it is now."""
    by = ada.signer("other", "p256")
    registry.tokens.clear()
    answer = await registry.ask("POST", "/facts", star(by, ref), by=by)
    assert (answer.status, answer.headers["Idempotency-Hit"]) == (200, "true"), answer.text
    found: dict[str, Any] = answer.json
    return found


async def test_just_what_the_key_signed_from_that_moment_on_is_marked_by_the_event_that_said_so(
    registry: Registry,
) -> None:
    ada = await curator(registry)
    before, _ = await starred(registry, ada, "one")
    after, at = await starred(registry, ada, "two")
    other, _ = await starred(registry, ada, "three", "other")
    async with marking(registry, MemoryStore()):
        await compromised(ada, at)
        await until_marked(registry, {after}, {before, other})
    word = mark_of(registry, after)
    assert word is not None
    assert word.startswith("KeyRevoked identity/")
    shown = await again(registry, ada, "two")
    assert (shown["status"], shown["key_compromised"], shown["key_compromised_by"]) == ("active", True, word)
    assert "key_compromised" not in await again(registry, ada, "one")


async def test_a_moment_that_moves_earlier_marks_more(registry: Registry) -> None:
    ada = await curator(registry)
    one, first = await starred(registry, ada, "one")
    two, second = await starred(registry, ada, "two")
    async with marking(registry, MemoryStore()):
        await compromised(ada, second)
        await until_marked(registry, {two}, {one})
        await compromised(ada, first)
        await until_marked(registry, {one, two}, set())


async def test_a_reactor_that_begins_anew_marks_nothing_twice_and_takes_nothing_back(registry: Registry) -> None:
    ada = await curator(registry)
    one, at = await starred(registry, ada, "one")
    two, _ = await starred(registry, ada, "two", "other")
    async with marking(registry, MemoryStore()):
        await compromised(ada, at)
        await until_marked(registry, {one}, {two})
    word = mark_of(registry, one)
    for _ in range(3):
        async with marking(registry, MemoryStore()):
            await asyncio.sleep(0.2)
    assert (mark_of(registry, one), mark_of(registry, two)) == (word, None)


async def test_a_mark_is_not_taken_back_by_who_has_not_read_the_word_for_it(registry: Registry) -> None:
    ada = await curator(registry)
    one, at = await starred(registry, ada, "one")
    agenda = KeyMarksAgenda(MemoryStore())
    late = KeyMarks(agenda, ReactorCommands(registry.log), lambda: True)
    async with following(registry, agenda, "identity"):
        await asyncio.sleep(0.1)
    async with marking(registry, MemoryStore()):
        await compromised(ada, at)
        await until_marked(registry, {one}, set())
    async with following(registry, agenda, "facts"):
        await asyncio.sleep(0.2)
        assert await late.ask() == 0
    async with following(registry, agenda, "identity"):
        await asyncio.sleep(0.2)
        assert await late.ask() == 0


async def test_what_comes_after_its_key_was_marked_is_marked_when_it_is_read(registry: Registry) -> None:
    ada = await curator(registry)
    one, at = await starred(registry, ada, "one")
    agenda = KeyMarksAgenda(MemoryStore())
    late = KeyMarks(agenda, ReactorCommands(registry.log), lambda: True)
    await compromised(ada, at)
    async with following(registry, agenda, "identity"):
        await asyncio.sleep(0.1)
        assert await late.ask() == 0
    async with following(registry, agenda, "facts"):
        await asyncio.sleep(0.2)
        assert await late.ask() == 1
        await until_marked(registry, {one}, set())
