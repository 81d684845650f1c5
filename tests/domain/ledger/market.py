"""A market for scenarios: one frame with two registries, and two things that are wrong at once."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple

import pytest

from domain.decider import Refusal
from domain.ledger.account import Account, AccountFrozen, Mandate, account_id
from domain.ledger.developer import DeveloperRegistered
from domain.ledger.frame import FrameOpened, TokensBurned
from domain.ledger.posting import Posting
from domain.ledger.registry import RegistryOpened, Terms
from tests.domain.scenario import NOON, Scenario

ADMIN, ANN, BEN, EVE = "did:key:admin", "did:key:ann", "did:key:ben", "did:key:eve"
FRAME, NORTH, SOUTH, HERE = "local", "north", "south", "facts/0/7"
GRANT = 1_000_000
TERMS = Terms(genesis_grant=GRANT)
ANNS, BENS = account_id(FRAME, NORTH, ANN, "user"), account_id(FRAME, NORTH, BEN, "user")
EVES = account_id(FRAME, SOUTH, EVE, "user")
TREASURY = account_id(FRAME, NORTH, ADMIN, "treasury")
SOUTHERN_TREASURY = account_id(FRAME, SOUTH, ADMIN, "treasury")
NOBODYS = account_id(FRAME, NORTH, "did:key:nobody", "user")
WORD = Mandate(ANN, "nonce-0000000000", NOON + 1)


def moves(*rows: tuple[str, str, int]) -> tuple[Posting, ...]:
    """Write postings as rows: account or counter, part, amount."""
    return tuple(Posting(*row) for row in rows)


def registered(registry_id: str, did: str, account: str, *, grant: int = GRANT) -> DeveloperRegistered:
    """Write that a developer came into a registry by itself."""
    granted = moves(("issued", "counter", -grant), (account, "available", grant)) if grant else ()
    return DeveloperRegistered(FRAME, registry_id, did, "Name", None, None, account, grant, did, None, granted)


OPENED = FrameOpened(FRAME, "sovereign", "enabled", ADMIN, HERE)
SHOPS = (
    RegistryOpened(FRAME, NORTH, TREASURY, TERMS, ADMIN, HERE),
    RegistryOpened(FRAME, SOUTH, SOUTHERN_TREASURY, TERMS, ADMIN, HERE),
)
PEOPLE = (registered(NORTH, ANN, ANNS), registered(NORTH, BEN, BENS), registered(SOUTH, EVE, EVES))


class Market(Scenario):
    """A scenario that keeps its fold as a store on disk does: an entry comes back as a tuple of JSON's values."""

    def _fold(self, text: str, outcome: Any) -> None:
        super()._fold(text, outcome)
        for key, entry in self.state.items():
            self.state[key] = tuple(json.loads(json.dumps(entry)))

    def asked_by(self, actor: str) -> "Market":
        """Let this be who asks."""
        self.actor = actor
        return self

    def balance(self, account: str) -> tuple[int, int, int]:
        """Give what an account has: available, staked, held."""
        found = Account(*self.state[f"account/{account}"])
        return found.available, found.staked, found.held


def market(*events: Any) -> Market:
    """Begin a market in which Ann and Ben are of the north, and Eve is of the south."""
    scene = Market(ADMIN)
    scene.given(OPENED, *SHOPS, *PEOPLE, *events)
    return scene


class Wrong(NamedTuple):
    """One thing that is wrong: the code that tells it, what was done before, and what is asked for otherwise."""

    code: str
    given: Sequence[Any] = ()
    change: Callable[[Any], Any] = lambda command: command


def wrong(code: str, *given: Any, **members: Any) -> Wrong:
    """Write what is wrong with members of a command, or with what was before it."""
    return Wrong(code, given, lambda command: replace(command, **members))


def wrong_word(code: str, *given: Any, **members: Any) -> Wrong:
    """Write what is wrong with a command's mandate."""
    return Wrong(code, given, lambda command: replace(command, mandate=replace(command.mandate, **members)))


def each_two(rows: Sequence[Wrong]) -> list[Any]:
    """Give every row alone, and every two rows in their order."""
    alone = [pytest.param((row,), id=row.code) for row in rows]
    return alone + [pytest.param(two, id=" before ".join(row.code for row in two)) for two in combinations(rows, 2)]


def then_the_first_is_told(scene: Scenario, command: Any, rows: Sequence[Wrong]) -> None:
    """Do everything that is wrong, and expect the code of the first."""
    for row in reversed(rows):
        scene.given(*row.given)
        command = row.change(command)
    state = dict(scene.state)
    scene.when(command).then_refused(rows[0].code)
    after = {key: entry for key, entry in scene.state.items() if not key.startswith("scope/")}
    assert after == {key: entry for key, entry in state.items() if not key.startswith("scope/")}
    assert isinstance(scene.outcome, Refusal)


def frozen(account: str) -> AccountFrozen:
    """Write that an account was frozen."""
    return AccountFrozen(FRAME, account, ADMIN, HERE)


def emptied(account: str) -> TokensBurned:
    """Write that all of a developer's grant was burned."""
    gone = moves((account, "available", -GRANT), ("destroyed", "counter", GRANT))
    return TokensBurned(FRAME, account, GRANT, ADMIN, HERE, gone)
