"""Records: written by their owner, on conditions, within quotas, under keys given or made."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.records.erasure import OwnerErased
from domain.records.record import (
    DeleteRecord,
    PutRecord,
    Record,
    RecordCreated,
    RecordDeleted,
    RecordUpdated,
    made_rkey,
    record,
)
from domain.records.vault import Vault, vault
from tests.domain.scenario import NOON, Scenario

ANN, BEN = "did:key:ann", "did:key:ben"
POST = "org.example.post"
HERE = "records/1/12"
CREATED = RecordCreated(ANN, POST, "first", "sha256-one", b"sealed", 100, 3, HERE)
UPDATED = RecordUpdated(ANN, POST, "first", "sha256-two", b"sealed anew", 60, 3, HERE, "sha256-one", NOON)
DELETED = RecordDeleted(ANN, POST, "first", "sha256-one")
PUT = PutRecord(
    ANN,
    POST,
    "first",
    "sha256-one",
    b"sealed",
    100,
    3,
    HERE,
    must_be_new=False,
    if_match=(),
    if_none_match=False,
    max_records=2,
    max_bytes=250,
)
AGAIN = replace(PUT, cid="sha256-two", sealed=b"sealed anew", size=60)
DELETE = DeleteRecord(ANN, POST, "first", ())


def anns() -> Scenario:
    """Begin with Ann, who has nothing."""
    return Scenario(actor=ANN)


def test_an_owner_keeps_a_value_changes_it_and_lets_it_go() -> None:
    scene = anns()
    scene.when(PUT).then(CREATED)
    scene.at(NOON + 5).when(AGAIN).then(UPDATED)
    assert record(scene.state, ANN, POST, "first") == Record("sha256-two", 60, NOON)
    scene.when(DELETE).then(replace(DELETED, cid="sha256-two"))
    assert record(scene.state, ANN, POST, "first") is None
    scene.when(PUT).then(CREATED)


def test_nobody_else_writes_into_a_vault() -> None:
    scene = Scenario(actor=BEN).given(CREATED)
    scene.when(PUT).then_refused("forbidden")
    scene.when(DELETE).then_refused("forbidden")


def test_one_owner_is_one_vault_in_every_spelling_of_an_ethereum_address() -> None:
    mixed = "did:pkh:eip155:1:0xAb5801a7D398351b8bE11C439e05C5B3259aeC9B"
    scene = Scenario(actor=mixed.lower())
    scene.when(replace(PUT, did=mixed))
    scene.when(replace(PUT, did=mixed.lower(), must_be_new=True)).then_refused("rkey_taken", {"rkey": "first"})


@pytest.mark.parametrize(
    ("there", "conditions", "refused"),
    [
        (1, {"must_be_new": True}, "rkey_taken"),
        (0, {"must_be_new": True}, None),
        (1, {"if_none_match": True}, "cid_mismatch"),
        (0, {"if_none_match": True}, None),
        (1, {"if_match": ("sha256-one",)}, None),
        (1, {"if_match": ("sha256-two",)}, "cid_mismatch"),
        (1, {"if_match": ("sha256-two", "sha256-one")}, None),
        (1, {"if_match": ("*",)}, None),
        (0, {"if_match": ("*",)}, "cid_mismatch"),
        (0, {"if_match": ("sha256-one",)}, "cid_mismatch"),
        (0, {"if_match": ("*",), "if_none_match": True}, "cid_mismatch"),
        (1, {"if_match": ("*",), "if_none_match": True}, "cid_mismatch"),
        (1, {}, None),
        (0, {}, None),
    ],
)
def test_a_value_is_kept_on_its_conditions(there: int, conditions: dict[str, Any], refused: str | None) -> None:
    scene = anns().given(*[CREATED] * there)
    scene.when(replace(AGAIN, **conditions))
    if refused is None:
        assert [type(event) for event in scene.outcome] == [RecordUpdated if there else RecordCreated]
    else:
        named = {"cid": "sha256-one"} if there and refused == "cid_mismatch" else {}
        scene.then_refused(refused, named)


def test_a_record_is_let_go_on_its_conditions() -> None:
    scene = anns()
    scene.when(DELETE).then_refused("not_found", {"uri": "mun://did:key:ann/org.example.post/first"})
    scene.when(replace(DELETE, if_match=("*",))).then_refused("cid_mismatch")
    scene.given(CREATED)
    scene.when(replace(DELETE, if_match=("sha256-two",))).then_refused("cid_mismatch", {"cid": "sha256-one"})
    scene.when(replace(DELETE, if_match=("sha256-one",))).then(DELETED)


def test_the_last_record_that_fits_is_kept_and_the_next_is_not() -> None:
    scene = anns().given(CREATED)
    scene.when(replace(PUT, rkey="second", size=1)).then(replace(CREATED, rkey="second", size=1))
    full = {"quota": "records", "used": "2", "limit": "2"}
    scene.when(replace(PUT, rkey="third", size=1)).then_refused("quota_exceeded", full)
    scene.when(AGAIN).then(UPDATED)
    scene.when(DELETE)
    scene.when(replace(PUT, rkey="third", size=1)).then(replace(CREATED, rkey="third", size=1))


def test_the_last_byte_that_fits_is_kept_and_the_next_is_not() -> None:
    scene = anns().given(CREATED)
    full = {"quota": "bytes", "used": "100", "limit": "250"}
    scene.when(replace(PUT, rkey="second", size=151)).then_refused("quota_exceeded", full)
    scene.when(replace(PUT, size=251)).then_refused("quota_exceeded", full)
    scene.when(replace(PUT, size=250)).then(replace(UPDATED, cid="sha256-one", sealed=b"sealed", size=250))
    scene.when(replace(PUT, size=249, max_bytes=10, max_records=1))
    assert vault(scene.state, ANN) == Vault(1, 249), "what takes less is kept, whatever the limits are by now"


def test_what_is_told_first_of_several_things_wrong() -> None:
    wrong = replace(PUT, must_be_new=True, if_match=("sha256-two",), max_records=0, max_bytes=0)
    scene = Scenario(actor=BEN).given(CREATED, OwnerErased(ANN))
    scene.when(wrong).then_refused("forbidden")
    scene.actor = ANN
    scene.when(wrong).then_refused("erased", {"did": ANN})
    scene = anns().given(CREATED)
    scene.when(wrong).then_refused("rkey_taken")
    scene.when(replace(wrong, must_be_new=False)).then_refused("cid_mismatch")
    scene.when(replace(wrong, must_be_new=False, if_match=(), rkey="other")).then_refused("quota_exceeded")


def test_a_key_is_made_of_the_logs_time_and_the_commands_place() -> None:
    scene = anns()
    scene.when(replace(PUT, rkey=None))
    (event,) = scene.outcome
    assert event.rkey == made_rkey(NOON, scene.sent)
    assert event.rkey == "01j742pg00000000001"


@given(st.lists(st.tuples(st.integers(0, 2**48), st.integers(0, 2**44)), min_size=2, max_size=2, unique=True))
def test_made_keys_sort_as_the_log_does(places: list[tuple[int, int]]) -> None:
    earlier, later = sorted(places)
    assert made_rkey(*earlier) < made_rkey(*later)
    assert len(made_rkey(*earlier)) == len(made_rkey(*later)) == 19


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 120), st.booleans()), max_size=20))
def test_a_vault_counts_what_lies_in_it(moves: list[tuple[str, int, bool]]) -> None:
    scene, there = anns(), dict[str, int]()
    for rkey, size, keep in moves:
        if not keep:
            scene.when(replace(DELETE, rkey=rkey))
            there.pop(rkey, None)
            continue
        scene.when(replace(PUT, rkey=rkey, size=size))
        after = there | {rkey: size}
        fits = len(after) <= 2 and sum(after.values()) <= 250
        if fits or (rkey in there and size <= there[rkey]):
            there = after
        else:
            scene.then_refused("quota_exceeded")
        assert vault(scene.state, ANN) == Vault(len(there), sum(there.values()))


def test_a_version_says_which_key_of_a_registered_did_wrote_it() -> None:
    scene = anns()
    scene.when(replace(PUT, key_id="phone")).then(replace(CREATED, key_id="phone"))
    scene.at(NOON + 5).when(replace(AGAIN, key_id="laptop")).then(replace(UPDATED, key_id="laptop"))
