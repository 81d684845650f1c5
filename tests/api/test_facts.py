"""Facts over HTTP: issued once, refused with the right code, in the order of precedence."""

import asyncio
import base64
import hashlib
from typing import Any

import pytest

from log.checking import WORTH_ASKING
from log.token import read_token
from tests.api.serving import ISSUED_AT, Registry, key, star, subject


async def test_a_fact_is_issued_with_its_position_and_shown_as_it_was_signed(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    sent = star(curator, reason="it lasts")
    answer = await registry.ask("POST", "/facts", sent, by=curator)
    assert answer.status == 201, answer.text
    fact = answer.json
    assert fact["id"].startswith("fct_")
    assert {name: fact[name] for name in sent} == sent
    assert fact["status"] == "active"
    assert "status_reason" not in fact
    assert fact["issued_at"] == ISSUED_AT
    assert fact["created_at"].endswith("Z")
    assert len(fact["created_at"]) == 24
    assert answer.headers["Muniment-Position"] == fact["position"]
    assert next(iter(read_token(fact["position"])))[0] == "facts"


async def test_the_same_fact_again_is_that_fact_with_the_hit_whatever_the_key(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    sent = star(curator)
    first = await registry.ask("POST", "/facts", sent, by=curator)
    appended = registry.appended()
    for headers in ({}, {"Idempotency-Key": "a"}, {"Idempotency-Key": "b"}):
        again = await registry.ask("POST", "/facts", sent, by=curator, headers=headers)
        assert (again.status, again.json) == (200, first.json)
        assert again.headers["Idempotency-Hit"] == "true"
    assert registry.appended() == appended
    assert "Idempotency-Hit" not in first.headers


async def test_the_same_fact_again_shows_the_fact_as_it_is_now(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    sent = star(curator)
    fact = (await registry.ask("POST", "/facts", sent, by=curator)).json
    revoked = await registry.ask(
        "POST", f"/facts/{fact['id']}/revoke", curator.sign_revocation(fact["id"], "taste"), by=curator
    )
    assert revoked.status == 200, revoked.text
    again = await registry.ask("POST", "/facts", sent, by=curator)
    assert (again.status, again.json["status"]) == (200, "revoked")
    assert again.json["status_reason"].startswith("FactRevoked facts/")
    assert again.json["status_reason"].endswith(": taste")
    assert again.json["position"] == fact["position"]


async def test_sent_many_times_at_once_a_fact_is_issued_once(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    await registry.session(curator)
    sent = star(curator)
    answers = await asyncio.gather(*(registry.ask("POST", "/facts", sent, by=curator) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
    assert len({answer.json["position"] for answer in answers}) == 1


async def test_one_key_for_two_facts_is_a_conflict_at_once_and_later(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    await registry.session(curator)
    headers = {"Idempotency-Key": "k"}
    answers = await asyncio.gather(
        *(registry.ask("POST", "/facts", star(curator, f"pl_{n}"), by=curator, headers=headers) for n in range(3))
    )
    assert sorted(answer.status for answer in answers) == [201, 409, 409]
    assert {answer.code for answer in answers} == {None, "idempotency_conflict"}
    later = await registry.ask("POST", "/facts", star(curator, "pl_9"), by=curator, headers=headers)
    assert later.code == "idempotency_conflict"


async def test_one_key_for_two_routes_in_two_partitions_is_a_conflict(registry: Registry) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await registry.ask(
        "POST", "/signers", {"did": key(5).did, "roles": ["curator"]}, by=registry.operator, headers=headers
    )
    assert first.status == 201
    for number in range(6, 12):
        body = {"did": key(number).did, "roles": ["curator"]}
        other = await registry.ask("POST", "/signers", body, by=registry.operator, headers=headers)
        assert other.code == "idempotency_conflict"


async def test_a_refusal_is_final_under_its_key_even_when_the_state_changed(registry: Registry) -> None:
    nobody = key(1)
    sent, headers = star(nobody), {"Idempotency-Key": "early"}
    first = await registry.ask("POST", "/facts", sent, by=nobody, headers=headers)
    assert (first.status, first.code) == (403, "signer_not_authorized")
    await registry.signer(1, "curator")
    again = await registry.ask("POST", "/facts", sent, by=nobody, headers=headers)
    assert (again.status, again.code) == (403, "signer_not_authorized")
    assert again.headers["Idempotency-Hit"] == "true"
    fresh = await registry.ask("POST", "/facts", sent, by=nobody, headers={"Idempotency-Key": "late"})
    assert fresh.status == 201


async def test_a_second_star_of_a_playlist_names_the_active_one(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    first = await registry.ask("POST", "/facts", star(curator), by=curator)
    second = await registry.ask("POST", "/facts", star(curator, reason="again"), by=curator)
    assert (second.status, second.code) == (409, "already_active")
    assert second.json["fact_id"] == first.json["id"]
    assert second.json["retryable"] is False


async def test_a_fact_from_the_future_is_refused_by_the_logs_clock(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    sent = curator.sign_fact("endorsement.star", subject(), {"issued_at": "2999-01-01T00:00:00Z"})
    answer = await registry.ask("POST", "/facts", sent, by=curator)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["errors"][0]["pointer"] == "/body/issued_at"


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("an unknown member", {"note": 1}, "/note"),
    ("null for an optional member", {"key_id": None}, "/key_id"),
    ("an unknown kind", {"kind": "endorsement.moon"}, "/kind"),
    ("an unknown subject type", {"subject": subject(type="planet")}, "/subject/type"),
    ("a control character", {"subject": subject("a\u0000b")}, "/subject/ref"),
    ("an empty ref", {"subject": subject("")}, "/subject/ref"),
    ("a long ref", {"subject": subject("a" * 513)}, "/subject/ref"),
    ("a digest that is none", {"subject": subject(digest="A" * 44)}, "/subject/digest"),
    ("an unknown subject member", {"subject": subject(x="1")}, "/subject/x"),
    ("no DID", {"issuer_did": "me"}, "/issuer_did"),
    ("a body member that the kind doesn't have", {"body": {"issued_at": ISSUED_AT, "x": 1}}, "/body"),
    ("a day that isn't", {"body": {"issued_at": "2025-02-30T00:00:00Z"}}, "/body/issued_at"),
    ("a time without an offset", {"body": {"issued_at": "2025-02-20T00:00:00"}}, "/body/issued_at"),
    ("a number for text", {"signature": 5}, "/signature"),
    ("a list for a body", {"body": []}, "/body"),
]


@pytest.mark.parametrize(("change", "pointer"), [entry[1:] for entry in BROKEN], ids=[entry[0] for entry in BROKEN])
async def test_what_does_not_fit_is_named_by_its_pointer(
    registry: Registry, change: dict[str, Any], pointer: str
) -> None:
    before = registry.appended()
    answer = await registry.ask("POST", "/facts", star(key(1)) | change)
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.text
    assert answer.json["errors"][0]["pointer"] == pointer
    assert registry.appended() == before


async def test_problems_come_in_their_order(registry: Registry) -> None:
    curator, other = await registry.signer(1, "curator"), key(2)
    good = star(curator)
    unsigned = good | {"signature": "A" * 86 + "=="}
    shape = await registry.ask("POST", "/facts", unsigned | {"alg": "none", "x": 1})
    algorithm = await registry.ask("POST", "/facts", unsigned | {"alg": "bbs+"})
    nobody = await registry.ask("POST", "/facts", unsigned)
    forbidden = await registry.ask("POST", "/facts", unsigned, by=other)
    signature = await registry.ask("POST", "/facts", unsigned, by=curator)
    found = [(answer.status, answer.code) for answer in (shape, algorithm, nobody, forbidden, signature)]
    assert found == [
        (400, "invalid_request"),
        (400, "unsupported_algorithm"),
        (401, "unauthenticated"),
        (403, "forbidden"),
        (401, "invalid_signature"),
    ]
    assert nobody.headers["WWW-Authenticate"] == "Bearer"


async def test_an_ethereum_issuer_is_one_issuer_in_any_case_and_is_shown_as_sent(registry: Registry) -> None:
    curator = await registry.signer(3, "curator", alg="eip191")
    lower = curator.did.lower()
    assert lower != curator.did
    body = {"issued_at": ISSUED_AT}
    from log.statements import fact_signed_bytes

    signed = fact_signed_bytes(kind="endorsement.star", subject=subject(), issuer_did=lower, body=body)
    sent = star(curator) | {"issuer_did": lower, "signature": curator.sign(signed)}
    first = await registry.ask("POST", "/facts", sent, by=curator)
    assert (first.status, first.json["issuer_did"]) == (201, lower)
    second = await registry.ask("POST", "/facts", star(curator), by=curator)
    assert second.code == "already_active"
    revoked = await registry.ask(
        "POST", f"/facts/{first.json['id']}/revoke", curator.sign_revocation(first.json["id"]), by=curator
    )
    assert revoked.status == 200, revoked.text


async def test_only_the_issuer_revokes_and_only_what_is_active(registry: Registry) -> None:
    curator, other = await registry.signer(1, "curator"), await registry.signer(2, "curator")
    fact = (await registry.ask("POST", "/facts", star(curator), by=curator)).json
    path = f"/facts/{fact['id']}/revoke"
    stranger = await registry.ask("POST", path, other.sign_revocation(fact["id"]), by=other)
    assert (stranger.status, stranger.code) == (403, "not_the_issuer")
    forged = other.sign_revocation(fact["id"]) | {"issuer_did": curator.did}
    assert (await registry.ask("POST", path, forged, by=other)).code == "forbidden"
    assert (await registry.ask("POST", path, forged, by=curator)).code == "invalid_signature"
    revoked = await registry.ask("POST", path, curator.sign_revocation(fact["id"]), by=curator)
    assert (revoked.status, revoked.json["status"]) == (200, "revoked")
    again = await registry.ask("POST", path, curator.sign_revocation(fact["id"]), by=curator)
    assert (again.status, again.json) == (200, revoked.json)
    assert again.headers["Idempotency-Hit"] == "true"
    late = await registry.ask("POST", path, curator.sign_revocation(fact["id"], "late"), by=curator)
    assert (late.status, late.code) == (409, "not_active")
    unknown = "fct_" + "a" * 52
    missing = await registry.ask("POST", f"/facts/{unknown}/revoke", curator.sign_revocation(unknown), by=curator)
    assert (missing.status, missing.code) == (404, "not_found")
    starred = await registry.ask("POST", "/facts", star(curator, reason="again"), by=curator)
    assert starred.status == 201


async def test_an_admin_sets_a_fact_aside_and_lets_it_count_again(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    fact = (await registry.ask("POST", "/facts", star(curator), by=curator)).json
    path = f"/facts/{fact['id']}/quarantine"
    assert (await registry.ask("POST", path, {"reason": "spam"}, by=curator)).code == "forbidden"
    assert (await registry.ask("POST", path, {"reason": "spam"})).code == "unauthenticated"
    assert (await registry.ask("POST", path, {}, by=registry.operator)).code == "invalid_request"
    aside = await registry.ask("POST", path, {"reason": "spam"}, by=registry.operator)
    assert (aside.status, aside.json["status"]) == (200, "quarantined")
    assert aside.json["status_reason"].endswith(": spam")
    twice = await registry.ask("POST", path, {"reason": "spam"}, by=registry.operator)
    assert (twice.status, twice.code) == (409, "not_active")
    back = await registry.ask("POST", f"/facts/{fact['id']}/release", by=registry.operator)
    assert (back.status, back.json["status"]) == (200, "active")
    assert "status_reason" not in back.json
    twice = await registry.ask("POST", f"/facts/{fact['id']}/release", by=registry.operator)
    assert (twice.status, twice.code) == (409, "not_quarantined")
    unknown = await registry.ask("POST", "/facts/fct_x/release", by=registry.operator)
    assert (unknown.status, unknown.code) == (404, "not_found")


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    before = registry.appended()
    dry = await registry.ask("POST", "/facts?dry_run=true", star(curator), by=curator)
    assert dry.status == 200
    assert (dry.json["dry_run"], dry.json["type"], dry.json["status"]) == (True, "IssueFact", "accepted")
    assert registry.appended() == before
    real = await registry.ask("POST", "/facts", star(curator), by=curator)
    told = {name: value for name, value in real.json.items() if name not in ("position", "created_at")}
    assert {name: value for name, value in dry.json["result"].items() if name != "created_at"} == told
    before = registry.appended()
    refused = await registry.ask("POST", "/facts?dry_run=true", star(curator, reason="again"), by=curator)
    assert (refused.status, refused.code) == (409, "already_active")
    hit = await registry.ask("POST", "/facts?dry_run=true", star(curator), by=curator)
    assert (hit.status, hit.headers["Idempotency-Hit"]) == (200, "true")
    assert registry.appended() == before
    for query in ("dry_run=yes", "dry_run=true&dry_run=true", "dry=true"):
        assert (await registry.ask("POST", f"/facts?{query}", star(curator), by=curator)).code == "invalid_request"


async def test_each_fact_of_a_batch_has_its_own_outcome_in_order(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    there = star(curator, "pl_0")
    await registry.ask("POST", "/facts", there, by=curator)
    facts = [
        star(curator, "pl_1"),
        there,
        star(curator, "pl_2") | {"signature": "A" * 86 + "=="},
        star(curator, "pl_1", reason="twice"),
        star(key(2)),
        {"kind": 1},
        star(curator, "pl_3") | {"alg": "bbs+"},
        star(curator, "pl_1"),
    ]
    answer = await registry.ask("POST", "/facts/batch", {"facts": facts}, by=curator)
    assert answer.status == 200
    items = answer.json["items"]
    assert [item["status"] for item in items] == [201, 200, 401, 409, 403, 400, 400, 200]
    assert [item.get("problem", {}).get("code") for item in items] == [
        None,
        None,
        "invalid_signature",
        "already_active",
        "forbidden",
        "invalid_request",
        "unsupported_algorithm",
        None,
    ]
    assert items[0]["fact"] == items[7]["fact"]
    assert items[3]["problem"]["fact_id"] == items[0]["fact"]["id"]
    assert read_token(answer.headers["Muniment-Position"])


async def test_a_batch_under_a_key_conflicts_with_another_under_it(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    headers = {"Idempotency-Key": "b"}
    batch = {"facts": [star(curator, f"pl_{n}") for n in range(5)]}
    first = await registry.ask("POST", "/facts/batch", batch, by=curator, headers=headers)
    again = await registry.ask("POST", "/facts/batch", batch, by=curator, headers=headers)
    assert [item["fact"] for item in first.json["items"]] == [item["fact"] for item in again.json["items"]]
    assert {item["status"] for item in again.json["items"]} == {200}
    assert again.headers["Idempotency-Hit"] == "true"
    other = {"facts": [star(curator, f"pl_{n}") for n in range(5, 10)]}
    refused = await registry.ask("POST", "/facts/batch", other, by=curator, headers=headers)
    assert {item["problem"]["code"] for item in refused.json["items"]} == {"idempotency_conflict"}


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_has_one_to_a_thousand_facts(registry: Registry, count: int) -> None:
    answer = await registry.ask("POST", "/facts/batch", {"facts": [{}] * count}, by=key(1))
    assert (answer.status, answer.code) == (400, "invalid_request")


async def test_rights_and_links_hold_to_their_kinds(registry: Registry) -> None:
    museum = await registry.signer(1, "institution")
    grant = {"issued_at": ISSUED_AT, "rights": ["display"], "grantee_did": key(9).did}
    whole = grant | {
        "expires_at": "2030-01-01T00:00:00+02:00",
        "territory": ["CH", "JP"],
        "terms_uri": "https://example.org/terms",
    }
    for body in (grant, whole):
        sent = museum.sign_fact("rights.grant", subject(), body)
        answer = await registry.ask("POST", "/facts", sent, by=museum)
        assert answer.status == 201, answer.text
    assert answer.json["expires_at"] == "2029-12-31T22:00:00.000Z"
    for change, pointer in (
        ({"territory": ["XX"]}, "/body/territory/0"),
        ({"rights": []}, "/body/rights"),
        ({"rights": ["a" * 65]}, "/body/rights/0"),
        ({"rights": ["a"] * 33}, "/body/rights"),
        ({"terms_uri": "not a uri"}, "/body/terms_uri"),
        ({"expires_at": "soon"}, "/body/expires_at"),
        ({"grantee_did": "you"}, "/body/grantee_did"),
    ):
        sent = museum.sign_fact("rights.grant", subject(), grant | change)
        answer = await registry.ask("POST", "/facts", sent, by=museum)
        assert (answer.code, answer.json["errors"][0]["pointer"]) == ("invalid_request", pointer)
    ethereum = key(8, "eip191").did
    for did, status in ((ethereum, 201), (ethereum.lower(), 409), (key(7).did, 201)):
        body = {"issued_at": ISSUED_AT, "linked_did": did}
        link = museum.sign_fact("identity.link", subject(), body)
        assert (await registry.ask("POST", "/facts", link, by=museum)).status == status


async def test_a_digest_binds_a_fact_to_one_version(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    digest = base64.b64encode(hashlib.sha256(b"v1").digest()).decode()
    for what in (subject(), subject(digest=digest)):
        sent = curator.sign_fact("endorsement.star", what, {"issued_at": ISSUED_AT})
        answer = await registry.ask("POST", "/facts", sent, by=curator)
        assert (answer.status, answer.json["subject"]) == (201, what)


async def test_a_dry_run_of_a_batch_says_what_would_become_of_each_fact_and_appends_nothing(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    there = star(curator, "pl_0")
    assert (await registry.ask("POST", "/facts", there, by=curator)).status == 201
    appended = registry.appended()
    twice = star(curator)
    other = star(curator, reason="another")
    sent = {"facts": [there, twice, other, {"kind": "x"}, star(curator, "pl_2"), twice, other]}
    statuses = [200, 201, 409, 400, 201, 200, 409]
    imagined = await registry.ask("POST", "/facts/batch?dry_run=true", sent, by=curator)
    assert (imagined.status, imagined.json["dry_run"]) == (200, True)
    assert [item["status"] for item in imagined.json["items"]] == statuses
    assert registry.appended() == appended
    done = await registry.ask("POST", "/facts/batch", sent, by=curator)
    assert [item["status"] for item in done.json["items"]] == statuses


async def test_a_batch_that_another_process_checks_keeps_its_order(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    facts = [star(curator, f"large_{number}") for number in range(WORTH_ASKING + 8)]
    facts[3] = {"kind": 1}
    facts[7]["signature"] = facts[8]["signature"]
    answer = await registry.ask("POST", "/facts/batch", {"facts": facts}, by=curator)
    items = answer.json["items"]
    assert (items[3]["status"], items[7]["status"]) == (400, 401)
    shown = [item["fact"]["subject"]["ref"] for item in items if "fact" in item]
    assert shown == [fact["subject"]["ref"] for fact in facts if fact not in (facts[3], facts[7])]
