"""Handles in their own streams, and sessions that end, as given / when / then."""

from domain.identity.handle import (
    CLAIM_MS,
    ClaimHandle,
    ConfirmHandle,
    HandleClaimed,
    HandleConfirmed,
    HandleReleased,
    ReleaseHandle,
)
from domain.identity.naming import ClaimLapsed, LapseClaim
from domain.identity.session import EndSession, SessionEnded, ended_key, session_ended
from tests.domain.identity.registrar import ADA, DAY, Registrar
from tests.domain.scenario import NOON, Scenario

BOB = "did:mun:" + "b" * 26
HERE, THERE = "identity/0/3", "identity/0/9"
UNTIL = NOON + CLAIM_MS
CLAIMED, CONFIRMED = HandleClaimed("ada", ADA, UNTIL), HandleConfirmed("ada", ADA, HERE)
LAPSED, LEFT = ReleaseHandle("ada", ADA, UNTIL, THERE), ReleaseHandle("ada", ADA, None, THERE)


def test_a_free_handle_is_claimed_for_a_minute() -> None:
    Scenario().when(ClaimHandle("ada", ADA)).then(CLAIMED)


def test_a_claimed_handle_is_taken_though_its_time_is_over_until_it_is_released() -> None:
    scenario = Scenario().given(CLAIMED)
    scenario.when(ClaimHandle("ada", BOB)).then_refused("handle_taken", {"handle": "ada"})
    scenario.at(UNTIL + DAY).when(ClaimHandle("ada", BOB)).then_refused("handle_taken")
    scenario.when(LAPSED).then(HandleReleased("ada", ADA, None, THERE))
    scenario.when(ClaimHandle("ada", BOB)).then(HandleClaimed("ada", BOB, UNTIL + DAY + CLAIM_MS))


def test_whoever_claimed_may_claim_again_and_the_end_of_the_first_claim_ends_not_the_second() -> None:
    scenario = Scenario().given(CLAIMED).at(NOON + 1)
    scenario.when(ClaimHandle("ada", ADA)).then(HandleClaimed("ada", ADA, UNTIL + 1))
    scenario.when(LAPSED).then_refused("not_found")
    scenario.when(ReleaseHandle("ada", ADA, UNTIL + 1, THERE)).then(HandleReleased("ada", ADA, None, THERE))


def test_a_confirmed_handle_is_taken_and_claiming_ones_own_changes_nothing() -> None:
    scenario = Scenario().given(CLAIMED).when(ConfirmHandle("ada", ADA, HERE)).then(CONFIRMED)
    scenario.when(ClaimHandle("ada", ADA)).then(CLAIMED)
    scenario.when(LAPSED).then_refused("not_found")
    scenario.at(NOON + 400 * DAY).when(ClaimHandle("ada", BOB)).then_refused("handle_taken")


def test_a_handle_that_was_left_is_held_for_ninety_days_for_whoever_had_it() -> None:
    scenario = Scenario().given(CONFIRMED).when(LEFT).then(HandleReleased("ada", ADA, NOON + 90 * DAY, THERE))
    scenario.at(NOON + 90 * DAY - 1).when(ClaimHandle("ada", BOB)).then_refused("handle_taken")
    scenario.when(ClaimHandle("ada", ADA)).then(HandleClaimed("ada", ADA, NOON + 90 * DAY - 1 + CLAIM_MS))
    Scenario().given(CONFIRMED).when(LEFT).at(NOON + 90 * DAY).when(ClaimHandle("ada", BOB)).then(
        HandleClaimed("ada", BOB, NOON + 90 * DAY + CLAIM_MS)
    )


def test_a_claim_in_that_time_that_comes_to_nothing_leaves_the_handle_held() -> None:
    held = HandleReleased("ada", ADA, NOON + 90 * DAY, THERE)
    scenario = Scenario().given(CONFIRMED, held, CLAIMED).at(UNTIL).when(LAPSED).then(held)
    scenario.when(ClaimHandle("ada", BOB)).then_refused("handle_taken")


def test_a_handle_that_was_left_is_confirmed_again_for_a_did_that_went_back() -> None:
    scenario = Scenario().given(CONFIRMED).when(LEFT).when(ConfirmHandle("ada", ADA, THERE))
    scenario.then(HandleConfirmed("ada", ADA, THERE))
    scenario.at(NOON + 91 * DAY).when(ClaimHandle("ada", BOB)).then_refused("handle_taken")


def test_nobody_confirms_or_releases_what_is_anothers_or_nobodys() -> None:
    theirs = (ConfirmHandle("ada", BOB, HERE), ReleaseHandle("ada", BOB, UNTIL, HERE))
    for command in theirs:
        Scenario().given(CLAIMED).when(command).then_refused("not_found")
        Scenario().when(command).then_refused("not_found")
    Scenario().given(CLAIMED).when(LEFT).then_refused("not_found")


def test_a_claim_lapses_where_the_did_never_took_the_handle() -> None:
    lapse = LapseClaim(ADA, "ada", UNTIL)
    registrar = Registrar().begin()
    registrar.at(UNTIL - 1).when(lapse).then_refused("not_due")
    registrar.at(UNTIL).when(lapse).then(ClaimLapsed(ADA, "ada", UNTIL))
    Scenario().at(UNTIL).when(lapse).then(ClaimLapsed(ADA, "ada", UNTIL))
    registrar.name("late", "ada", until=UNTIL)
    registrar.then_refused("handle_taken")


def test_a_claim_that_was_used_does_not_lapse() -> None:
    Registrar().begin("ada").at(UNTIL).when(LapseClaim(ADA, "ada", UNTIL)).then_refused("claim_holds")


def test_a_session_that_ended_is_known_until_its_token_expires() -> None:
    scenario = Scenario().when(EndSession(ADA, "one", NOON + 5)).then(SessionEnded(ADA, "one", NOON + 5))
    assert session_ended(scenario.state, ADA, "one")
    assert not session_ended(scenario.state, ADA, "two")
    assert not session_ended(scenario.state, BOB, "one")
    scenario.at(NOON + 5).when(EndSession(ADA, "two", NOON + 9))
    assert scenario.state[ended_key(ADA)] == (("two", NOON + 9),)


def test_an_ethereum_address_ends_its_session_in_whatever_case_it_is_written() -> None:
    address = "did:pkh:eip155:1:0xAb5801a7D398351b8bE11C439e05C5B3259aeC9B"
    scenario = Scenario().when(EndSession(address, "one", NOON + 5))
    assert session_ended(scenario.state, address.lower(), "one")
