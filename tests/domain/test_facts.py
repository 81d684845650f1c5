"""Signers, facts and playlists, as given / when / then."""

from dataclasses import replace
from typing import Any

import pytest

from domain.facts.fact import (
    ExpireFact,
    FactExpired,
    FactIssued,
    FactQuarantined,
    FactReleased,
    FactRevoked,
    IssueFact,
    QuarantineFact,
    ReleaseFact,
    RevokeFact,
    Subject,
)
from domain.facts.playlist import PlaylistPosted, PostPlaylist
from domain.facts.signer import AddSigner, RevokeSigner, SignerAdded, SignerRevoked, SignerRolesSet
from tests.domain.scenario import NOON, Scenario

ISSUER, OTHER, ADMIN = "did:key:issuer", "did:key:other", "did:key:admin"
PLAYLIST = Subject("feed.ff", "playlist", "pl_1", None)
AUTHORITY = "facts/0/7"
CURATOR = SignerAdded(ISSUER, ("curator",), ADMIN, AUTHORITY, reinstated=False)
MEMBERS: dict[str, Any] = {
    "fact_id": "fct_1",
    "kind": "endorsement.star",
    "subject": PLAYLIST,
    "issuer_did": ISSUER,
    "body": '{"issued_at":"2025-10-09T08:53:20.000Z"}',
    "body_hash": "hash",
    "alg": "ed25519",
    "key_id": None,
    "signature": "signature",
    "issued_at": NOON,
    "expires_at": None,
    "unique_by": "",
}
STAR, STARRED = IssueFact(**MEMBERS), FactIssued(**MEMBERS)
REVOKE = RevokeFact("fct_1", ISSUER, "changed my mind", "ed25519", None, "signature")
REVOKED = FactRevoked("fct_1", ISSUER, "changed my mind", "ed25519", None, "signature")


@pytest.fixture
def scenario() -> Scenario:
    return Scenario()


def test_a_curators_star_is_issued(scenario: Scenario) -> None:
    scenario.given(CURATOR).when(STAR).then(STARRED)


def test_a_stranger_may_not_star(scenario: Scenario) -> None:
    scenario.when(STAR).then_refused("signer_not_authorized")


def test_an_institution_may_not_star(scenario: Scenario) -> None:
    scenario.given(replace(CURATOR, roles=("institution",))).when(STAR).then_refused("signer_not_authorized")


def test_a_revoked_curator_issues_nothing_more(scenario: Scenario) -> None:
    scenario.given(CURATOR, SignerRevoked(ISSUER, ADMIN, AUTHORITY)).when(STAR).then_refused("signer_not_authorized")


def test_a_reinstated_curator_stars_again(scenario: Scenario) -> None:
    again = replace(CURATOR, reinstated=True)
    scenario.given(CURATOR, SignerRevoked(ISSUER, ADMIN, AUTHORITY), again).when(STAR).then(STARRED)


def test_the_same_fact_under_another_key_is_refused_as_repeated(scenario: Scenario) -> None:
    scenario.given(CURATOR, STARRED).when(STAR).then_refused("repeated", {"fact_id": "fct_1"})


def test_a_second_star_on_the_same_subject_names_the_active_one(scenario: Scenario) -> None:
    second = replace(STAR, fact_id="fct_2")
    scenario.given(CURATOR, STARRED).when(second).then_refused("already_active", {"fact_id": "fct_1"})


def test_a_subject_with_another_digest_is_another_subject(scenario: Scenario) -> None:
    second = replace(STAR, fact_id="fct_2", subject=replace(PLAYLIST, digest="d"))
    scenario.given(CURATOR, STARRED).when(second)
    assert scenario.outcome[0].fact_id == "fct_2"


def test_starring_again_after_a_revocation_is_a_new_fact(scenario: Scenario) -> None:
    second = replace(STAR, fact_id="fct_2")
    scenario.given(CURATOR, STARRED, REVOKED).when(second).then(replace(STARRED, fact_id="fct_2"))


@pytest.mark.parametrize(("ahead_ms", "accepted"), [(0, True), (300_000, True), (300_001, False)])
def test_issued_at_is_at_most_five_minutes_ahead(scenario: Scenario, ahead_ms: int, *, accepted: bool) -> None:
    command = replace(STAR, issued_at=NOON + ahead_ms)
    scenario.given(CURATOR).when(command)
    if accepted:
        scenario.then(replace(STARRED, issued_at=NOON + ahead_ms))
    else:
        scenario.then_refused("invalid_request", {"pointer": "/body/issued_at"})


def test_many_grants_are_active_when_their_bodies_differ(scenario: Scenario) -> None:
    institution = replace(CURATOR, roles=("institution",))
    grant = replace(STARRED, kind="rights.grant", unique_by="hash one")
    other = replace(STAR, fact_id="fct_2", kind="rights.grant", unique_by="hash two")
    scenario.given(institution, grant).when(other)
    assert scenario.outcome[0].fact_id == "fct_2"


@pytest.mark.parametrize("role", ["curator", "institution"])
def test_an_identity_link_is_issued_by_a_curator_or_an_institution(scenario: Scenario, role: str) -> None:
    link = replace(STAR, kind="identity.link", unique_by="did:key:linked")
    scenario.given(replace(CURATOR, roles=(role,))).when(link)
    assert scenario.outcome[0].kind == "identity.link"


def test_a_kind_that_is_not_in_the_table_is_refused(scenario: Scenario) -> None:
    scenario.given(CURATOR).when(replace(STAR, kind="nobody.knows")).then_refused("invalid_request")


def test_its_issuer_revokes_a_fact(scenario: Scenario) -> None:
    scenario.given(CURATOR, STARRED).when(REVOKE).then(REVOKED)


def test_nobody_else_revokes_a_fact(scenario: Scenario) -> None:
    theirs = replace(REVOKE, issuer_did=OTHER)
    scenario.given(CURATOR, replace(CURATOR, did=OTHER), STARRED).when(theirs).then_refused("not_the_issuer")


def test_a_fact_that_nobody_issued_is_not_found(scenario: Scenario) -> None:
    for command in (REVOKE, QuarantineFact("fct_1", "spam", AUTHORITY), ExpireFact("fct_1")):
        scenario.given(CURATOR).when(command).then_refused("not_found")


def test_a_revoked_fact_is_not_revoked_again(scenario: Scenario) -> None:
    scenario.given(CURATOR, STARRED, REVOKED).when(REVOKE).then_refused("not_active", {"fact_status": "revoked"})


def test_quarantine_sets_a_fact_aside_and_release_brings_it_back(scenario: Scenario) -> None:
    quarantined = FactQuarantined("fct_1", "spam", ADMIN)
    scenario.given(CURATOR, STARRED).when(QuarantineFact("fct_1", "spam", AUTHORITY)).then(quarantined)
    scenario.when(REVOKE).then_refused("not_active", {"fact_status": "quarantined"})
    scenario.when(ReleaseFact("fct_1", AUTHORITY)).then(FactReleased("fct_1", ADMIN))
    scenario.when(ReleaseFact("fct_1", AUTHORITY + "1")).then_refused("not_quarantined")


def test_a_quarantined_star_still_stands_in_the_way_of_another(scenario: Scenario) -> None:
    scenario.given(CURATOR, STARRED, FactQuarantined("fct_1", "spam", ADMIN))
    scenario.when(replace(STAR, fact_id="fct_2")).then_refused("already_active")


@pytest.mark.parametrize(("now", "code"), [(NOON, None), (NOON - 1, "not_expired")])
def test_a_fact_expires_when_the_logs_time_reaches_its_end(scenario: Scenario, now: int, code: str | None) -> None:
    scenario.given(CURATOR, replace(STARRED, expires_at=NOON)).at(now).when(ExpireFact("fct_1"))
    if code is None:
        scenario.then(FactExpired("fct_1"))
    else:
        scenario.then_refused(code)


def test_a_fact_without_an_end_never_expires(scenario: Scenario) -> None:
    scenario.given(CURATOR, STARRED).when(ExpireFact("fct_1")).then_refused("not_expired")


def test_two_things_wrong_at_once_give_the_earlier_code(scenario: Scenario) -> None:
    late = replace(STAR, issued_at=NOON + 1_000_000)
    scenario.when(late).then_refused("signer_not_authorized")
    scenario.given(CURATOR, STARRED).when(replace(late, fact_id="fct_2")).then_refused("invalid_request")


def test_the_first_signer_of_an_empty_log_needs_nobody(scenario: Scenario) -> None:
    genesis = AddSigner(ADMIN, ("admin", "operator"), "genesis")
    scenario.when(genesis, first=True).then(
        SignerAdded(ADMIN, ("admin", "operator"), ADMIN, "genesis", reinstated=False)
    )


def test_genesis_happens_once(scenario: Scenario) -> None:
    scenario.when(AddSigner(OTHER, ("admin",), "genesis")).then_refused("forbidden")
    scenario.when(RevokeSigner(OTHER, "genesis"), first=True).then_refused("forbidden")


def test_a_known_signer_gets_other_roles(scenario: Scenario) -> None:
    scenario.given(CURATOR).when(AddSigner(ISSUER, ("institution",), AUTHORITY))
    scenario.then(SignerRolesSet(ISSUER, ("institution",), ADMIN, AUTHORITY))
    scenario.when(STAR).then_refused("signer_not_authorized")


def test_a_revoked_signer_is_reinstated(scenario: Scenario) -> None:
    scenario.given(CURATOR, SignerRevoked(ISSUER, ADMIN, AUTHORITY)).when(AddSigner(ISSUER, ("curator",), AUTHORITY))
    scenario.then(SignerAdded(ISSUER, ("curator",), ADMIN, AUTHORITY, reinstated=True))


def test_a_stranger_is_not_revoked_and_nobody_is_revoked_twice(scenario: Scenario) -> None:
    scenario.when(RevokeSigner(ISSUER, AUTHORITY)).then_refused("not_found")
    scenario.given(CURATOR).when(RevokeSigner(ISSUER, AUTHORITY)).then(SignerRevoked(ISSUER, ADMIN, AUTHORITY))
    scenario.when(RevokeSigner(ISSUER, AUTHORITY + "1")).then_refused("already_revoked")


def test_a_playlist_is_replaced_by_its_publisher_only(scenario: Scenario) -> None:
    post = PostPlaylist("pl_1", "slug", "Title", NOON, "[]", AUTHORITY)
    scenario.when(post).then(PlaylistPosted("pl_1", "slug", "Title", NOON, "[]", ADMIN))
    scenario.when(replace(post, title="Better")).then(PlaylistPosted("pl_1", "slug", "Better", NOON, "[]", ADMIN))
    scenario.actor = OTHER
    scenario.when(replace(post, title="Mine")).then_refused("not_the_publisher")


def test_the_same_key_with_another_request_is_a_conflict(scenario: Scenario) -> None:
    from domain.decider import Circumstances, Refusal
    from domain.ruling import rule

    scenario.given(CURATOR).when(STAR)
    name = scenario._id(repr(STAR))
    other = name[:30] + "a" * 26
    outcome = rule(scenario.state, other, STAR, Circumstances(ISSUER, NOON))
    assert isinstance(outcome, Refusal)
    assert outcome.code == "idempotency_conflict"
