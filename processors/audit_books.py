"""An auditor's own books of a frame: what every account holds, as its postings alone say."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from log.canonical import base32_id
from processors.audit_names import Fault

AVAILABLE: Final = "available"
STAKED: Final = "staked"
HELD: Final = "held"
COUNTER: Final = "counter"
ISSUED: Final = "issued"
DESTROYED: Final = "destroyed"
TRANSIT: Final = "transit"
ID_LETTERS: Final = 26

Move: TypeAlias = tuple[str, str, int]
"""An account or a counter, the part of it, and what it gets, in micro-AVT; negative where it gives."""


class Posted(Protocol):
    """A posting as it lies on the log."""

    @property
    def account(self) -> str: ...
    @property
    def part(self) -> str: ...
    @property
    def amount(self) -> int: ...


class HeldPayment(NamedTuple):
    """A payment that still holds money; ``transfer_id`` is what it was claimed as."""

    sender: str
    total: int
    transfer_id: str | None = None


class RewardDay(NamedTuple):
    """A day that a registry pays for: whether it mints, its due, what it set aside and paid so far, in micro-AVT."""

    day: int
    minted: bool
    due: int
    budget: int
    paid: int = 0


class OpenStake(NamedTuple):
    """A stake that lies in an account, in micro-AVT."""

    account: str
    amount: int


class Books:
    """The accounts of one frame and the figures of its supply, in micro-AVT.

    ``issued``, ``destroyed``, ``transit_net`` and ``purses``, which are what lies in each treasury, grow by what events
    say; ``circulating`` and ``parts`` by what postings move.
    """

    __slots__ = (
        "circulating",
        "days",
        "destroyed",
        "frame_id",
        "issued",
        "partition",
        "parts",
        "payments",
        "purses",
        "stakes",
        "transit_net",
        "treasuries",
    )

    def __init__(self, frame_id: str, partition: int) -> None:
        self.frame_id, self.partition = frame_id, partition
        self.issued = self.destroyed = self.transit_net = self.circulating = 0
        self.parts: dict[str, dict[str, int]] = {AVAILABLE: {}, STAKED: {}, HELD: {}}
        self.treasuries: dict[str, str] = {}
        self.purses: dict[str, int] = {}
        self.payments: dict[str, HeldPayment] = {}
        self.stakes: dict[str, OpenStake] = {}
        self.days: dict[str, RewardDay] = {}

    def open(self, account: str, registry_id: str, owner: str, kind: str) -> None:
        """Open an account, whose id anybody can compute. Raises Fault."""
        digest = hashlib.sha256(f"{self.frame_id}\n{registry_id}\n{owner}\n{kind}".encode()).digest()
        if account != base32_id("acc_", digest, ID_LETTERS):
            raise Fault("account_id", f"{account} isn't the {kind} account of {owner} in {registry_id}")
        if account in self.parts[AVAILABLE]:
            raise Fault("account", f"{account} was opened before")
        self.parts[AVAILABLE][account] = 0

    def open_registry(self, registry_id: str, treasury: str, owner: str) -> None:
        """Open a registry and its treasury. Raises Fault."""
        if registry_id in self.treasuries:
            raise Fault("registry", f"{registry_id} was opened before")
        self.open(treasury, registry_id, owner, "treasury")
        self.treasuries[registry_id] = treasury
        self.purses[treasury] = 0

    def treasury(self, registry_id: str) -> str:
        """Give the account that a registry's fees go to. Raises Fault."""
        found = self.treasuries.get(registry_id)
        if found is None:
            raise Fault("registry", f"{registry_id} is no registry of {self.frame_id}")
        return found

    def post(self, said: Sequence[Move], postings: Sequence[Posted]) -> None:
        """Move what an event's postings move, which must be what the event says. Raises Fault."""
        if sum([posting.amount for posting in postings]):
            raise Fault("balance", f"the postings sum to {sum(posting.amount for posting in postings)}")
        posted = [(posting.account, posting.part, posting.amount) for posting in postings]
        if posted != said and _net(posted) != _net(said):
            raise Fault("postings", f"the event says {_shown(said)} and moves {_shown(posted)}")
        purses = self.purses
        for name, part, amount in said:
            if part == COUNTER:
                self._count(name, amount)
            elif name in purses:
                purses[name] += amount
        parts, opened = self.parts, self.parts[AVAILABLE]
        for name, part, amount in posted:
            if part == COUNTER:
                continue
            if name not in opened or part not in parts:
                raise Fault("account", f"{name} ({part}) is no account of {self.frame_id}")
            held = parts[part]
            held[name] = held.get(name, 0) + amount
            self.circulating += amount
        for name, part, _ in posted:
            if part != COUNTER and parts[part][name] < 0:
                raise Fault("below_zero", f"{name} has {parts[part][name]} {part}")
        if self.issued - self.destroyed + self.transit_net != self.circulating:
            figures = f"issued {self.issued} - destroyed {self.destroyed} + transit_net {self.transit_net}"
            raise Fault("supply", f"{figures} is not circulating {self.circulating}")

    def _count(self, counter: str, amount: int) -> None:
        """Count what leaves or enters the frame: a counter is written from its own side."""
        if counter == ISSUED:
            self.issued -= amount
        elif counter == DESTROYED:
            self.destroyed += amount
        else:
            self.transit_net -= amount

    def check_whole(self) -> None:
        """Add up all parts of all accounts anew. Raises Fault."""
        whole = sum(map(self.total, self.parts))
        if whole != self.circulating:
            raise Fault("supply", f"the accounts hold {whole}, and circulating is {self.circulating}")

    def check_reasons(self) -> None:
        """Check what postings left in treasuries, staked and held against what events say lies there. Raises Fault."""
        for registry_id, treasury in self.treasuries.items():
            found, due = sum(self.balance(treasury).values()), self.purses[treasury]
            if found != due:
                detail = f"{treasury} of {registry_id} has {found}, and what came to it and left is {due}"
                raise Fault("treasuries", detail)
        _compare("stakes", STAKED, self.parts[STAKED], self.stakes.values())
        days = [(self.treasuries[of], day.budget - day.paid) for of, day in self.days.items() if not day.minted]
        payments = [(each.sender, each.total) for each in self.payments.values()]
        _compare("escrow", HELD, self.parts[HELD], [*payments, *days])

    def total(self, part: str) -> int:
        """Sum a part of all accounts."""
        return sum(self.parts[part].values())

    def balance(self, account: str) -> Mapping[str, int]:
        """Give what an account has, by its parts."""
        return {part: held.get(account, 0) for part, held in self.parts.items()}


def _compare(rule: str, part: str, held: Mapping[str, int], reasons: Iterable[tuple[str, int]]) -> None:
    """Check that a part of every account is the sum of what it lies there for. Raises Fault."""
    wanted: dict[str, int] = {}
    for account, amount in reasons:
        wanted[account] = wanted.get(account, 0) + amount
    for account in held.keys() | wanted.keys():
        if held.get(account, 0) != wanted.get(account, 0):
            raise Fault(rule, f"{account} has {held.get(account, 0)} {part}, and {wanted.get(account, 0)} is due there")


def _net(moves: Iterable[Move]) -> dict[tuple[str, str], int]:
    """Sum moves by their place, without those that come to nothing."""
    found: dict[tuple[str, str], int] = {}
    for name, part, amount in moves:
        found[name, part] = found.get((name, part), 0) + amount
    return {place: amount for place, amount in found.items() if amount}


def _shown(moves: Iterable[Move]) -> str:
    return ", ".join(f"{name} {part} {amount:+}" for (name, part), amount in sorted(_net(moves).items())) or "nothing"
