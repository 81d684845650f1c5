"""Media: reserved within quotas, finalized when whole, swept when that never comes."""

from dataclasses import replace

from domain.records.media import FinalizeMedia, MediaFinalized, MediaReserved, MediaSwept, ReserveMedia, SweepMedia
from domain.records.vault import Vault, vault
from tests.domain.scenario import NOON, Scenario

ANN, BEN = "did:key:ann", "did:key:ben"
DAY_MS = 86_400_000
SHA = "ab" * 32
RESERVE = ReserveMedia("med_1", ANN, "image/png", 1_000, SHA, DAY_MS, 2, 2_500)
RESERVED = MediaReserved("med_1", ANN, "image/png", 1_000, SHA, NOON + DAY_MS)
FINALIZE = FinalizeMedia("med_1", ANN, 1_000, SHA)
FINALIZED = MediaFinalized("med_1", ANN, "image/png", 1_000, SHA)
SWEEP = SweepMedia("med_1", ANN)


def anns() -> Scenario:
    """Begin with Ann, who has nothing."""
    return Scenario(actor=ANN)


def test_a_file_is_reserved_then_finalized() -> None:
    scene = anns()
    scene.when(RESERVE).then(RESERVED)
    assert vault(scene.state, ANN) == Vault(media=1, media_bytes=1_000)
    scene.when(FINALIZE).then(FINALIZED)
    scene.when(FINALIZE).then_refused("already_finalized")
    assert vault(scene.state, ANN) == Vault(media=1, media_bytes=1_000)


def test_a_file_that_is_not_what_was_reserved_is_not_finalized_and_may_be_uploaded_again() -> None:
    scene = anns().given(RESERVED)
    scene.when(replace(FINALIZE, size=999)).then_refused("media_mismatch", {"size": "999", "sha256": SHA})
    scene.when(replace(FINALIZE, sha256="cd" * 32)).then_refused("media_mismatch")
    scene.when(FINALIZE).then(FINALIZED)


def test_a_file_is_anothers_to_nobody() -> None:
    scene = Scenario(actor=BEN).given(RESERVED)
    scene.when(FINALIZE).then_refused("forbidden")
    scene.when(RESERVE).then_refused("forbidden")
    scene.when(replace(FINALIZE, did=BEN)).then_refused("not_found")
    scene.when(replace(RESERVE, did=BEN)).then_refused("already_exists")
    scene.when(replace(SWEEP, did=BEN)).then_refused("not_found")


def test_the_last_file_that_fits_is_reserved_and_the_next_is_not() -> None:
    scene = anns().given(RESERVED)
    full = {"quota": "media_bytes", "used": "1000", "limit": "2500"}
    scene.when(replace(RESERVE, media_id="med_2", size=1_501)).then_refused("quota_exceeded", full)
    scene.when(replace(RESERVE, media_id="med_2", size=1_500))
    full = {"quota": "media", "used": "2", "limit": "2"}
    scene.when(replace(RESERVE, media_id="med_3", size=0)).then_refused("quota_exceeded", full)


def test_a_file_whose_time_is_over_is_swept_and_leaves_room() -> None:
    scene = Scenario(actor="reactor").given(RESERVED)
    scene.at(NOON + DAY_MS - 1).when(SWEEP).then_refused("not_expired")
    scene.at(NOON + DAY_MS).when(SWEEP).then(MediaSwept("med_1", ANN))
    assert vault(scene.state, ANN) == Vault()
    scene.when(SWEEP).then_refused("not_found")
    scene.actor = ANN
    scene.when(FINALIZE).then_refused("not_found")


def test_a_finalized_file_stays() -> None:
    scene = Scenario(actor="reactor").given(RESERVED, FINALIZED)
    scene.at(NOON + 2 * DAY_MS).when(SWEEP).then_refused("already_finalized")


def test_a_late_file_is_finalized_as_long_as_it_is_not_swept() -> None:
    anns().given(RESERVED).at(NOON + 2 * DAY_MS).when(FINALIZE).then(FINALIZED)
