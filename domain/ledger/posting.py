"""Postings are signed amounts that sum to zero; folding them is the only way a balance changes.

A counter is written from its own side: tokens that are issued leave the counter ``issued`` and arrive in an account, so
its posting is negative. The supply therefore adds up exactly where every event's postings do, and both are asserted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from domain.decider import Change, State
from domain.ledger.account import Account, account_key

AVAILABLE: Final = "available"
STAKED: Final = "staked"
HELD: Final = "held"
COUNTER: Final = "counter"
ISSUED: Final = "issued"
DESTROYED: Final = "destroyed"
TRANSIT: Final = "transit"
MAX_AMOUNT: Final = 2**63 - 1
"""Micro-AVT: the most that a frame may ever issue, and that may lie in it, so that every figure fits 64 bits."""


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount in micro-AVT, negative where it leaves, on a ``part`` of an account or on a counter."""

    account: str
    part: str
    amount: int


class Supply(NamedTuple):
    """A frame's tokens in micro-AVT: what came into being, ended, is away, and lies in accounts."""

    issued: int = 0
    destroyed: int = 0
    transit_net: int = 0
    circulating: int = 0

    @property
    def holds(self) -> bool:
        """Tell whether the figures add up."""
        return self.issued - self.destroyed + self.transit_net == self.circulating


class UnbalancedError(Exception):
    """A decision would lose or create money: a fault of the rules, which stops whoever meets it."""


def supply_key(frame_id: str) -> str:
    """Give the key of a frame's supply."""
    return f"supply/{frame_id}"


def supply(state: State, frame_id: str) -> Supply:
    """Give a frame's supply."""
    entry = state.get(supply_key(frame_id))
    return Supply() if entry is None else Supply(*entry)


def room(state: State, frame_id: str, *, arriving: bool = False) -> int:
    """Give how much more may be issued in a frame, or arrive in it, so that every figure of it fits 64 bits."""
    now = supply(state, frame_id)
    return MAX_AMOUNT - (now.circulating if arriving else max(now.issued, now.circulating))


def post(
    state: State, frame_id: str, postings: Sequence[Posting], opened: Mapping[str, Account] | None = None
) -> Iterable[Change]:
    """Fold one event's postings; ``opened`` are accounts that the same event opens. Raises UnbalancedError."""
    counters = {ISSUED: 0, DESTROYED: 0, TRANSIT: 0}
    accounts: dict[str, Account] = dict(opened or {})
    circulating = 0
    for posting in postings:
        name, part, amount = posting.account, posting.part, posting.amount
        if part == COUNTER:
            counters[name] += amount
            continue
        known = accounts.get(name)
        if known is None:
            known = Account(*state[account_key(name)])
        where, shop, owner, kind, available, staked, held, frozen = known
        if part == AVAILABLE:
            available += amount
        elif part == STAKED:
            staked += amount
        else:
            held += amount
        accounts[name] = Account(where, shop, owner, kind, available, staked, held, frozen)
        circulating += amount
    if circulating + sum(counters.values()):
        raise UnbalancedError(f"{frame_id}: postings that do not sum to zero: {postings}")
    for name, account in accounts.items():
        if account.available < 0 or account.staked < 0 or account.held < 0:
            raise UnbalancedError(f"{frame_id}: {name} would be below zero: {postings}")
        yield account_key(name), account
    if any(counters.values()):
        now = supply(state, frame_id)
        now = Supply(
            now.issued - counters[ISSUED],
            now.destroyed + counters[DESTROYED],
            now.transit_net - counters[TRANSIT],
            now.circulating + circulating,
        )
        if not now.holds or not 0 <= now.issued <= MAX_AMOUNT:
            raise UnbalancedError(f"{frame_id}: the supply would not add up: {now}")
        yield supply_key(frame_id), now


def moved(amount: int, source: tuple[str, str], *targets: tuple[str, str, int]) -> tuple[Posting, ...]:
    """Write what takes ``amount`` from one place and puts it into others; what is put nowhere is not written."""
    return (Posting(*source, -amount), *(Posting(*target) for target in targets if target[2]))
