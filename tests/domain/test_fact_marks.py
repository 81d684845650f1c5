"""What is said of the key that signed a fact, as given / when / then."""

from dataclasses import replace

import pytest

from domain.facts.fact import ExpireFact, FactExpired, FactQuarantined, FactReleased, QuarantineFact, ReleaseFact
from domain.facts.mark import ClearFactKey, FactKeyCleared, FactKeyCompromised, MarkFactKey
from tests.domain.scenario import NOON, Scenario
from tests.domain.test_facts import ADMIN, AUTHORITY, CURATOR, REVOKE, REVOKED, STAR, STARRED

WORD, WORD_BACK = "KeyRevoked identity/1/12", "DidRecovered identity/1/13"
MARK, MARKED = MarkFactKey("fct_1", WORD), FactKeyCompromised("fct_1", "active", WORD)
CLEAR, CLEARED = ClearFactKey("fct_1", WORD_BACK), FactKeyCleared("fct_1", "active", WORD_BACK)


@pytest.fixture
def scenario() -> Scenario:
    return Scenario()


def test_a_fact_is_marked_and_keeps_its_status(scenario: Scenario) -> None:
    scenario.given(CURATOR, STARRED).when(MARK).then(MARKED)


def test_what_was_revoked_is_marked_too(scenario: Scenario) -> None:
    scenario.given(CURATOR, STARRED, REVOKED).when(MARK).then(replace(MARKED, status="revoked"))


def test_a_fact_is_marked_once(scenario: Scenario) -> None:
    again = replace(MARK, compromised_by=WORD_BACK)
    scenario.given(CURATOR, STARRED, MARKED).when(again).then_refused("repeated", {"fact_id": "fct_1"})


def test_no_fact_is_marked_that_is_none(scenario: Scenario) -> None:
    scenario.given(CURATOR).when(MARK).then_refused("not_found", {"fact_id": "fct_1"})


def test_a_mark_is_taken_back(scenario: Scenario) -> None:
    scenario.given(CURATOR, STARRED, MARKED).when(CLEAR).then(CLEARED)


def test_a_mark_that_is_none_is_not_taken_back(scenario: Scenario) -> None:
    scenario.given(CURATOR, STARRED).when(CLEAR).then_refused("repeated", {"fact_id": "fct_1"})


def test_a_mark_is_taken_back_once(scenario: Scenario) -> None:
    again = replace(CLEAR, cleared_by=WORD)
    scenario.given(CURATOR, STARRED, MARKED, CLEARED).when(again).then_refused("repeated", {"fact_id": "fct_1"})


def test_a_revocation_says_that_the_fact_is_marked(scenario: Scenario) -> None:
    scenario.given(CURATOR, STARRED, MARKED).when(REVOKE).then(replace(REVOKED, compromised_by=WORD))


def test_a_quarantine_says_that_the_fact_is_marked(scenario: Scenario) -> None:
    aside = FactQuarantined("fct_1", "why", ADMIN, WORD)
    scenario.given(CURATOR, STARRED, MARKED).when(QuarantineFact("fct_1", "why", AUTHORITY)).then(aside)


def test_a_release_says_that_the_fact_is_marked(scenario: Scenario) -> None:
    aside, back = FactQuarantined("fct_1", "why", ADMIN, WORD), FactReleased("fct_1", ADMIN, WORD)
    scenario.given(CURATOR, STARRED, MARKED, aside).when(ReleaseFact("fct_1", AUTHORITY)).then(back)


def test_an_expiry_says_that_the_fact_is_marked(scenario: Scenario) -> None:
    ends = replace(STARRED, expires_at=NOON)
    scenario.given(CURATOR, ends, MARKED).when(ExpireFact("fct_1")).then(FactExpired("fct_1", WORD))


def test_a_marked_star_is_still_the_only_one(scenario: Scenario) -> None:
    second = replace(STAR, fact_id="fct_2")
    scenario.given(CURATOR, STARRED, MARKED).when(second).then_refused("already_active", {"fact_id": "fct_1"})


def test_a_marked_star_makes_room_once_its_issuer_takes_it_back(scenario: Scenario) -> None:
    second, taken_back = replace(STAR, fact_id="fct_2"), replace(REVOKED, compromised_by=WORD)
    scenario.given(CURATOR, STARRED, MARKED, taken_back).when(second).then(replace(STARRED, fact_id="fct_2"))
