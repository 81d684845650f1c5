"""A small economy for auditors to look into: real keys, real mandates, the real deciders, on the memory log."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from domain.catalog import NAMES
from domain.did import identity
from domain.ledger.account import FreezeAccount, Mandate, UnfreezeAccount, account_id
from domain.ledger.agent import RegisterAgent
from domain.ledger.developer import IssueInvites, RegisterDeveloper
from domain.ledger.frame import BurnTokens, MeasureVelocity, MintTokens, OpenFrame
from domain.ledger.payment import CancelPayment, ClaimPayment, ExpirePayment, HoldPayment
from domain.ledger.proposal import CastVote, OpenProposal, TallyProposal
from domain.ledger.registry import ChangeRegistry, OpenRegistry, Terms
from domain.ledger.reward import CloseRewardDay, OpenRewardDay, RewardStakes, rates_of
from domain.ledger.stake import PlaceStake, WithdrawStake
from domain.ledger.transfer import PostTransfer
from domain.ledger.transit import AbortTransfer, AcceptTransfer, CommitTransfer, RejectTransfer, TransferPrepared
from log import released, statements, topic
from log.chain import chain_start, chain_value
from log.memory import MemoryLog, MemoryMessage
from log.message import Command, Decision, Signature
from log.scope import command_id
from log.store import MemoryStore
from log.topic import partition_of
from muniment.operator import first_frame_command, genesis_command
from muniment.signing_key import SigningKey
from processors.reactor_commands import REACTOR
from processors.seat import Seat
from tests.audit.registry import key

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
DAY_MS = 86_400_000
PARTITIONS = 3
COMMANDS, EVENTS = topic.commands("ledger"), topic.events("ledger")
HOME, AWAY = "local", "away"


class Economy:
    """Appends commands as the api and the reactors would, each decided at once; ``now`` is the log's time in ms."""

    def __init__(self, partitions: int = PARTITIONS) -> None:
        self.log, self.partitions, self.now = MemoryLog(), partitions, START_MS
        self.operator = key(0)
        self._seats: dict[tuple[str, int], Seat] = {}
        self._asked = 0

    async def begin(self) -> "Economy":
        """Create the topics and make the operator an admin."""
        await released.prepare(self.log, self.partitions)
        self.decide(genesis_command(self.operator), self.operator.did, "facts")
        self.authority = f"facts/{partition_of(self.operator.did, self.partitions)}/0"
        return self

    def decide(self, command: Command | bytes, route: str, context: str = "ledger") -> Decision:
        """Append a command, decide it, and give the decision."""
        value = command if isinstance(command, bytes) else released.codec(context, "command").encode(command)
        partition = partition_of(route, self.partitions)
        message = self._append(topic.commands(context), partition, route.encode(), value)
        seat = self._seats.setdefault((context, partition), Seat(context, partition, MemoryStore()))
        ((name, decided),) = seat.decide([message])
        seat.settle([self._append(topic.events(context), partition, name, decided)])
        decision: Decision = released.codec(context, "decision").decode(decided)
        return decision

    def _append(self, name: str, partition: int, route: bytes | None, value: bytes) -> MemoryMessage:
        held = self.log.messages(name, partition)
        held.append(MemoryMessage(name, partition, len(held), self.now, route, value))
        return held[-1]

    def by_session(self, actor: SigningKey, payload: Any) -> Decision:
        """Ask for something that the actor's session backs."""
        self._asked += 1
        asked = hashlib.sha256(f"request {self._asked}".encode()).digest()
        signed = statements.session_signed_bytes(issuer="https://registry.example", did=actor.did, nonce="n1")
        name = command_id(actor.did, asked, idempotency_key=f"key-{self._asked}")
        signature = Signature(actor.alg, actor.did, None, signed, actor.sign(signed))
        kind, by = NAMES[type(payload)], f"key-{self._asked}"
        return self.decide(Command(name, kind, actor.did, by, asked, payload, signature), payload.frame_id)

    def by_admin(self, payload: Any) -> Decision:
        """Ask for something as the operator."""
        return self.by_session(self.operator, payload)

    def by_reactor(self, payload: Any) -> Decision:
        """Ask for something as a reactor."""
        content = repr(payload)
        asked = hashlib.sha256(content.encode()).digest()
        name = command_id(REACTOR, asked, content_id=content)
        return self.decide(Command(name, NAMES[type(payload)], REACTOR, None, asked, payload, None), payload.frame_id)

    def signed(
        self, signer: SigningKey, what: str, members: dict[str, Any], payload: Callable[[str, Mandate], Any]
    ) -> Command:
        """Write a command that an account's owner orders."""
        self._asked += 1
        nonce, deadline = f"nonce-{self._asked:012}", self.now + 60_000
        said = {name: value for name, value in members.items() if value is not None}
        said |= {"nonce": nonce, "deadline": moment(deadline)}
        content = statements.mandate_signed_bytes(what, said)
        name = statements.mandate_id(what, content)
        asked, actor = hashlib.sha256(content).digest(), identity(signer.did)
        signature = Signature(signer.alg, signer.did, None, content, signer.sign(content))
        held = payload(name, Mandate(signer.did, nonce, deadline))
        by = command_id(actor, asked, content_id=name)
        return Command(by, NAMES[type(held)], actor, None, asked, held, signature)

    def order(
        self, signer: SigningKey, what: str, members: dict[str, Any], payload: Callable[[str, Mandate], Any]
    ) -> Decision:
        """Order something as an account's owner."""
        command = self.signed(signer, what, members, payload)
        return self.decide(command, command.payload.frame_id)

    def transfer(
        self, signer: SigningKey, sender: str, receiver: str, amount: int, *, to: str = HOME, frame: str = HOME
    ) -> Decision:
        """Order a transfer."""
        members = {"from": sender, "to": receiver, "amount": str(amount), "memo": "for bread"}
        return self.order(
            signer,
            "transfer",
            members,
            lambda name, word: PostTransfer(name, frame, sender, receiver, to, amount, "for bread", word, 60_000),
        )

    def hold(self, signer: SigningKey, sender: str, receiver: str, owner: str, amount: int) -> Decision:
        """Order a payment."""
        members = {"from": sender, "to": receiver, "amount": str(amount)}
        return self.order(
            signer,
            "payment",
            members,
            lambda name, word: HoldPayment(name, HOME, sender, receiver, HOME, owner, amount, None, word),
        )

    def stake(self, signer: SigningKey, account: str, amount: int, days: int) -> Decision:
        """Order a stake."""
        members = {"account": account, "amount": str(amount), "lock_days": days}
        return self.order(
            signer, "stake", members, lambda name, word: PlaceStake(name, HOME, account, amount, days, word)
        )

    def unstake(self, signer: SigningKey, stake_id: str) -> Decision:
        """Order a stake's end."""
        return self.order(
            signer, "unstake", {"stake_id": stake_id}, lambda _name, word: WithdrawStake(stake_id, HOME, word)
        )

    def vote(self, signer: SigningKey, proposal_id: str, choice: str) -> Decision:
        """Order a vote."""
        members = {"proposal_id": proposal_id, "choice": choice}
        return self.order(signer, "vote", members, lambda _name, word: CastVote(proposal_id, HOME, choice, word))

    def developer(self, who: SigningKey, frame: str, registry: str, invite: str | None = None) -> str:
        """Register a developer by itself and give its account."""
        self.by_session(who, RegisterDeveloper(frame, registry, who.did, "Ada", None, invite, None))
        return account_id(frame, registry, who.did, "user")

    def place(self, frame: str = HOME) -> str:
        """Give the position of the latest decision in a frame's partition."""
        partition = partition_of(frame, self.partitions)
        return f"ledger/{partition}/{len(self.log.messages(EVENTS, partition)) - 1}"

    def decisions(self, partition: int, context: str = "ledger") -> list[Decision]:
        """Decode a partition's decisions."""
        held = self.log.messages(topic.events(context), partition)
        return [released.codec(context, "decision").decode(message.value) for message in held]

    def find(self, kind: type, index: int = 0) -> tuple[int, int, Decision]:
        """Find a decision by an event that it holds: partition, offset, decision."""
        found = [
            (partition, offset, decision)
            for partition in range(self.partitions)
            for offset, decision in enumerate(self.decisions(partition))
            if any(isinstance(happening.payload, kind) for happening in decision.events)
        ]
        return found[index]

    def rewrite(self, partition: int, changed: dict[int, Decision]) -> None:
        """Write decisions anew and chain all that follow, as one who holds the broker could."""
        encode = released.codec("ledger", "decision").encode
        held, chain = self.log.messages(EVENTS, partition), chain_start(EVENTS, partition)
        for offset, decision in enumerate(self.decisions(partition)):
            value = encode(replace(changed.get(offset, decision), prev=chain))
            held[offset] = replace(held[offset], value=value)
            chain = chain_value(value)

    def change(self, kind: type, make: Callable[[Any], Any], index: int = 0) -> str:
        """Change one event where it lies, chain anew, and give its place."""
        partition, offset, decision = self.find(kind, index)
        events = tuple(
            replace(each, payload=make(each.payload)) if isinstance(each.payload, kind) else each
            for each in decision.events
        )
        self.rewrite(partition, {offset: replace(decision, events=events)})
        return f"ledger/{partition}/{offset}"


def moment(at_ms: int) -> str:
    """Write a time as RFC 3339."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def first(decision: Decision) -> Any:
    """Give a decision's first event."""
    if decision.refusal is not None:
        raise AssertionError(f"refused as {decision.refusal}")
    return decision.events[0].payload


async def every_kind_of_movement() -> Economy:
    """Make a log in which every event of the ledger occurs."""
    economy = await Economy().begin()
    ada, bob, eve, dan = key(11), key(12), key(13, "eip191"), key(14)
    admin, here = economy.by_admin, economy.authority
    first(economy.decide(first_frame_command(economy.operator, HOME), HOME))
    first(admin(OpenFrame(AWAY, "sovereign", "enabled", here)))
    for frame, shops in ((HOME, ("north", "south")), (AWAY, ("east",))):
        for shop in shops:
            admin(OpenRegistry(frame, shop, Terms(), here))
    code = hashlib.sha256(b"come in").hexdigest()
    admin(IssueInvites(HOME, "south", (code,), here))
    a, b = economy.developer(ada, HOME, "north"), economy.developer(bob, HOME, "north")
    e, d = economy.developer(eve, HOME, "south", code), economy.developer(dan, AWAY, "east")
    treasury = account_id(HOME, "north", economy.operator.did, "treasury")
    robot = key(15)
    economy.by_session(ada, RegisterAgent(HOME, "north", "agt_1", robot.did, "{}", "here"))
    money(economy, (ada, bob, eve), (a, b, e), treasury)
    crossing(economy, ada, (a, e, d), dan)
    staking(economy, ada, bob, (a, b))
    return economy


def money(economy: Economy, who: Sequence[SigningKey], accounts: Sequence[str], treasury: str) -> None:
    """Mint, burn, freeze, transfer, and pay."""
    admin, here = economy.by_admin, economy.authority
    ada, bob, _ = who
    a, b, _ = accounts
    first(admin(MintTokens(HOME, treasury, 50_000_000, here)))
    first(admin(BurnTokens(HOME, treasury, 1_000_000, here)))
    first(economy.transfer(ada, a, b, 10_001))
    first(economy.transfer(bob, b, a, 77))
    first(economy.transfer(ada, a, treasury, 1_234))
    first(admin(FreezeAccount(HOME, b, here)))
    economy.transfer(ada, a, b, 5)
    first(admin(UnfreezeAccount(HOME, b, here)))
    first(admin(ChangeRegistry(HOME, "north", 75, *[None] * 10, here)))
    claimed, cancelled, expired, crossed = (
        first(economy.hold(ada, a, account, owner, 4_000)).payment_id
        for account, owner in ((b, bob.did), (b, bob.did), (b, bob.did), (accounts[2], who[2].did))
    )
    first(economy.by_session(bob, ClaimPayment(claimed, HOME, "trf_claimed", 60_000)))
    first(economy.by_session(ada, CancelPayment(cancelled, HOME)))
    taken = economy.by_session(who[2], ClaimPayment(crossed, HOME, "trf_crossed", 60_000))
    arrive(economy, taken.events[1].payload)
    economy.now += 61_000
    first(economy.by_reactor(ExpirePayment(expired, HOME)))
    first(economy.by_reactor(MeasureVelocity(HOME)))


def arrive(economy: Economy, prepared: TransferPrepared) -> None:
    """Accept and commit what was prepared just now."""
    name, sent, to = prepared.transfer_id, prepared.frame_id, prepared.receiver_frame
    told = (prepared.sender, prepared.receiver, prepared.amount, economy.place(sent))
    first(economy.by_reactor(AcceptTransfer(name, to, sent, *told)))
    first(economy.by_reactor(CommitTransfer(name, sent, economy.place(to))))


def crossing(economy: Economy, ada: SigningKey, accounts: Sequence[str], dan: SigningKey) -> None:
    """Transfer across registries and frames; some arrive, some return, one is still under way."""
    a, e, d = accounts
    arrive(economy, first(economy.transfer(ada, a, e, 20_000)))
    arrive(economy, first(economy.transfer(ada, a, d, 30_000, to=AWAY)))
    arrive(economy, first(economy.transfer(dan, d, a, 400, to=HOME, frame=AWAY)))
    returned = first(economy.transfer(ada, a, d, 7_000, to=AWAY)).transfer_id
    economy.now += 61_000
    first(economy.by_reactor(RejectTransfer(returned, AWAY, HOME, a, d, 7_000, economy.place())))
    first(economy.by_reactor(AbortTransfer(returned, HOME, "timeout", economy.place(AWAY))))
    first(economy.transfer(ada, a, d, 9_000, to=AWAY))


def staking(economy: Economy, ada: SigningKey, bob: SigningKey, accounts: Sequence[str]) -> None:
    """Stake, be rewarded, vote, and take a stake back."""
    a, b = accounts
    stakes = [
        first(economy.stake(ada, a, 300_000_000, 0)).stake_id,
        first(economy.stake(bob, b, 100_000_000, 90)).stake_id,
    ]
    first(
        economy.by_session(
            ada,
            OpenProposal("prp_1", HOME, "north", "parameter", "Dearer", None, "fee_bps", "90", economy.now + 60_000),
        )
    )
    first(economy.vote(ada, "prp_1", "no"))
    first(economy.vote(bob, "prp_1", "yes"))
    first(economy.vote(ada, "prp_1", "yes"))
    economy.now += 61_000
    first(economy.by_reactor(TallyProposal("prp_1", HOME)))
    first(economy.transfer(ada, a, b, 100_000))
    economy.now += 3 * DAY_MS
    day = START_MS // DAY_MS + 1
    first(economy.by_reactor(OpenRewardDay(HOME, "north", day, 60_000, rates_of(Terms()))))
    first(economy.by_reactor(RewardStakes(HOME, "north", day, tuple(stakes))))
    first(economy.by_reactor(RewardStakes(HOME, "north", day, tuple(reversed(stakes)))))
    first(economy.by_reactor(CloseRewardDay(HOME, "north", day)))
    first(economy.unstake(ada, stakes[0]))
    first(economy.by_reactor(OpenRewardDay(HOME, "north", day + 1, 5_000, rates_of(Terms()))))
