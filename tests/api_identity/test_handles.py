"""Handles over HTTP: claimed before they are taken, by one of those who want it; who loses leaves nothing behind."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from domain.identity.identifier import identifier
from tests.api.serving import Registry, running
from tests.api_identity.owning import handle_at, owned, owner, send

DAY_MS = 86_400_000


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    """Run an api with its decider."""
    async with running() as found:
        yield found


async def test_a_genesis_takes_the_handle_that_was_claimed_for_it(registry: Registry) -> None:
    ada = owner(registry, "ada")
    answer = await ada.create("ada")
    assert (answer.status, answer.json["alsoKnownAs"]) == (201, ["mun://ada"])
    held = handle_at(registry, "ada")
    assert held is not None
    assert (held.did, held.status) == (ada.did, "claimed"), "a reactor confirms it"
    appended = registry.appended()
    again = await send(registry, ada.genesis("ada"))
    assert (again.status, again.json, registry.appended()) == (200, answer.json, appended)


async def test_of_two_who_want_one_handle_at_once_one_gets_it_and_the_other_leaves_nothing(registry: Registry) -> None:
    pair = [owner(registry, "ada"), owner(registry, "bob")]
    answers = await asyncio.gather(*(each.create("ada") for each in pair))
    assert sorted(answer.status for answer in answers) == [201, 409]
    won, lost = pair if answers[0].status == 201 else reversed(pair)
    held = handle_at(registry, "ada")
    assert held is not None
    assert held.did == won.did
    assert [answer.code for answer in answers if answer.status == 409] == ["handle_taken"]
    assert identifier(registry.api.mirror.store, lost.did) is None  # type: ignore[arg-type]  # only asked by key
    # Refused for good under its own content; without the handle it is another genesis.
    assert (await lost.create("ada")).headers["Idempotency-Hit"] == "true"
    assert (await lost.create()).status == 201
    taken = await lost.say("set_handle", handle="ada")
    assert (taken.status, taken.code, taken.json["handle"]) == (409, "handle_taken", "ada")
    assert (await lost.say("set_handle", handle="bob")).json["alsoKnownAs"] == ["mun://bob"]


async def test_two_at_once_of_the_same_genesis_are_one(registry: Registry) -> None:
    ada = owner(registry, "ada")
    answers = await asyncio.gather(ada.create("ada"), ada.create("ada"))
    assert sorted(answer.status for answer in answers) == [200, 201]
    assert answers[0].json == answers[1].json


async def test_what_is_refused_anyway_claims_no_handle(registry: Registry) -> None:
    ada = await owned(registry, "ada", handle="ada")
    appended = registry.appended()
    soon = await ada.say("set_handle", handle="lovelace")
    assert (soon.status, soon.code) == (409, "handle_change_too_soon")
    assert soon.json["allowed_at"].endswith("Z")
    same = await ada.say("set_handle", handle="ada")
    assert (same.status, same.json["reason"]) == (400, "same_handle")
    stale = await ada.say("set_handle", prev="sha256-" + "A" * 43, handle="lovelace")
    assert (stale.status, stale.code, stale.json["head"]) == (409, "stale_prev", ada.head)
    assert (registry.appended(), handle_at(registry, "lovelace")) == (appended + 3, None)


async def test_a_handle_changes_after_thirty_days_and_a_refusal_may_be_asked_about_anew(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await owned(registry, "ada", handle="ada")
    assert (await ada.say("set_handle", handle="lovelace")).code == "handle_change_too_soon"
    clock = SimpleNamespace(
        time_ns=lambda: time.time_ns() + 30 * DAY_MS * 1_000_000, monotonic=time.monotonic, time=time.time
    )
    monkeypatch.setattr("log.memory.time", clock)
    monkeypatch.setattr("api.appending.time", SimpleNamespace(time=lambda: time.time() + 30 * DAY_MS / 1000))
    monkeypatch.setattr("api.did_claims.time", clock)
    again = await ada.say("set_handle", handle="lovelace")
    assert (again.code, again.headers["Idempotency-Hit"]) == ("handle_change_too_soon", "true")
    anew = await send(registry, ada.sign("set_handle", handle="lovelace"), ada.did, Idempotency_Key="a month later")
    assert (anew.status, anew.json["alsoKnownAs"]) == (201, ["mun://lovelace"])


async def test_without_a_decider_nothing_is_answered_and_sent_again_it_is_done(registry: Registry) -> None:
    ada = owner(registry, "ada")
    await registry.stop_decider()
    waiting = await ada.create("ada")
    assert (waiting.status, waiting.code, waiting.json["retryable"]) == (504, "outcome_unknown", True)
    registry.start_decider()
    answer = await ada.create("ada")
    assert (answer.status, answer.json["alsoKnownAs"]) == (201, ["mun://ada"])
