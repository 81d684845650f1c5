"""A small economy for projections: two frames on two partitions of the memory log, and real seats that decide on it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from domain.ledger.account import FreezeAccount, Mandate, UnfreezeAccount, account_id
from domain.ledger.agent import RegisterAgent
from domain.ledger.developer import IssueInvites, RegisterDeveloper
from domain.ledger.frame import BurnTokens, MeasureVelocity, MintTokens, OpenFrame
from domain.ledger.payment import CancelPayment, ClaimPayment, ExpirePayment, HoldPayment
from domain.ledger.proposal import CastVote, OpenProposal, TallyProposal
from domain.ledger.registry import ChangeRegistry, OpenRegistry, Terms
from domain.ledger.reward import CloseRewardDay, OpenRewardDay, RewardStakes, rates_of
from domain.ledger.stake import DAY_MS, PlaceStake, WithdrawStake
from domain.ledger.transfer import PostTransfer
from domain.ledger.transit import AbortTransfer, AcceptTransfer, CommitTransfer, RejectTransfer
from log import released, topic
from log.chain import Chain, Mark
from log.following import Decided, follow
from log.memory import MemoryLog
from log.message import Command, Decision
from log.scope import command_id
from log.store import MemoryStore
from log.topic import partition_of
from processors.seat import Seat
from projections.dump import dump
from projections.ledger import LedgerProjection
from projections.postgres import Postgres
from projections.projector import Projector
from tests.projections.plain_fold import Tables

ADMIN, OPERATOR = "did:key:zAdmin", "did:key:zOperator"
AT = 20_000 * DAY_MS
PARTITIONS = 2
FRAMES = tuple(
    next(f"{name}{n}" for n in range(99) if partition_of(f"{name}{n}", PARTITIONS) == part)
    for part, name in enumerate(("east", "west"))
)
"""One frame on each partition."""
REGISTRIES = {"books": FRAMES[0], "songs": FRAMES[0], "films": FRAMES[1]}
OWNERS = ("did:key:zAda", "did:key:zBob", "did:pkh:eip155:1:0x" + "aB" * 20)
CARD = {
    "name": "Herald", "description": "Carries\ttidings\\ of every kind", "version": "1", "protocolVersion": "0.3.0",
    "skills": [
        {"id": "translate-text", "name": "Translating", "description": "From one tongue to another", "tags": ["words"]},
        {"id": "sum,up", "name": "Summaries", "description": "Shorter", "tags": ["words", 'quo"ted\\']},
    ],
}  # fmt: skip
MICRO = 1_000_000


class Economy:
    """A log with seats; ``do`` appends a command and the decision on it."""

    def __init__(self) -> None:
        self.log, self.now, self._asked = MemoryLog(), AT, 0
        self.seats = [Seat("ledger", partition, MemoryStore()) for partition in range(PARTITIONS)]
        self.transfers: list[tuple[str, str, str, str, str, int]] = []
        self.payments: list[tuple[str, str]] = []
        self.stakes: list[tuple[str, str]] = []
        self.proposals: list[tuple[str, str]] = []

    async def start(self) -> "Economy":
        """Open both frames and three registries, and register each owner once in a frame."""
        await released.prepare(self.log, PARTITIONS)
        for frame in FRAMES:
            await self.do(frame, OpenFrame(frame, "sovereign", "enabled", "facts/0/0"), ADMIN)
        for name, frame in REGISTRIES.items():
            terms = Terms(mint_rewards=name == "songs")
            await self.do(frame, OpenRegistry(frame, name, terms, "facts/0/0"), OPERATOR)
        for index, owner in enumerate(OWNERS):
            for name, frame in (("songs" if index == 1 else "books", FRAMES[0]), ("films", FRAMES[1])):
                who = RegisterDeveloper(frame, name, owner, f"N{index}", f"n{index}@x.example", None, None)
                await self.do(frame, who, owner)
        return self

    async def do(self, frame: str, payload: Any, actor: str = ADMIN) -> tuple[int, int, Decision]:
        """Ask for something, and give where the decision lies and what it is."""
        self._asked += 1
        self.now += 7
        request = hashlib.sha256(str(self._asked).encode()).digest()
        name = command_id(actor, request, idempotency_key=str(self._asked))
        command = Command(name, type(payload).__name__, actor, None, request, payload, None)
        part = partition_of(frame, PARTITIONS)
        value = released.codec("ledger", "command").encode(command)
        at = await (await self.log.append(topic.commands("ledger"), part, [(frame.encode(), value)]))
        asked = replace(self.log.messages(topic.commands("ledger"), part)[at], timestamp=self.now)
        events = topic.events("ledger")
        offset = await (await self.log.append(events, part, self.seats[part].decide([asked])))
        message = self.log.messages(events, part)[offset]
        assert self.seats[part].settle([message])
        return part, offset, released.codec("ledger", "decision").decode(message.value)

    def mandate(self, owner: str) -> Mandate:
        """Give an owner's word, with a nonce of its own."""
        key_id = "phone" if self._asked % 2 else None
        return Mandate(owner, f"nonce-{self._asked:020d}", self.now + 60_000, key_id)

    def account(self, registry: str, owner: str, kind: str = "user") -> str:
        """Name an account."""
        return account_id(REGISTRIES[registry], registry, owner, kind)

    async def send(
        self, source: tuple[str, str], target: tuple[str, str], amount: int, memo: str | None = None
    ) -> tuple[str, Decision]:
        """Send money from (registry, owner) to (registry, owner)."""
        sender, receiver, transfer = self.account(*source), self.account(*target), f"tr_{self._asked}"
        frame, there = REGISTRIES[source[0]], REGISTRIES[target[0]]
        payload = PostTransfer(transfer, frame, sender, receiver, there, amount, memo, self.mandate(source[1]), 60_000)
        _, offset, decision = await self.do(frame, payload, source[1])
        if decision.refusal is None and source[0] != target[0]:
            self.transfers.append((transfer, frame, there, sender, receiver, amount))
        del offset
        return transfer, decision

    async def phase(self, name: str, which: int) -> None:
        """Bring a transfer that crosses registries on; what comes too early or too late is refused."""
        transfer, frame, there, sender, receiver, amount = self.transfers[which % len(self.transfers)]
        arrival = (transfer, there, frame, sender, receiver, amount, "ledger/0/0")
        if name == "accept":
            await self.do(there, AcceptTransfer(*arrival))
        elif name == "reject":
            await self.do(there, RejectTransfer(*arrival))
        arrived = self.seats[partition_of(there, PARTITIONS)].store.get(f"arrival/{transfer}")
        if name == "end" and arrived is not None:
            end = CommitTransfer(transfer, frame, "ledger/0/0")
            undo = AbortTransfer(transfer, frame, "timeout", "ledger/0/0")
            await self.do(frame, end if arrived[0] == "accepted" else undo)

    async def hold(self, source: tuple[str, str], target: tuple[str, str], amount: int) -> str:
        """Hold a payment."""
        payment, frame = f"pay_{self._asked}", REGISTRIES[source[0]]
        held = HoldPayment(
            payment, frame, self.account(*source), self.account(*target), REGISTRIES[target[0]], target[1], amount,
            None, self.mandate(source[1]),
        )  # fmt: skip
        if (await self.do(frame, held, source[1]))[2].refusal is None:
            self.payments.append((payment, frame))
        return payment

    async def stake(self, registry: str, owner: str, amount: int, lock_days: int = 0) -> str:
        """Place a stake."""
        stake, frame = f"stk_{self._asked}", REGISTRIES[registry]
        placed = PlaceStake(stake, frame, self.account(registry, owner), amount, lock_days, self.mandate(owner))
        if (await self.do(frame, placed, owner))[2].refusal is None:
            self.stakes.append((stake, registry))
        return stake

    async def propose(self, registry: str, owner: str, value: int | None = None) -> str:
        """Open a proposal, of a fee where a value is given."""
        proposal, frame = f"prp_{self._asked}", REGISTRIES[registry]
        asked = ("parameter", "fee_bps", str(value)) if value is not None else ("text", None, None)
        opened = OpenProposal(
            proposal, frame, registry, asked[0], "Shall we?", "Let us", asked[1], asked[2], self.now + 60_000
        )
        if (await self.do(frame, opened, owner))[2].refusal is None:
            self.proposals.append((proposal, frame))
        return proposal

    async def agent(self, registry: str, owner: str, did: str, card: dict[str, Any] | None = None) -> str:
        """Register an agent."""
        name, frame = f"agt_{self._asked}", REGISTRIES[registry]
        written = json.dumps(CARD if card is None else card)
        await self.do(frame, RegisterAgent(frame, registry, name, did, written, "https://x.example"), owner)
        return name

    async def play(self, moves: Sequence[tuple[str, int, int]]) -> None:
        """Make moves, each a name and two numbers that choose what it is about; refused ones change nothing."""
        for name, first, second in moves:
            places = [(registry, owner) for registry in REGISTRIES for owner in OWNERS]
            one, two = places[first % len(places)], places[second % len(places)]
            amount, frame = (1 + second) * MICRO, REGISTRIES[one[0]]
            if name == "send":
                await self.send(one, two, amount, None if first % 2 else f"memo\t{second}\\")
            elif name in ("accept", "reject", "end"):
                if self.transfers:
                    await self.phase(name, first)
            elif name == "hold":
                await self.hold(one, two, amount)
            elif name == "stake":
                await self.stake(*one, amount, (0, 30)[second % 2])
            elif name == "propose":
                await self.propose(*one, 50 + second if second % 2 else None)
            elif name == "agent":
                await self.agent(*one, f"did:key:zAgent{first}")
            elif name == "day":
                self.now += DAY_MS
                await self.day(one[0])
            else:
                await self._other(name, frame, one, first, second)

    async def day(self, registry: str) -> None:
        """Pay for the day that is over."""
        frame, day = REGISTRIES[registry], self.now // DAY_MS - 1
        stakes = tuple(stake for stake, of in self.stakes if of == registry)
        await self.do(frame, OpenRewardDay(frame, registry, day, 5_000 * len(stakes), rates_of(Terms())))
        await self.do(frame, RewardStakes(frame, registry, day, stakes))
        await self.do(frame, CloseRewardDay(frame, registry, day))

    async def _other(self, name: str, frame: str, one: tuple[str, str], first: int, second: int) -> None:
        account, actor, payload = self.account(*one), ADMIN, None
        if name in ("claim", "cancel", "expire") and self.payments:
            payment, frame = self.payments[first % len(self.payments)]
            entry = self.seats[partition_of(frame, PARTITIONS)].store.get(f"payment/{payment}")
            assert entry is not None
            actor = entry[4] if name == "claim" else self.owner_of(frame, entry[1])
            if name == "expire":
                self.now += 60_001
            payload = {
                "claim": ClaimPayment(payment, frame, f"tr_{self._asked}", 60_000),
                "cancel": CancelPayment(payment, frame),
                "expire": ExpirePayment(payment, frame),
            }[name]
        elif name == "unstake" and self.stakes:
            stake, registry = self.stakes[first % len(self.stakes)]
            frame = REGISTRIES[registry]
            entry = self.seats[partition_of(frame, PARTITIONS)].store.get(f"stake/{stake}")
            assert entry is not None
            payload = WithdrawStake(stake, frame, self.mandate(entry[3]))
        elif name in ("vote", "tally") and self.proposals:
            proposal, frame = self.proposals[first % len(self.proposals)]
            if name == "tally":
                self.now += 60_000
            choice = ("yes", "no", "abstain")[second % 3]
            vote = CastVote(proposal, frame, choice, self.mandate(OWNERS[second % len(OWNERS)]))
            payload = vote if name == "vote" else TallyProposal(proposal, frame)
        elif name in ("mint", "burn", "freeze", "unfreeze", "velocity", "terms", "invite"):
            changed = ChangeRegistry(frame, one[0], 50 + second, *[None] * 10, "facts/0/0")
            payload = {
                "terms": changed,
                "invite": IssueInvites(frame, one[0], (f"{second:064x}",), "facts/0/0"),
                "mint": MintTokens(frame, account, second * MICRO, "facts/0/0"),
                "burn": BurnTokens(frame, account, second * MICRO, "facts/0/0"),
                "freeze": FreezeAccount(frame, account, "facts/0/0"),
                "unfreeze": UnfreezeAccount(frame, account, "facts/0/0"),
                "velocity": MeasureVelocity(frame),
            }[name]
        if payload is not None:
            await self.do(frame, payload, actor)

    def owner_of(self, frame: str, account: str) -> str:
        """Give an account's owner."""
        entry = self.seats[partition_of(frame, PARTITIONS)].store.get(f"account/{account}")
        assert entry is not None
        return str(entry[2])


MOVES = (
    "send", "send", "send", "accept", "reject", "end", "end", "hold", "claim", "cancel", "expire", "stake", "unstake",
    "propose", "vote", "vote", "tally", "agent", "day", "mint", "burn", "freeze", "unfreeze", "unfreeze", "velocity",
    "terms", "invite",
)  # fmt: skip


def ends(log: MemoryLog) -> dict[int, int]:
    """Give the ends of the events topic."""
    return {part: len(log.messages(topic.events("ledger"), part)) for part in range(PARTITIONS)}


async def project(economy: Economy, postgres: Postgres) -> None:
    """Project all that the log holds, in one batch where it fits."""
    await follow(economy.log, "ledger", Projector(postgres, [LedgerProjection()]), until=ends(economy.log))


async def feed(economy: Economy, postgres: Postgres, order: Sequence[tuple[int, int]]) -> None:
    """Project so many decisions of a partition at a time, in this order, each time in a transaction of its own."""
    projector, name = Projector(postgres, [LedgerProjection()]), topic.events("ledger")
    for part, count in order:
        mark: Mark = (await projector.marks("ledger", PARTITIONS))[part]
        chain = Chain(mark)
        messages = economy.log.messages(name, part)[mark.next : mark.next + count]
        decided = [Decided("ledger", message) for message in chain.counted(messages)]
        await projector.apply("ledger", decided, {part: chain.mark})


async def ledger_tables(postgres: Postgres) -> Tables:
    """Give every row of the ledger, by table and key."""
    found: Tables = {}
    async with dump(postgres, "ledger") as opened:
        for table in LedgerProjection.tables:
            found[table.name] = {tuple(row[n] for n in table.key): row async for row in opened.rows(table.name)}
    return found
