"""DIDs, their keys and their handles, as given / when / then."""

import pytest

from domain.identity.creation import CreateDid, DidCreated
from domain.identity.handle import Claim
from domain.identity.identifier import key_at, keys_at, windows_of_key
from domain.identity.naming import HandleSet
from domain.identity.operation import SignedOperation
from domain.identity.rotation import KeyRevoked, KeysRotated, RotateKeys
from tests.domain.identity.registrar import ADA, DAY, HIGH, HOUR, LOW, MIDDLE, Registrar, key, window
from tests.domain.scenario import NOON, Scenario

GENESIS = SignedOperation("genesis", None, HIGH, "{}", "sig")
CREATE = CreateDid(ADA, GENESIS, (HIGH, LOW), (key("main"),), None, None)


@pytest.fixture
def registrar() -> Registrar:
    return Registrar().begin()


def test_a_genesis_makes_a_did_whose_keys_hold_from_then_on() -> None:
    created = DidCreated(ADA, GENESIS, (HIGH, LOW), None, (window("main"),))
    scenario = Scenario().when(CREATE).then(created)
    assert key_at(scenario.state, ADA, "main", NOON) == window("main")
    assert key_at(scenario.state, ADA, "main", NOON - 1) is None
    assert key_at(scenario.state, ADA, "other", NOON) is None
    assert key_at(scenario.state, "did:mun:other", "main", NOON) is None
    assert keys_at(scenario.state, ADA, NOON) == [window("main")]


def test_a_genesis_that_is_there_is_named() -> None:
    Scenario().when(CREATE).when(CREATE).then_refused("repeated", {"operation": "genesis"})


@pytest.mark.parametrize("claim", [None, Claim(NOON, "identity/1/0"), Claim(NOON - 1, "identity/1/0")])
def test_a_genesis_whose_handle_is_claimed_no_more_makes_nothing(claim: Claim | None) -> None:
    command = CreateDid(ADA, GENESIS, (HIGH,), (), "ada", claim)
    scenario = Scenario().when(command).then_refused("handle_taken", {"handle": "ada"})
    assert keys_at(scenario.state, ADA, NOON) == []
    Scenario().when(CreateDid(ADA, GENESIS, (HIGH,), (), "ada", Claim(NOON + 1, "identity/1/0")))


def test_nothing_is_done_to_a_did_that_nobody_created() -> None:
    rotate = RotateKeys(ADA, SignedOperation("one", "genesis", HIGH, "{}", "sig"), (), (), 0)
    Scenario().when(rotate).then_refused("not_found", {"did": ADA})


def test_rotating_adds_a_key_at_once_and_ends_another_after_the_overlap(registrar: Registrar) -> None:
    registrar.at(NOON + HOUR).rotate("one", "second", end=("main",))
    ended, added = window("main", ends=NOON + HOUR + DAY), window("second", NOON + HOUR)
    signed = SignedOperation("one", "genesis", HIGH, "{}", "sig")
    registrar.then(KeysRotated(ADA, signed, (ended, added)))
    for at, holds in ((NOON + HOUR + DAY - 1, True), (NOON + HOUR + DAY, False)):
        assert (key_at(registrar.state, ADA, "main", at) is not None) == holds
        assert key_at(registrar.state, ADA, "second", at) == added
    assert registrar.ada.head == "one"


def test_what_is_over_is_known_for_ever(registrar: Registrar) -> None:
    registrar.rotate("one", "second", end=("main",), overlap=0)
    registrar.at(NOON + 9 * DAY).rotate("two", "third", end=("second",), overlap=0)
    assert registrar.ada.windows == [window("third", NOON + 9 * DAY)]
    assert key_at(registrar.state, ADA, "second", NOON + 8 * DAY) == window("second", ends=NOON + 9 * DAY)


def test_an_id_names_one_key_at_a_time(registrar: Registrar) -> None:
    registrar.rotate("one", "main")
    assert registrar.reason() == "key_in_use"
    registrar.rotate("two", "second", end=("main",))
    registrar.at(NOON + DAY - 1).rotate("three", "main")
    assert registrar.reason() == "key_in_use"
    registrar.at(NOON + DAY).rotate("four", "main")
    assert windows_of_key(registrar.state, ADA, "main") == [window("main", ends=NOON + DAY), window("main", NOON + DAY)]


def test_a_key_in_its_overlap_can_only_end_earlier(registrar: Registrar) -> None:
    registrar.rotate("one", end=("main",))
    registrar.rotate("two", end=("main",), overlap=7 * DAY)
    assert registrar.ada.windows == [window("main", ends=NOON + DAY)]
    registrar.rotate("three", end=("main",), overlap=HOUR)
    assert registrar.ada.windows == [window("main", ends=NOON + HOUR)]


def test_only_a_key_that_holds_is_ended(registrar: Registrar) -> None:
    registrar.rotate("one", end=("other",))
    assert registrar.reason() == "unknown_key"
    registrar.rotate("two", end=("main",), overlap=0)
    registrar.rotate("three", end=("main",))
    assert registrar.reason() == "unknown_key"


@pytest.mark.parametrize(("added", "reason"), [(19, None), (20, "too_many_keys")])
def test_a_did_has_twenty_keys_at_most(registrar: Registrar, added: int, reason: str | None) -> None:
    outcome = registrar.rotate("one", *(f"k{index}" for index in range(added)))
    assert (registrar.reason() if reason else None) == reason
    assert reason or len(outcome[0].windows) == added


def test_a_hundred_keys_hold_at_most_however_often_others_come(registrar: Registrar) -> None:
    last: tuple[str, ...] = ("main",)
    for turn in range(4):
        fresh = tuple(f"k{turn}-{index}" for index in range(20))
        registrar.rotate(f"op{turn}", *fresh, end=last)
        last = fresh
    registrar.rotate("op4", *(f"last-{index}" for index in range(19)), end=last)
    assert len(registrar.ada.windows) == 100
    registrar.rotate("op5", "one-more", end=("last-0",))
    assert registrar.reason() == "too_many_keys"


def test_an_operation_names_the_one_before_it(registrar: Registrar) -> None:
    registrar.rotate("one", "second")
    registrar.rotate("two", "third", prev="genesis")
    registrar.then_refused("stale_prev", {"head": "one"})
    registrar.rotate("three", "third", prev="never")
    registrar.then_refused("stale_prev", {"head": "one"})


def test_an_operation_under_another_idempotency_key_is_the_one_that_is_there(registrar: Registrar) -> None:
    registrar.rotate("one", "second")
    registrar.rotate("one", "second", prev="genesis")
    registrar.then_refused("repeated", {"operation": "one"})


@pytest.mark.parametrize("by", [HIGH, MIDDLE, LOW])
def test_every_rotation_key_may_sign_and_no_other(registrar: Registrar, by: str) -> None:
    registrar.rotate("one", "second", by=by)
    assert registrar.ada.head == "one"
    registrar.rotate("two", "third", by="zStranger")
    assert registrar.reason() == "not_a_rotation_key"


def test_a_key_that_is_not_trusted_ends_at_once_and_is_marked_since(registrar: Registrar) -> None:
    registrar.at(NOON + DAY).revoke("one", "main", "compromised", NOON + HOUR)
    revoked = window("main", ends=NOON + DAY, since=NOON + HOUR)
    signed = SignedOperation("one", "genesis", HIGH, "{}", "sig")
    registrar.then(KeyRevoked(ADA, signed, "main", "compromised", NOON + HOUR, (revoked,)))
    assert [revoked.compromised(at) for at in (NOON + HOUR - 1, NOON + HOUR)] == [False, True]
    assert key_at(registrar.state, ADA, "main", NOON + DAY - 1) == revoked
    assert key_at(registrar.state, ADA, "main", NOON + DAY) is None


@pytest.mark.parametrize("why", ["retired", "lost"])
def test_a_key_that_goes_in_peace_marks_nothing(registrar: Registrar, why: str) -> None:
    registrar.at(NOON + DAY).revoke("one", "main", why, NOON + HOUR)
    assert windows_of_key(registrar.state, ADA, "main") == [window("main", ends=NOON + DAY)]


def test_a_key_that_is_over_can_turn_out_compromised_and_always_earlier(registrar: Registrar) -> None:
    registrar.rotate("one", "second", end=("main",), overlap=HOUR)
    registrar.at(NOON + DAY).revoke("two", "main", "retired")
    assert registrar.reason() == "unknown_key"
    for name, since, marked in (("three", NOON + 2, 2), ("four", NOON + 1, 1), ("five", NOON + 3, 1)):
        registrar.revoke(name, "main", "compromised", since)
        expected = window("main", ends=NOON + HOUR, since=NOON + marked)
        assert windows_of_key(registrar.state, ADA, "main") == [expected]


@pytest.mark.parametrize(("ahead", "fault"), [(5 * 60_000, None), (5 * 60_000 + 1, "not_yet")])
def test_since_is_not_ahead_and_at_most_now(registrar: Registrar, ahead: int, fault: str | None) -> None:
    outcome = registrar.revoke("one", "main", "compromised", NOON + ahead)
    assert (registrar.reason() if fault else None) == fault
    assert fault or outcome[0].since == NOON


def test_without_since_a_key_is_compromised_from_now_on(registrar: Registrar) -> None:
    assert registrar.at(NOON + 7).revoke("one", "main", "compromised")[0].since == NOON + 7


def test_a_key_that_is_not_there_is_not_revoked(registrar: Registrar) -> None:
    registrar.revoke("one", "other", "compromised")
    assert registrar.reason() == "unknown_key"


def test_a_did_takes_a_handle_and_another_thirty_days_later(registrar: Registrar) -> None:
    signed = SignedOperation("one", "genesis", HIGH, "{}", "sig")
    registrar.name("one", "ada")
    registrar.then(HandleSet(ADA, signed, "ada", None))
    registrar.at(NOON + 30 * DAY - 1).name("two", "lovelace")
    registrar.then_refused("handle_change_too_soon", {"allowed_at": str(NOON + 30 * DAY)})
    registrar.at(NOON + 30 * DAY).name("three", "lovelace")
    registrar.then(HandleSet(ADA, SignedOperation("three", "one", HIGH, "{}", "sig"), "lovelace", "ada"))


def test_a_handle_in_the_genesis_counts_as_a_change() -> None:
    registrar = Registrar().begin("ada")
    registrar.at(NOON + 30 * DAY - 1).name("one", "lovelace")
    registrar.then_refused("handle_change_too_soon")
    registrar.name("two", "ada")
    assert registrar.reason() == "same_handle"


def test_a_handle_whose_claim_is_over_is_not_taken(registrar: Registrar) -> None:
    registrar.name("one", "ada", until=NOON)
    registrar.then_refused("handle_taken", {"handle": "ada"})
    registrar.name("two", "ada", until=NOON + 1)
    assert registrar.ada.handle == "ada"


def test_operations_and_added_keys_of_a_day_are_counted(registrar: Registrar) -> None:
    began = NOON // DAY * DAY + DAY
    registrar.at(began)
    last: tuple[str, ...] = ("main",)
    for turn in range(100):
        fresh = tuple(f"k{turn}-{index}" for index in range(9))
        registrar.rotate(f"op{turn}", *fresh, end=last, overlap=0)
        assert registrar.ada.head == f"op{turn}"
        last = fresh
    registrar.guard("one more")
    assert registrar.reason() == "too_many_operations"
    registrar.at(began + DAY).guard("another day")
    assert registrar.ada.head == "another day"


def test_two_things_wrong_at_once_give_the_earlier_code(registrar: Registrar) -> None:
    registrar.rotate("one", "main", prev="never", by="zStranger")
    registrar.then_refused("stale_prev")
    registrar.rotate("two", "main", by="zStranger")
    assert registrar.reason() == "not_a_rotation_key"
    registrar.name("three", "ada")
    registrar.name("four", "lovelace", until=NOON)
    registrar.then_refused("handle_change_too_soon")
