"""Recovery by rotation keys and by guardians, as given / when / then."""

import pytest

from domain.identity.completion import CompleteRecovery, GuardianRecoveryCompleted
from domain.identity.guardian import GuardianRecoveryBegun, RecoveryCancelled
from domain.identity.identifier import key_at, keys_at, windows_of_key
from domain.identity.operation import operation
from domain.identity.recovery import DidRecovered
from tests.domain.identity.registrar import ADA, DAY, FRIENDS, HIGH, HOUR, LOW, MIDDLE, Registrar, window
from tests.domain.scenario import NOON


@pytest.fixture
def registrar() -> Registrar:
    return Registrar().begin()


def nullified(registrar: Registrar, *names: str) -> list[bool]:
    found = [operation(registrar.state, ADA, name) for name in names]
    return [each is not None and each.nullified for each in found]


def test_recovering_at_the_head_ends_every_key_and_begins_others(registrar: Registrar) -> None:
    registrar.at(NOON + HOUR).recover("one", ("zNew",), ("fresh",), by=LOW)
    signed = registrar.signed("one", LOW, "genesis")
    windows = (window("main", ends=NOON + HOUR), window("fresh", NOON + HOUR))
    registrar.then(DidRecovered(ADA, signed, ("zNew",), None, None, (), windows))
    assert keys_at(registrar.state, ADA, NOON + HOUR) == [window("fresh", NOON + HOUR)]
    registrar.rotate("two", "other", by=HIGH)
    assert registrar.reason() == "not_a_rotation_key"


def test_a_recovered_did_may_keep_the_id_of_a_key(registrar: Registrar) -> None:
    registrar.at(NOON + HOUR).recover("one", keys=("main",))
    assert windows_of_key(registrar.state, ADA, "main") == [
        window("main", ends=NOON + HOUR),
        window("main", NOON + HOUR),
    ]


def test_a_higher_key_takes_back_what_a_lower_one_did(registrar: Registrar) -> None:
    registrar.at(NOON + 1).rotate("theirs", "evil", end=("main",), overlap=0, by=LOW)
    registrar.at(NOON + 2).recover("lost", ("zEvil",), ("worse",), by=LOW)
    registrar.at(NOON + 3).recover("ours", (HIGH, MIDDLE), ("fresh",), by=MIDDLE, prev="genesis")
    assert registrar.outcome[0].nullified == ("theirs", "lost")
    assert set(registrar.outcome[0].windows) == {
        window("main", ends=NOON + 3),
        window("evil", NOON + 1, NOON + 2, NOON + 1),
        window("worse", NOON + 2, NOON + 3, NOON + 2),
        window("fresh", NOON + 3),
    }
    assert nullified(registrar, "genesis", "theirs", "lost", "ours") == [False, True, True, False]
    assert (registrar.ada.head, registrar.ada.rotation_keys) == ("ours", (HIGH, MIDDLE))
    assert keys_at(registrar.state, ADA, NOON + 3) == [window("fresh", NOON + 3)]
    registrar.rotate("again", "x", by="zEvil")
    assert registrar.reason() == "not_a_rotation_key"


@pytest.mark.parametrize("by", [LOW, MIDDLE])
def test_no_key_takes_back_what_it_or_a_higher_one_did(registrar: Registrar, by: str) -> None:
    registrar.rotate("one", "second", by=MIDDLE)
    registrar.recover("two", by=by, prev="genesis")
    assert registrar.reason() == "not_higher"


@pytest.mark.parametrize(("later", "fault"), [(72 * HOUR, None), (72 * HOUR + 1, "too_late")])
def test_what_was_done_can_be_taken_back_for_72_hours(registrar: Registrar, later: int, fault: str | None) -> None:
    registrar.rotate("one", "second", by=LOW)
    registrar.at(NOON + later).recover("two", by=HIGH, prev="genesis")
    assert (registrar.reason() if fault else None) == fault


def test_an_override_is_taken_back_by_a_still_higher_key(registrar: Registrar) -> None:
    registrar.rotate("low", "second", by=LOW)
    registrar.at(NOON + 70 * HOUR).recover("middle", ("zOther",), by=MIDDLE, prev="genesis")
    registrar.at(NOON + 140 * HOUR).recover("high", (HIGH,), by=HIGH, prev="genesis")
    assert nullified(registrar, "low", "middle", "high") == [True, True, False]
    assert registrar.ada.rotation_keys == (HIGH,)


def test_what_an_override_undid_stays_undone_when_it_is_taken_back_itself(registrar: Registrar) -> None:
    registrar.at(NOON + 1).rotate("low", "evil", end=("main",), overlap=0, by=LOW)
    registrar.at(NOON + 2).recover("middle", (HIGH, MIDDLE), ("sober",), by=MIDDLE, prev="genesis")
    registrar.at(NOON + 3).recover("high", (HIGH,), ("fresh",), by=HIGH, prev="genesis")
    assert windows_of_key(registrar.state, ADA, "main") == [window("main", ends=NOON + 3)]
    assert windows_of_key(registrar.state, ADA, "evil") == [window("evil", NOON + 1, NOON + 2, NOON + 1)]
    assert windows_of_key(registrar.state, ADA, "sober") == [window("sober", NOON + 2, NOON + 3, NOON + 2)]


def test_a_key_that_came_later_takes_nothing_back_from_before_it(registrar: Registrar) -> None:
    registrar.recover("one", ("zNew", LOW), by=LOW)
    registrar.recover("two", by="zNew", prev="genesis")
    assert registrar.reason() == "not_a_rotation_key"


def test_nothing_forks_from_what_was_nullified_or_never_was(registrar: Registrar) -> None:
    registrar.rotate("low", "second", by=LOW)
    registrar.recover("ours", (HIGH,), prev="genesis")
    for prev in ("low", "never"):
        registrar.recover(f"from {prev}", prev=prev)
        registrar.then_refused("stale_prev", {"head": "ours"})


def test_a_mark_that_is_taken_back_marks_nothing(registrar: Registrar) -> None:
    registrar.at(NOON + 5).revoke("theirs", "main", "compromised", NOON + 1, by=LOW)
    registrar.at(NOON + 6).recover("ours", keys=("fresh",), prev="genesis")
    assert windows_of_key(registrar.state, ADA, "main") == [window("main", ends=NOON + 6)]


def test_a_mark_on_a_key_that_was_over_before_is_taken_back_too(registrar: Registrar) -> None:
    registrar.rotate("one", "second", end=("main",), overlap=1)
    registrar.at(NOON + 5).revoke("theirs", "main", "compromised", NOON, by=LOW)
    registrar.recover("ours", prev="one")
    assert windows_of_key(registrar.state, ADA, "main") == [window("main", ends=NOON + 1)]


def test_going_back_gives_back_the_handle_and_the_guardians(registrar: Registrar) -> None:
    registrar.name("name", "ada")
    registrar.at(NOON + 31 * DAY).name("theirs", "evil", by=LOW)
    registrar.guard("mine", by=LOW)
    registrar.recover("ours", prev="name")
    assert (registrar.ada.handle, registrar.ada.handle_changed_at) == ("ada", NOON)
    assert registrar.ada.guardians is None
    assert registrar.outcome[0].handle == "ada"


def test_overrides_are_not_counted_against_the_day(registrar: Registrar) -> None:
    began = NOON // DAY * DAY + DAY
    registrar.at(began)
    for turn in range(500):
        registrar.rotate(f"op{turn}", f"k{turn}", end=() if turn == 0 else (f"k{turn - 1}",), overlap=0, by=LOW)
    registrar.rotate("too many", by=LOW)
    assert registrar.reason() == "too_many_operations"
    registrar.recover("ours", prev="genesis")
    assert len(registrar.outcome[0].nullified) == 500
    assert registrar.ada.head == "ours"


def test_enough_guardians_begin_a_recovery_that_waits(registrar: Registrar) -> None:
    registrar.guard("guard")
    begun = registrar.at(NOON + HOUR).guardians("help")[0]
    assert isinstance(begun, GuardianRecoveryBegun)
    assert begun.effective_at == NOON + HOUR + DAY
    assert registrar.ada.head == "help"
    assert registrar.ada.rotation_keys[0] == HIGH
    for at in (NOON + HOUR, NOON + HOUR + DAY - 1):
        registrar.at(at).ask(CompleteRecovery(ADA, "help"))
        registrar.then_refused("not_due")
    registrar.at(NOON + HOUR + DAY + 5).ask(CompleteRecovery(ADA, "other"))
    registrar.then_refused("not_due")
    registrar.ask(CompleteRecovery(ADA, "help"))
    done = NOON + HOUR + DAY + 5
    registrar.then(
        GuardianRecoveryCompleted(ADA, "help", ("zRescue",), (window("main", ends=done), window("new", done)))
    )
    assert registrar.ada.rotation_keys == ("zRescue",)
    registrar.ask(CompleteRecovery(ADA, "help"))
    registrar.then_refused("not_due")


def test_what_is_due_happens_before_anything_else(registrar: Registrar) -> None:
    registrar.guard("guard")
    registrar.guardians("help")
    registrar.at(NOON + DAY).rotate("late", "second", by=HIGH)
    assert registrar.reason() == "not_a_rotation_key"
    registrar.rotate("next", "second", by="zRescue")
    assert [type(event).__name__ for event in registrar.outcome] == ["GuardianRecoveryCompleted", "KeysRotated"]
    assert [each.id for each in keys_at(registrar.state, ADA, NOON + DAY)] == ["new", "second"]


def test_a_rotation_key_cancels_before_it_takes_effect(registrar: Registrar) -> None:
    registrar.guard("guard")
    registrar.guardians("help")
    registrar.at(NOON + DAY - 1).cancel("no", "other")
    assert registrar.reason() == "no_recovery"
    registrar.cancel("never", "help", by="zStranger")
    assert registrar.reason() == "not_a_rotation_key"
    registrar.cancel("stop", "help", by=LOW)
    registrar.then(RecoveryCancelled(ADA, registrar.signed("stop", LOW, "help"), "help"))
    assert nullified(registrar, "help", "stop") == [True, False]
    registrar.at(NOON + DAY).ask(CompleteRecovery(ADA, "help"))
    registrar.then_refused("not_due")
    registrar.rotate("on", "second")
    assert registrar.ada.head == "on"


def test_it_is_too_late_to_cancel_what_took_effect(registrar: Registrar) -> None:
    registrar.guard("guard")
    registrar.guardians("help")
    registrar.at(NOON + DAY).cancel("late", "help", by="zRescue")
    assert registrar.reason() == "no_recovery"


def test_what_the_guardians_did_is_not_taken_back_once_it_took_effect(registrar: Registrar) -> None:
    registrar.guard("guard", delay_s=3600)
    registrar.guardians("help")
    registrar.rotate("meanwhile", "second", by=LOW)
    registrar.at(NOON + HOUR)
    for prev in ("genesis", "guard", "help"):
        registrar.recover(f"back to {prev}", by=HIGH, prev=prev)
        assert registrar.reason() == "guardians_decided"
    registrar.recover("on", ("zRescue", "zOther"), by="zRescue")
    assert registrar.ada.head == "on"


def test_any_rotation_key_goes_back_behind_guardians_that_still_wait(registrar: Registrar) -> None:
    registrar.guard("guard", delay_s=30 * 86_400)
    registrar.guardians("help", by=HIGH)
    registrar.at(NOON + DAY).recover("back", (LOW,), by=LOW, prev="guard")
    assert nullified(registrar, "help") == [True]
    assert registrar.ada.recovery is None


def test_a_recovery_at_the_head_does_not_stop_the_guardians(registrar: Registrar) -> None:
    registrar.guard("guard")
    registrar.guardians("help")
    registrar.recover("mine", ("zThief",), by=LOW)
    registrar.at(NOON + DAY).ask(CompleteRecovery(ADA, "help"))
    assert registrar.ada.rotation_keys == ("zRescue",)


def test_a_cancellation_that_is_taken_back_revives_nothing(registrar: Registrar) -> None:
    registrar.guard("slow", delay_s=86_400)
    registrar.guardians("help")
    registrar.cancel("stop", "help", by=LOW)
    registrar.recover("back", (HIGH,), by=HIGH, prev="help")
    registrar.then_refused("stale_prev")
    registrar.recover("before", (HIGH,), by=HIGH, prev="slow")
    assert registrar.ada.recovery is None


def test_one_recovery_waits_at_a_time_and_only_guardians_approve_it(registrar: Registrar) -> None:
    registrar.guardians("alone")
    assert registrar.reason() == "no_guardians"
    registrar.guard("guard")
    asked: list[tuple[tuple[str, ...], str]] = [
        ((FRIENDS[0], "did:key:stranger"), "not_a_guardian"),
        ((FRIENDS[0],), "too_few_approvals"),
        ((FRIENDS[0], FRIENDS[0]), "too_few_approvals"),
    ]
    for who, why in asked:
        registrar.guardians(f"help {why} {len(who)}", *who)
        assert registrar.reason() == why
    registrar.guardians("help", *FRIENDS)
    registrar.guardians("twice")
    assert registrar.reason() == "recovery_pending"


def test_a_key_keeps_its_window_in_a_recovery_that_has_not_taken_effect(registrar: Registrar) -> None:
    registrar.guard("guard")
    registrar.guardians("help", keys=("main",))
    assert key_at(registrar.state, ADA, "main", NOON + DAY - 1) == window("main")
    registrar.at(NOON + DAY).ask(CompleteRecovery(ADA, "help"))
    assert windows_of_key(registrar.state, ADA, "main") == [window("main", ends=NOON + DAY), window("main", NOON + DAY)]


def test_without_a_delay_it_takes_effect_in_the_next_millisecond(registrar: Registrar) -> None:
    registrar.guard("guard", delay_s=0)
    assert registrar.guardians("help")[0].effective_at == NOON + 1
    registrar.ask(CompleteRecovery(ADA, "help"))
    registrar.then_refused("not_due")
    registrar.at(NOON + 1).ask(CompleteRecovery(ADA, "help"))
    assert registrar.ada.rotation_keys == ("zRescue",)


def test_no_two_windows_have_one_name(registrar: Registrar) -> None:
    registrar.recover("one", keys=("main",))
    assert registrar.reason() == "key_in_use"
    registrar.rotate("two", end=("main",), overlap=0)
    registrar.rotate("three", "main")
    assert registrar.reason() == "key_in_use"
    registrar.at(NOON + 1).rotate("four", "main")
    assert registrar.ada.head == "four"


def test_a_recovery_of_a_did_that_nobody_created_is_not_found() -> None:
    Registrar().when(CompleteRecovery(ADA, "help")).then_refused("not_found")
