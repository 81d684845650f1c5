"""The words of ``money.md``: what is asked as commands to a town, its answers, and a sheet of what each place has."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from domain.ledger.account import FreezeAccount, Mandate, UnfreezeAccount, account_id
from domain.ledger.developer import RegisterDeveloper
from domain.ledger.frame import BurnTokens, MeasureVelocity, MintTokens, OpenFrame
from domain.ledger.payment import CancelPayment, ClaimPayment, ExpirePayment, HoldPayment
from domain.ledger.posting import Posting
from domain.ledger.proposal import CastVote, OpenProposal, TallyProposal
from domain.ledger.registry import ChangeRegistry, OpenRegistry, RegistryChanged, Terms
from domain.ledger.reward import CloseRewardDay, OpenRewardDay, RewardStakes, rates_of
from domain.ledger.stake import DAY_MS, PlaceStake, WithdrawStake
from domain.ledger.transfer import PostTransfer
from domain.ledger.transit import AbortTransfer, AcceptTransfer, CommitTransfer, RejectTransfer, TransferPrepared
from tests.domain.ledger.money import Row, moment, number

BEGINS = moment("2025-10-09 12:00")
GRANT = 1_000_000
ADMIN, HERE = "did:key:admin", "facts/0/0"
HOMES = {"ann": "shop", "ben": "shop", "eve": "mall", "kim": "quay"}
TOWN, PORT = "town", "port"
FRAME_OF = {"shop": TOWN, "mall": TOWN, "quay": PORT}
COUNTERS = {"issued": -1, "destroyed": 1, "transit": -1}
"""A counter's posting is written from its own side: by which sign the counter itself changes."""
PARTS = ("available", "staked", "held")


class Ask(NamedTuple):
    """A command, who asks for it, and when (ms)."""

    payload: Any
    actor: str
    when: int


def did(who: str) -> str:
    """Name somebody."""
    return f"did:key:{who}"


class Town:
    """A town, and the port where somebody of it is named, under frame ids of a row's own.

    ``now`` is the log's time in ms; all that the row says of time comes ``later_ms`` after it.
    """

    def __init__(self, row: Row, frames: dict[str, str], later_ms: int) -> None:
        self.now, self._later_ms = BEGINS + later_ms, later_ms
        self._asked, self._frames = 0, frames
        here = FRAME_OF if row.names("kim", "quay") else {name: of for name, of in FRAME_OF.items() if of == TOWN}
        self.registries = {name: frames[of] for name, of in here.items()}
        self.terms = dict.fromkeys(self.registries, Terms(genesis_grant=GRANT))
        self.people = {who: home for who, home in HOMES.items() if home in here}
        self.accounts = {who: self._account(home, who, "user") for who, home in self.people.items()}
        self.accounts |= {name: self._account(name, "admin", "treasury") for name in here}
        self._place_of = {account: place for place, account in self.accounts.items()}
        self._last: dict[str, Any] = {}
        self._stakes: list[str] = []

    def _account(self, registry: str, who: str, kind: str) -> str:
        return account_id(self.registries[registry], self.registry_id(registry), did(who), kind)

    @property
    def frames(self) -> dict[str, str]:
        """Give the ids of its frames, by what their counters' places begin with."""
        found = {name: self._frames[name] for name in dict.fromkeys(FRAME_OF[each] for each in self.registries)}
        return {"" if name == TOWN else f"{name} ": frame_id for name, frame_id in found.items()}

    def registry_id(self, name: str) -> str:
        """Give a registry's id, which no other town's has."""
        return f"{name}-{self.registries[name]}"

    def opening(self) -> Iterable[tuple[Ask, dict[str, int]]]:
        """Give what is asked for before a row begins, and what that moves."""
        for frame_id in self.frames.values():
            yield Ask(OpenFrame(frame_id, "sovereign", "enabled", HERE), ADMIN, self.now), {}
        for name, frame_id in self.registries.items():
            opened = OpenRegistry(frame_id, self.registry_id(name), self.terms[name], HERE)
            yield Ask(opened, ADMIN, self.now), {}
        for who, home in self.people.items():
            came = RegisterDeveloper(self.registries[home], self.registry_id(home), did(who), who, None, None, None)
            prefix = "" if FRAME_OF[home] == TOWN else f"{FRAME_OF[home]} "
            yield Ask(came, did(who), self.now), {who: GRANT, f"{prefix}issued": GRANT}

    def understand(self, asked: str) -> Ask:
        """Read what is asked."""
        self._asked += 1
        for pattern, make in WORDS:
            found = re.fullmatch(pattern, asked)
            if found is not None:
                actor, payload = make(self, *found.groups())
                return Ask(payload, actor, self.now)
        raise ValueError(f"nobody understands {asked!r}")

    def heard(self, events: Iterable[Any]) -> dict[str, int]:
        """Take in what happened, and give what it moved by its postings."""
        moved: defaultdict[str, int] = defaultdict(int)
        for event in events:
            if isinstance(event, RegistryChanged):
                self.terms[event.registry_id.partition("-")[0]] = event.terms
            elif isinstance(event, TransferPrepared):
                self._last["transfer"] = event
            for posting in getattr(event, "postings", ()):
                place, amount = self._moved(event.frame_id, posting)
                moved[place] += amount
        return {place: amount for place, amount in moved.items() if amount}

    def _moved(self, frame_id: str, posting: Posting) -> tuple[str, int]:
        if posting.part == "counter":
            prefix = next(prefix for prefix, each in self.frames.items() if each == frame_id)
            return prefix + posting.account, COUNTERS[posting.account] * posting.amount
        return place_of(self._place_of[posting.account], posting.part), posting.amount

    def balances(self, sheet: dict[str, int], prefix: str) -> int:
        """Give by how much a frame's accounts are more than its counters tell, which is nothing."""
        frame_id = self.frames[prefix]
        lying = sum(
            sheet.get(place_of(name, part), 0)
            for name in self.accounts
            for part in PARTS
            if self.registries[self.people.get(name, name)] == frame_id
        )
        issued, destroyed, transit = (sheet.get(prefix + counter, 0) for counter in COUNTERS)
        return lying - (issued - destroyed + transit)

    def word(self, who: str, order: str | None = None) -> Mandate:
        """Write somebody's word for what is asked."""
        nonce = f"asked-{self._asked:010}" if order is None else f"order-{int(order):010}"
        return Mandate(did(who), nonce, self.now + 1)

    def of(self, who: str) -> str:
        """Give the frame of somebody or of a registry."""
        return self.registries[self.people.get(who, who)]

    def pays(self, who: str, whom: str, amount: str, order: str | None) -> tuple[str, Any]:
        """Write a transfer; a treasury's is ordered by the admin."""
        owner = who if who in self.people else "admin"
        sides = (self.accounts[who], self.accounts[whom], self.of(whom))
        name = f"trf_{self.of(who)}_{self._asked}"
        payload = PostTransfer(name, self.of(who), *sides, number(amount), None, self.word(owner, order), 60_000)
        return did(owner), payload

    def arrives(self, registry: str, phase: str, amount: str | None) -> tuple[str, Any]:
        """Write what the receiving side is asked of the last transfer that was prepared."""
        sent: TransferPrepared = self._last["transfer"]
        told = sent.amount if amount is None else number(amount)
        make = AcceptTransfer if phase == "accepts" else RejectTransfer
        at = (sent.transfer_id, self.registries[registry], sent.frame_id, sent.sender, sent.receiver)
        return ADMIN, make(*at, told, "ledger/0/0")

    def ends(self, registry: str, phase: str) -> tuple[str, Any]:
        """Write what the sending side is asked of it."""
        of = (self._last["transfer"].transfer_id, self.registries[registry])
        if phase == "commits":
            return ADMIN, CommitTransfer(*of, "ledger/0/0")
        return ADMIN, AbortTransfer(*of, "timeout", "ledger/0/0")

    def supplies(self, verb: str, amount: str, whom: str) -> tuple[str, Any]:
        """Write minting and burning."""
        make = MintTokens if verb == "mints" else BurnTokens
        return ADMIN, make(self.of(whom), self.accounts[whom], number(amount), HERE)

    def freezes(self, verb: str, whom: str) -> tuple[str, Any]:
        """Write that an account is frozen or let go."""
        make = FreezeAccount if verb == "freezes" else UnfreezeAccount
        return ADMIN, make(self.of(whom), self.accounts[whom], HERE)

    def sets(self, registry: str, term: str, value: str) -> tuple[str, Any]:
        """Write a change of terms."""
        given: dict[str, Any] = dict.fromkeys(Terms.__slots__)
        given[term] = bool(number(value)) if isinstance(getattr(Terms(), term), bool) else number(value)
        return ADMIN, ChangeRegistry(self.registries[registry], self.registry_id(registry), **given, authority=HERE)

    def holds(self, who: str, amount: str, whom: str) -> tuple[str, Any]:
        """Write a payment."""
        name = self._last["payment"] = f"pay_{self.of(who)}_{self._asked}"
        sides = (self.accounts[who], self.accounts[whom], self.of(whom), did(whom))
        return did(who), HoldPayment(name, self.of(who), *sides, number(amount), None, self.word(who))

    def ends_payment(self, who: str, verb: str) -> tuple[str, Any]:
        """Write the end of the last payment."""
        name, frame_id = self._last["payment"], self._frames[TOWN]
        if verb == "claims":
            return did(who), ClaimPayment(name, frame_id, f"trf_of_{name}", 60_000)
        return did(who), (CancelPayment if verb == "cancels" else ExpirePayment)(name, frame_id)

    def stakes(self, who: str, amount: str, days: str | None) -> tuple[str, Any]:
        """Write a stake, which is known by its number from then on."""
        self._stakes.append(f"stk_{self.of(who)}_{len(self._stakes) + 1}")
        of = (self._stakes[-1], self.of(who), self.accounts[who])
        return did(who), PlaceStake(*of, number(amount), int(days or 0), self.word(who))

    def takes_back(self, who: str, stake: str) -> tuple[str, Any]:
        """Write that a stake is taken back."""
        return did(who), WithdrawStake(self._stakes[int(stake) - 1], self.of(who), self.word(who))

    def _day(self, registry: str, date: str) -> tuple[str, str, int]:
        return self.registries[registry], self.registry_id(registry), (moment(date) + self._later_ms) // DAY_MS

    def opens_day(self, registry: str, date: str, due: str) -> tuple[str, Any]:
        """Write that a day of rewards is opened."""
        return ADMIN, OpenRewardDay(*self._day(registry, date), number(due), rates_of(self.terms[registry]))

    def pays_stakes(self, registry: str, stakes: str, date: str) -> tuple[str, Any]:
        """Write that stakes are rewarded."""
        names = tuple(self._stakes[int(each) - 1] for each in stakes.split(", "))
        return ADMIN, RewardStakes(*self._day(registry, date), names)

    def closes_day(self, registry: str, date: str) -> tuple[str, Any]:
        """Write that a day of rewards is closed."""
        return ADMIN, CloseRewardDay(*self._day(registry, date))

    def proposes(self, who: str, parameter: str, value: str, until: str) -> tuple[str, Any]:
        """Write a proposal."""
        name = self._last["proposal"] = f"prp_{self.of(who)}_{self._asked}"
        of = (name, self.of(who), self.registry_id("shop"))
        asked = ("parameter", "Charge more", None, parameter, value)
        return did(who), OpenProposal(*of, *asked, moment(until) + self._later_ms)

    def votes(self, who: str, choice: str) -> tuple[str, Any]:
        """Write a vote."""
        return did(who), CastVote(self._last["proposal"], self.of(who), choice, self.word(who))


def place_of(name: str, part: str) -> str:
    """Name a part of an account as the tables do."""
    return name if part == "available" else f"{name} {part}"


WHO, REGISTRY, AMOUNT, DATE = (
    r"(ann|ben|eve|kim|shop|mall|quay)",
    r"the (shop|mall|quay)",
    r"([\d,]+)",
    r"(\d{4}-\d\d-\d\d)",
)
WORDS: tuple[tuple[str, Callable[..., tuple[str, Any]]], ...] = (
    (rf"{WHO} pays {WHO} {AMOUNT}(?: as order (\d+))?", Town.pays),
    (rf"{REGISTRY} (accepts|rejects)(?: {AMOUNT})?", Town.arrives),
    (rf"{REGISTRY} (commits|aborts)", Town.ends),
    (rf"the admin (mints|burns) {AMOUNT} (?:for|of) {WHO}", Town.supplies),
    (rf"the admin (freezes|thaws) {WHO}", Town.freezes),
    (rf"{REGISTRY} sets (\w+) to {AMOUNT}", Town.sets),
    (r"the velocity is measured", lambda town: (ADMIN, MeasureVelocity(town.of("shop")))),
    (rf"{WHO} holds {AMOUNT} for {WHO}", Town.holds),
    (rf"{WHO} (claims|cancels)", Town.ends_payment),
    (r"the payment expires", lambda town: town.ends_payment("admin", "expires")),
    (rf"{WHO} stakes {AMOUNT}(?: for (\d+) days)?", Town.stakes),
    (rf"{WHO} takes stake (\d+) back", Town.takes_back),
    (rf"{REGISTRY} opens {DATE}, due {AMOUNT}", Town.opens_day),
    (rf"{REGISTRY} pays stakes (\d+(?:, \d+)*) for {DATE}", Town.pays_stakes),
    (rf"{REGISTRY} closes {DATE}", Town.closes_day),
    (rf"{WHO} proposes (\w+) (\d+) until (.+)", Town.proposes),
    (rf"{WHO} votes (yes|no|abstain)", Town.votes),
    (r"the votes are counted", lambda town: (ADMIN, TallyProposal(town._last["proposal"], town.of("shop")))),
)
"""What can be asked, in the words of the tables."""
