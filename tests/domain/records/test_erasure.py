"""Erasure: the owner asks for it, once, and nothing is written for them again."""

from domain.records.erasure import EraseOwner, OwnerErased
from domain.records.media import MediaReserved, MediaSwept, SweepMedia
from domain.records.record import DeleteRecord
from domain.records.vault import Vault, vault
from tests.domain.records.test_media import FINALIZE, RESERVE
from tests.domain.records.test_record import ANN, BEN, CREATED, DELETE, PUT
from tests.domain.scenario import NOON, Scenario

ERASE = EraseOwner(ANN)


def test_an_owner_is_erased_at_their_own_word() -> None:
    scene = Scenario(actor=ANN).given(CREATED)
    scene.when(ERASE).then(OwnerErased(ANN))
    assert vault(scene.state, ANN) == Vault(erased_at=NOON)


def test_nobody_is_erased_at_anothers_word() -> None:
    Scenario(actor=BEN).given(CREATED).when(ERASE).then_refused("forbidden")


def test_who_never_kept_anything_can_be_erased() -> None:
    Scenario(actor=ANN).when(ERASE).then(OwnerErased(ANN))


def test_nothing_is_written_for_who_was_erased() -> None:
    scene = Scenario(actor=ANN).given(CREATED, OwnerErased(ANN))
    for command in (ERASE, PUT, DELETE, DeleteRecord(ANN, "org.example.none", "none", ()), RESERVE, FINALIZE):
        scene.when(command).then_refused("erased", {"did": ANN})


def test_others_write_on() -> None:
    scene = Scenario(actor=BEN).given(OwnerErased(ANN))
    scene.when(EraseOwner(BEN)).then(OwnerErased(BEN))


def test_a_file_that_was_never_finalized_is_swept_after_an_erasure_too_and_counts_nothing() -> None:
    reserved = MediaReserved("med_1", ANN, "image/png", 1_000, "ab" * 32, NOON)
    scene = Scenario(actor="reactor").given(reserved, OwnerErased(ANN))
    scene.when(SweepMedia("med_1", ANN)).then(MediaSwept("med_1", ANN))
    assert vault(scene.state, ANN) == Vault(erased_at=NOON)
