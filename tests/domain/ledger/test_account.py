"""Accounts: their ids, and what freezing does."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.ledger.account import (
    AccountFrozen,
    AccountUnfrozen,
    FreezeAccount,
    UnfreezeAccount,
    account,
    account_id,
)
from tests.domain.ledger.market import (
    ADMIN,
    ANNS,
    FRAME,
    HERE,
    NOBODYS,
    Wrong,
    each_two,
    frozen,
    market,
    then_the_first_is_told,
    wrong,
)

FREEZE, UNFREEZE = FreezeAccount(FRAME, ANNS, HERE), UnfreezeAccount(FRAME, ANNS, HERE)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("local", "north", "did:key:ann", "user"), "acc_qas3ylkrg6shwzgh2v2xjxxity"),
        (("local", "east", "did:key:admin", "treasury"), "acc_e5jyzekm5qejmj6cctkr3fnxds"),
    ],
)
def test_an_id_is_what_anybody_computes(parts: tuple[str, str, str, str], name: str) -> None:
    # printf "local\nnorth\ndid:key:ann\nuser" | sha256sum | cut -c1-64 | xxd -r -p | base32 -w0 | cut -c1-26
    assert account_id(*parts) == name


def test_an_admin_freezes_an_account_and_lets_it_go() -> None:
    scene = market()
    scene.when(FREEZE).then(AccountFrozen(FRAME, ANNS, ADMIN, HERE))
    found = account(scene.state, ANNS)
    assert found is not None
    assert found.frozen
    scene.when(UNFREEZE).then(AccountUnfrozen(FRAME, ANNS, ADMIN, HERE))
    scene.when(FREEZE).then(AccountFrozen(FRAME, ANNS, ADMIN, HERE))


def test_freezing_leaves_what_an_account_has() -> None:
    scene = market()
    before = scene.balance(ANNS)
    scene.when(FREEZE)
    assert scene.balance(ANNS) == before


FREEZE_WRONG = (wrong("unknown_account", account=NOBODYS), wrong("account_frozen", frozen(ANNS)))
UNFREEZE_WRONG = (wrong("unknown_account", account=NOBODYS), wrong("account_not_frozen"))


@pytest.mark.parametrize("rows", each_two(FREEZE_WRONG))
def test_of_two_things_wrong_with_freezing_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), FREEZE, rows)


@pytest.mark.parametrize("rows", each_two(UNFREEZE_WRONG))
def test_of_two_things_wrong_with_unfreezing_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), UNFREEZE, rows)


def test_an_account_of_another_frame_is_unknown() -> None:
    for command in (FREEZE, UNFREEZE):
        market().when(replace(command, frame_id="other")).then_refused("unknown_account", {"account": ANNS})
