"""What a write answers when the log or the decider is away, and how one that wasn't waited for is asked about."""

import asyncio

import pytest

from api.appending import encode
from api.fact_requests import FactRequest, fact_statement, intent_of
from api.shapes import fit
from domain.facts.kinds import SUBJECT_TYPES
from log import topic
from tests.api.serving import Registry, key, running, star


async def test_while_the_log_is_away_nothing_is_appended_and_the_caller_may_try_again(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    await registry.session(curator)
    before = registry.appended()
    registry.log.reachable = False
    for path, body in (("/facts", star(curator)), ("/facts?dry_run=false", star(curator))):
        answer = await registry.ask("POST", path, body, by=curator)
        assert (answer.status, answer.code, answer.json["retryable"]) == (503, "log_unavailable", True)
        assert int(answer.headers["Retry-After"]) > 0
    batch = await registry.ask("POST", "/facts/batch", {"facts": [star(curator)]}, by=curator)
    assert batch.json["items"][0]["problem"]["code"] == "log_unavailable"
    waiting = {"Prefer": "respond-async"}
    assert (await registry.ask("POST", "/facts", star(curator), by=curator, headers=waiting)).code == "log_unavailable"
    assert registry.appended() == before
    registry.log.reachable = True
    answer = await registry.until(lambda: registry.ask("POST", "/facts", star(curator), by=curator), {200, 201})
    assert answer.json["status"] == "active"


async def test_without_a_decider_the_outcome_is_unknown_and_the_same_request_finds_it(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    await registry.session(curator)
    await registry.stop_decider()
    sent, headers = star(curator), {"Idempotency-Key": "k"}
    answer = await registry.ask("POST", "/facts", sent, by=curator, headers=headers)
    assert (answer.status, answer.code) == (504, "outcome_unknown")
    assert answer.json["retryable"] is True
    name = answer.json["command_id"]
    pending = await registry.ask("GET", f"/commands/{name}")
    assert (pending.status, pending.json) == (200, {"id": name, "type": "IssueFact", "status": "pending"})
    registry.start_decider()
    found = await registry.ruled(f"/commands/{name}")
    assert found.json["status"] == "accepted"
    again = await registry.ask("POST", "/facts", sent, by=curator, headers=headers)
    assert (again.status, again.json) == (200, found.json["result"])
    assert again.headers["Idempotency-Hit"] == "true"


async def test_a_write_that_is_not_waited_for_is_found_by_its_location(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    headers = {"Prefer": "respond-async, wait=5"}
    sent = await registry.ask("POST", "/facts", star(curator), by=curator, headers=headers)
    assert sent.status == 202
    location = sent.headers["Location"]
    assert sent.json == {"id": location.removeprefix("/commands/"), "type": "IssueFact", "status": "pending"}
    found = await registry.ruled(location)
    assert found.json["result"]["status"] == "active"
    assert found.headers["Muniment-Position"] == found.json["position"]
    short = await registry.ask("GET", "/commands/" + found.json["id"].split(".")[0])
    assert short.json["result"] == found.json["result"]
    refused = await registry.ask("POST", "/facts", star(curator, reason="x"), by=curator, headers=headers)
    found = await registry.ruled(refused.headers["Location"])
    assert (found.json["status"], found.json["problem"]["code"]) == ("refused", "already_active")
    hit = await registry.ask("POST", "/facts", star(curator), by=curator, headers=headers)
    assert (hit.status, hit.headers["Idempotency-Hit"]) == (200, "true")


@pytest.mark.parametrize(
    "name",
    ["x", "cmd_x", "cmd_" + "a" * 52, "cmd_" + "a" * 52 + ".facts.0.0", "cmd_" + "a" * 52 + ".facts.99.0"],
)
async def test_a_command_that_there_is_not_is_not_found(registry: Registry, name: str) -> None:
    answer = await registry.ask("GET", f"/commands/{name}")
    assert (answer.status, answer.code) == (404, "not_found")


async def test_a_webhooks_command_is_for_admins_and_never_shows_its_secret(registry: Registry) -> None:
    headers = {"Prefer": "respond-async"}
    body = {"url": "https://93.184.215.14/"}
    sent = await registry.ask("POST", "/webhooks", body, by=registry.operator, headers=headers)
    location = sent.headers["Location"]
    found = await registry.ruled(location, by=registry.operator)
    assert found.json["result"]["url"] == body["url"]
    assert "secret" not in found.json["result"]
    assert (await registry.ask("GET", location)).code == "not_found"
    assert (await registry.ask("GET", location, by=key(4))).code == "not_found"


async def test_a_read_waits_for_its_position_and_says_when_it_was_not_reached(registry: Registry) -> None:
    from log.token import write_token

    curator = await registry.signer(1, "curator")
    sent = await registry.ask("POST", "/facts", star(curator), by=curator)
    name = (await registry.ask("POST", "/facts", star(curator), by=curator, headers={"Prefer": "respond-async"})).json
    assert name["status"] == "active"  # it was ruled on: answered at once
    position = sent.headers["Muniment-Position"]
    path = "/commands/cmd_" + "a" * 52
    assert (await registry.ask("GET", f"{path}?min_position={position}")).code == "not_found"
    ahead = write_token({("facts", 0): 10**6})
    answer = await registry.ask("GET", f"{path}?min_position={ahead}&wait_ms=10")
    assert (answer.status, answer.code) == (503, "not_caught_up")
    assert int(answer.headers["Retry-After"]) >= 1
    elsewhere = write_token({("weather", 0): 10**6})
    assert (await registry.ask("GET", f"{path}?min_position={elsewhere}")).code == "not_found"
    for query in ("min_position=x", "min_position=", "wait_ms=10001", "wait_ms=-1", "wait_ms=1_0", "min_position"):
        assert (await registry.ask("GET", f"{path}?{query}")).code == "invalid_request"


async def test_a_repeat_long_after_the_first_is_read_back_from_the_log(registry: Registry) -> None:
    body, headers = {"did": key(1).did, "roles": ["curator"]}, {"Idempotency-Key": "k"}
    first = await registry.ask("POST", "/signers", body, by=registry.operator, headers=headers)
    registry.api.replies._recent.clear()
    again = await registry.ask("POST", "/signers", body, by=registry.operator, headers=headers)
    assert (again.status, again.json, again.headers["Idempotency-Hit"]) == (201, first.json, "true")
    registry.api.replies._recent.clear()
    registry.log.reachable = False
    away = await registry.ask("POST", "/signers", body, by=registry.operator, headers=headers)
    assert (away.status, away.code) == (503, "log_unavailable")


async def test_two_apis_give_one_fact_one_outcome() -> None:
    async with running() as one, running(log=one.log, decides=False) as two:
        curator = await one.signer(1, "curator")
        await asyncio.gather(one.session(curator), two.session(curator))
        async with asyncio.timeout(5):
            while not two.api.roles(curator.did):
                await two.api.mirror.moved(0.1)
        for number in range(10):
            sent = star(curator, f"pl_{number}")
            answers = await asyncio.gather(*(each.ask("POST", "/facts", sent, by=curator) for each in (one, two)))
            assert sorted(answer.status for answer in answers) == [200, 201]
            assert answers[0].json == answers[1].json


async def test_a_command_for_a_fact_that_is_there_already_shows_that_fact(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    sent = star(curator)
    first = (await registry.ask("POST", "/facts", sent, by=curator)).json
    statement = fact_statement(fit(FactRequest, sent), SUBJECT_TYPES)
    intent = intent_of(statement, "another process was asked with another key")
    partition = registry.api.partition(intent.key)
    offset = await (
        await registry.log.append(topic.commands("facts"), partition, [(intent.key.encode(), encode(intent))])
    )
    shown = (await registry.ruled(f"/commands/{intent.id}.facts.{partition}.{offset}")).json
    assert (shown["status"], shown["result"]) == ("accepted", first)
