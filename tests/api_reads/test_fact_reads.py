"""Facts over HTTP: each answer is of one moment, says which, and shows what was written there."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from log.token import read_token, write_token
from muniment.signing_key import SigningKey
from projections.postgres import Postgres
from projections.reads import Reads
from tests.api.serving import Registry, key, star

pytestmark = pytest.mark.stack
UNKNOWN = "fct_" + "a" * 52


async def issue(registry: Registry, by: SigningKey, ref: str, **body: Any) -> dict[str, Any]:
    """Issue a star."""
    answer = await registry.ask("POST", "/facts", star(by, ref, **body), by=by)
    assert answer.status == 201, answer.text
    fact: dict[str, Any] = answer.json
    return fact


async def revoke(registry: Registry, by: SigningKey, fact: dict[str, Any]) -> dict[str, Any]:
    """Revoke a fact."""
    sent = by.sign_revocation(fact["id"], "taste")
    answer = await registry.ask("POST", f"/facts/{fact['id']}/revoke", sent, by=by)
    assert answer.status == 200, answer.text
    return {**answer.json, "at": answer.headers["Muniment-Position"]}


async def test_a_fact_is_read_as_it_was_answered_once_its_position_is_waited_for(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    fact = await issue(registry, curator, "pl\\1", reason="ünïcode \\ and \t tab")
    answer = await registry.ask("GET", f"/facts/{fact['id']}?min_position={fact['position']}")
    assert (answer.status, answer.json) == (200, fact)
    ((where, offset),) = read_token(fact["position"]).items()
    assert read_token(answer.headers["Muniment-As-Of"])[where] >= offset
    revoked = await revoke(registry, curator, fact)
    answer = await registry.ask("GET", f"/facts/{fact['id']}?min_position={revoked.pop('at')}")
    assert answer.json == revoked
    assert answer.json["status_reason"].endswith(": taste")


async def test_what_there_is_not_is_404_and_what_is_not_reached_is_503(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    fact = await issue(registry, curator, "pl_1")
    for path in (f"/facts/{UNKNOWN}", "/facts/nothing", "/facts/fct_%00", f"/facts/{UNKNOWN}/history"):
        answer = await registry.ask("GET", path)
        assert (answer.status, answer.code) == (404, "not_found"), path
    (where,) = read_token(fact["position"])
    ahead = write_token({where: 10_000})
    for path in (
        f"/facts/{fact['id']}?min_position={ahead}",
        f"/facts?as_of={ahead}",
        f"/signers?min_position={ahead}",
    ):
        joined = "&" if "?" in path else "?"
        answer = await registry.ask("GET", f"{path}{joined}wait_ms=20")
        assert (answer.status, answer.code) == (503, "not_caught_up"), path
        assert answer.json["retryable"] is True
        assert answer.headers["Retry-After"] == "1"
    other = write_token({("ledger", 0): 10_000})
    assert (await registry.ask("GET", f"/facts?min_position={other}&wait_ms=0")).status == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_request"),
        ("limit=101", "invalid_request"),
        ("status=gone", "invalid_request"),
        ("colour=red", "invalid_request"),
        ("kind=%00", "invalid_request"),
        ("kind=", "invalid_request"),
        ("ref=%FF", "invalid_request"),
        ("as_of=nonsense", "invalid_request"),
        ("as_of=2999-01-01T00:00:00Z", "invalid_request"),
        ("as_of=2025-02-30T00:00:00Z", "invalid_request"),
        ("min_position=!!", "invalid_request"),
        ("since=0&as_of=2025-01-01T00:00:00Z", "invalid_request"),
        ("since=0&cursor=x", "invalid_request"),
        ("since=nonsense", "invalid_cursor"),
        ("since=", "invalid_cursor"),
        ("since=0.x", "invalid_cursor"),
        ("cursor=nonsense", "invalid_cursor"),
    ],
)
async def test_what_can_not_be_asked_is_refused_by_its_code(registry: Registry, query: str, code: str) -> None:
    answer = await registry.ask("GET", f"/facts?{query}")
    if query == "ref=%FF":
        assert answer.status in (200, 400)
        return
    assert (answer.status, answer.code) == (400, code), answer.text


async def test_a_page_walk_is_of_the_moment_it_began_though_facts_come_and_go(registry: Registry) -> None:
    curators = [await registry.signer(number, "curator") for number in (1, 2, 3)]
    facts = [await issue(registry, curators[index % 3], f"pl_{index}") for index in range(12)]
    seen = {
        **read_token(facts[-1]["position"]),
        **read_token(facts[-2]["position"]),
        **read_token(facts[-3]["position"]),
    }
    whole = await registry.ask("GET", f"/facts?min_position={write_token(seen)}")
    assert {item["id"] for item in whole.json["items"]} == {fact["id"] for fact in facts}
    answer = await registry.ask("GET", f"/facts?limit=4&min_position={write_token(seen)}")
    walked = list(answer.json["items"])
    await revoke(registry, curators[0], facts[0])
    await revoke(registry, curators[2], facts[11])
    last = await issue(registry, curators[1], "pl_new")
    while answer.json["next_cursor"] is not None:
        path = f"/facts?limit=4&min_position={last['position']}&cursor={answer.json['next_cursor']}"
        answer = await registry.ask("GET", path)
        assert answer.status == 200, answer.text
        walked += answer.json["items"]
    # Newest first; which of two in one millisecond comes first is the partitions' to say.
    assert [item["id"] for item in walked] == [item["id"] for item in whole.json["items"]]
    assert {item["status"] for item in walked} == {"active"}
    now = await registry.ask("GET", f"/facts?min_position={last['position']}")
    assert len(now.json["items"]) == 11


async def test_a_cursor_holds_for_its_own_list_and_filters_only(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    for index in range(3):
        last = await issue(registry, curator, f"pl_{index}")
    fresh = f"min_position={last['position']}"
    cursor = (await registry.ask("GET", f"/facts?limit=1&{fresh}&kind=endorsement.star")).json["next_cursor"]
    assert cursor is not None
    assert (await registry.ask("GET", f"/facts?limit=2&kind=endorsement.star&cursor={cursor}")).status == 200
    for path in ("/facts?", "/facts?kind=rights.grant&", "/facts?kind=endorsement.star&status=revoked&", "/signers?"):
        answer = await registry.ask("GET", f"{path}cursor={cursor}")
        assert (answer.status, answer.code) == (400, "invalid_cursor"), path
    since = (await registry.ask("GET", f"/facts?since=0&{fresh}&ref=pl_1")).json["next_cursor"]
    assert (await registry.ask("GET", f"/facts?since={since}&ref=pl_1")).status == 200
    for path in ("/facts?", "/facts?ref=pl_2&"):
        answer = await registry.ask("GET", f"{path}since={since}")
        assert (answer.status, answer.code) == (400, "invalid_cursor"), path


async def test_filters_are_each_their_own_and_an_ethereum_address_has_no_case(registry: Registry) -> None:
    curator, wallet = await registry.signer(1, "curator"), await registry.signer(2, "curator", alg="eip191")
    mine, theirs = await issue(registry, curator, "pl_1"), await issue(registry, wallet, "pl_2")
    fresh = f"min_position={write_token({**read_token(mine['position']), **read_token(theirs['position'])})}"

    async def listed(query: str) -> list[str]:
        answer = await registry.ask("GET", f"/facts?{fresh}&{query}")
        assert answer.status == 200, answer.text
        return [item["id"] for item in answer.json["items"]]

    both = [theirs["id"], mine["id"]]
    assert await listed("") == both
    assert await listed("kind=endorsement.star&origin=feed.ff&type=playlist") == both
    assert await listed("kind=rights.grant") == []
    assert await listed("ref=pl_1") == [mine["id"]]
    assert await listed("status=revoked") == []
    assert await listed(f"issuer={quote(curator.did)}") == [mine["id"]]
    assert await listed(f"issuer={quote(curator.did.lower())}") == []
    address = wallet.did.rpartition(":")[2]
    shouted = wallet.did.replace(address, "0x" + address[2:].upper())
    for spelled in (wallet.did, wallet.did.lower(), shouted):
        assert await listed(f"issuer={quote(spelled)}") == [theirs["id"]]


async def test_the_feed_gives_each_change_once_with_the_fact_as_of_it_and_can_be_polled_for_ever(
    registry: Registry,
) -> None:
    empty = await registry.ask("GET", "/facts?since=0")
    assert empty.json["items"] == []
    curator = await registry.signer(1, "curator")
    fact = await issue(registry, curator, "pl_1")
    revoked = await revoke(registry, curator, fact)
    at = revoked.pop("at")
    first = (await registry.ask("GET", f"/facts?since=0&limit=1&min_position={at}")).json
    assert first["items"] == [{"change": "issued", "fact": fact, "position": fact["position"]}]
    second = (await registry.ask("GET", f"/facts?since={first['next_cursor']}")).json
    assert second["items"] == [{"change": "revoked", "fact": revoked, "position": at}]
    third = (await registry.ask("GET", f"/facts?since={second['next_cursor']}")).json
    assert third["items"] == []
    assert third["next_cursor"] is not None
    again = await issue(registry, curator, "pl_1", reason="again")
    fourth = (await registry.ask("GET", f"/facts?since={third['next_cursor']}&min_position={again['position']}")).json
    assert [item["fact"] for item in fourth["items"]] == [again]
    after_token = (await registry.ask("GET", f"/facts?since={fact['position']}&min_position={again['position']}")).json
    assert [item["change"] for item in after_token["items"]] == ["revoked", "issued"]
    only = (await registry.ask("GET", f"/facts?since=0&status=revoked&min_position={again['position']}")).json
    assert [item["change"] for item in only["items"]] == ["revoked"]


async def test_as_of_a_write_shows_what_was_true_then_in_every_partition(registry: Registry) -> None:
    curators = [await registry.signer(number, "curator") for number in range(1, 7)]
    facts = []
    for index, curator in enumerate(curators):
        facts.append(await issue(registry, curator, f"pl_{index}"))
        await asyncio.sleep(0.002)
    revoked = await revoke(registry, curators[0], facts[0])
    for index, fact in enumerate(facts):
        answer = await registry.ask("GET", f"/facts?as_of={fact['position']}")
        assert answer.status == 200, answer.text
        assert [item["id"] for item in answer.json["items"]] == [item["id"] for item in reversed(facts[: index + 1])]
        timed = await registry.ask("GET", f"/facts?as_of={fact['created_at']}")
        assert timed.json["items"] == answer.json["items"]
    gone = await registry.ask("GET", f"/facts?as_of={revoked['at']}&status=revoked")
    assert [item["id"] for item in gone.json["items"]] == [facts[0]["id"]]
    before = await registry.ask("GET", "/facts?as_of=1960-01-01T00:00:00Z")
    assert before.json["items"] == []


async def test_a_history_names_each_event_and_who_made_it(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    fact = await issue(registry, curator, "pl_1")
    for verb, body in (("quarantine", {"reason": "checked"}), ("release", None)):
        answer = await registry.ask("POST", f"/facts/{fact['id']}/{verb}", body, by=registry.operator)
        assert answer.status == 200, answer.text
    revoked = await revoke(registry, curator, fact)
    path = f"/facts/{fact['id']}/history?min_position={revoked['at']}"
    events = (await registry.ask("GET", path)).json["items"]
    assert [event["type"] for event in events] == ["FactIssued", "FactQuarantined", "FactReleased", "FactRevoked"]
    assert [event["by"] for event in events] == [curator.did, registry.operator.did, registry.operator.did, curator.did]
    assert events[0]["position"] == fact["position"]
    assert events[0]["signature"] == fact["signature"]
    assert events[1]["reason"] == "checked"
    assert events[3]["position"] == revoked["at"]
    walked, cursor = [], ""
    while True:
        answer = await registry.ask("GET", f"{path}&limit=1{cursor}")
        walked += answer.json["items"]
        if answer.json["next_cursor"] is None:
            break
        cursor = f"&cursor={answer.json['next_cursor']}"
    assert walked == events


async def test_postgres_being_away_is_503_and_says_nothing_of_where_it_is(registry: Registry) -> None:
    registry.api.reads = Reads(Postgres("postgresql://muniment:hidden@127.0.0.1:1/muniment"))
    for path in ("/facts", "/facts?since=0", f"/facts/{UNKNOWN}", f"/facts/{UNKNOWN}/history", "/signers"):
        answer = await registry.ask("GET", path)
        assert (answer.status, answer.code) == (503, "read_model_unavailable"), path
        assert answer.json["retryable"] is True
        assert "hidden" not in answer.text
        assert "127.0.0.1" not in answer.text
    registry.api.reads = None
    assert (await registry.ask("GET", "/facts")).code == "read_model_unavailable"


async def test_a_signer_page_walk_shows_revoked_ones_and_its_facts_stay_listed(registry: Registry) -> None:
    signers = [await registry.signer(number, "curator") for number in range(1, 6)]
    fact = await issue(registry, signers[0], "pl_1")
    gone = await registry.ask("DELETE", f"/signers/{signers[0].did}", by=registry.operator)
    assert gone.status == 200, gone.text
    fresh = f"min_position={gone.headers['Muniment-Position']}"
    answer = await registry.ask("GET", f"/signers?role=curator&limit=2&{fresh}")
    walked = list(answer.json["items"])
    await registry.ask("POST", "/signers", {"did": signers[4].did, "roles": ["publisher"]}, by=registry.operator)
    while answer.json["next_cursor"] is not None:
        answer = await registry.ask("GET", f"/signers?role=curator&limit=2&cursor={answer.json['next_cursor']}")
        walked += answer.json["items"]
    assert sorted(item["did"] for item in walked) == sorted(signer.did for signer in signers)
    assert [item for item in walked if "revoked_at" in item] == [gone.json]
    listed = await registry.ask("GET", f"/facts?issuer={signers[0].did}")
    assert listed.json["items"] == [fact]
    assert (await registry.ask("GET", "/signers?role=king")).code == "invalid_request"
    assert key(1).did == signers[0].did
