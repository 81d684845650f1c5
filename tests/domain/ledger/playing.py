"""Plays a row of ``money.md`` on whatever hosts the deciders, and holds each answer and each balance against it."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from domain.decider import Refusal
from domain.ledger.account import Account
from domain.ledger.posting import Supply
from tests.domain.ledger.money import Line, Row
from tests.domain.ledger.town import COUNTERS, PARTS, Ask, Town, place_of

Sheet = dict[str, int]
"""What each place has in micro-AVT; one that isn't there has nothing."""


class Answer(NamedTuple):
    """What became of a command, and where its decision lies."""

    outcome: Sequence[Any] | Refusal
    partition: int = 0
    offset: int = -1

    @property
    def events(self) -> Sequence[Any]:
        """Give what happened."""
        return () if isinstance(self.outcome, Refusal) else self.outcome


class Host(Protocol):
    """Whatever decides for a town."""

    async def ask(self, ask: Ask) -> Answer:
        """Decide a command, and see that it is refused as repeated when it comes again."""

    async def account(self, name: str) -> Account:
        """Give an account."""

    async def supply(self, frame_id: str) -> Supply:
        """Give a frame's supply."""


class Step(NamedTuple):
    """One answer, what it moved, and what each place has behind it."""

    answer: Answer
    moved: Sheet
    sheet: Sheet


@dataclass
class Played:
    """A row that was played: its town, and each of its steps, those of its opening first."""

    town: Town
    steps: list[Step] = field(default_factory=list)


async def play(row: Row, host: Host, frames: dict[str, str], later_ms: int = 0) -> Played:
    """Play a row with frames of these ids, and all of its times so much later (whole days).

    Raises AssertionError that says at which line it isn't what it should be.
    """
    played = Played(town := Town(row, frames, later_ms))
    sheet: defaultdict[str, int] = defaultdict(int)
    for ask, moved in town.opening():
        answer = await host.ask(ask)
        same(f"the opening of {row.name!r}", town.heard(answer.events), moved)
        step(played, sheet, answer, moved)
    for count, line in enumerate(row.lines, start=1):
        where = f"{row.name!r}, line {count}, {line.asked!r}"
        if line.when is not None:
            town.now = line.when + later_ms
        answer = await host.ask(town.understand(line.asked))
        check_answer(where, line, answer)
        same(f"{where} moved", town.heard(answer.events), line.moved)
        step(played, sheet, answer, line.moved)
        for prefix in town.frames:
            same(f"{where} is out of balance in this table by", town.balances(sheet, prefix), 0)
        same(f"{where} left", await sheet_of(host, town), played.steps[-1].sheet)
    return played


def step(played: Played, sheet: Sheet, answer: Answer, moved: Sheet) -> None:
    """Count what a step moved."""
    for place, amount in moved.items():
        sheet[place] += amount
    played.steps.append(Step(answer, moved, {place: amount for place, amount in sheet.items() if amount}))


async def sheet_of(host: Host, town: Town) -> Sheet:
    """Ask a host what each place has."""
    found: Sheet = {}
    for name, account_id in town.accounts.items():
        account = await host.account(account_id)
        found |= {place_of(name, part): getattr(account, part) for part in PARTS}
    for prefix, frame_id in town.frames.items():
        supply = await host.supply(frame_id)
        counters = dict(zip(COUNTERS, supply, strict=False))
        found |= {prefix + name: amount for name, amount in counters.items()}
        same(f"the supply of {frame_id}", supply.holds, right=True)
    return {place: amount for place, amount in found.items() if amount}


ANSWER = re.compile(r"([a-z_: ]+?)(?: \(([^)]*)\))?(?:, |$)")


def check_answer(where: str, line: Line, answer: Answer) -> None:
    """Hold what became of a command against what a line says: names in their order, and some of what each says."""
    parts = [(found[1], found[2]) for found in ANSWER.finditer(line.answer)]
    outcome = answer.outcome
    told: Sequence[Any] = [outcome] if isinstance(outcome, Refusal) else outcome
    same(f"{where} was answered", [spoken(each) for each in told], [name for name, _ in parts])
    for (name, facts), each in zip(parts, told, strict=True):
        for fact in filter(None, (facts or "").split("; ")):
            member, _, value = fact.partition(" ")
            found = each.details[member] if isinstance(each, Refusal) else getattr(each, member)
            same(f"{where}: {name}: {member}", str(found).lower(), value.replace(",", ""))


def spoken(told: Any) -> str:
    """Name an event or a refusal in the words of the tables."""
    if isinstance(told, Refusal):
        return f"refused: {told.code}"
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(told).__name__).lower()


def same(what: str, found: Any, right: Any) -> None:
    """See that two things are the same."""
    if found != right:
        raise AssertionError(f"{what} {found}, and by the table it is {right}")
