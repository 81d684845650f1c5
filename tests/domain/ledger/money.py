"""Reads the tables of ``money.md``: each row is a few lines that are asked in their order."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).with_name("money.md")
BEFORE_EACH = "before each"
COLUMNS = {"row", "when", "asked", "answer", "moved"}


class Line(NamedTuple):
    """What is asked, at which time (ms; None where it stays), its answer, and what moves: micro-AVT by place."""

    asked: str
    when: int | None
    answer: str
    moved: dict[str, int]


class Row(NamedTuple):
    """One row of a table; ``name`` says which."""

    name: str
    lines: tuple[Line, ...]

    def names(self, *words: str) -> bool:
        """Tell whether any of these words is said in it."""
        return any(word in line.asked.split() for line in self.lines for word in words)


def number(text: str) -> int:
    """Read an amount, with commas or without."""
    return int(text.replace(",", ""))


def moment(text: str) -> int:
    """Read a time of UTC, to the day, the minute, the second or the millisecond, as ms since 1970."""
    at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def movements(text: str) -> dict[str, int]:
    """Read ``ann -2; ben +1`` as what moves, by place."""
    found: dict[str, int] = {}
    for each in filter(None, text.split("; ")):
        place, _, amount = each.rpartition(" ")
        if place in found or amount[0] not in "+-":
            raise ValueError(f"{each!r} is no movement of its own")
        found[place] = number(amount)
    return found


def cells(line: str) -> list[str]:
    """Split a line of a table."""
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def tables(page: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Give each heading with the lines of the table under it."""
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        head, _, *lines = [cells(line) for line in body.splitlines() if line.startswith("|")]
        if not set(head) <= COLUMNS:
            raise ValueError(f"{heading!r} has columns that nobody reads: {head}")
        yield heading, [dict(zip(head, line, strict=True)) for line in lines]


def rows(page: str) -> Iterator[Row]:
    """Give every row of every table."""
    for heading, found in tables(page):
        of: dict[str, list[Line]] = {}
        name = ""
        for cell in found:
            if cell["row"]:
                name = cell["row"]
                if name in of:
                    raise ValueError(f"{heading!r} has two rows {name!r}")
            if not name:
                raise ValueError(f"{heading!r} begins with a line of no row")
            when = moment(cell["when"]) if cell.get("when") else None
            of.setdefault(name, []).append(Line(cell["asked"], when, cell["answer"], movements(cell["moved"])))
        first = of.pop(BEFORE_EACH, [])
        yield from (Row(f"{heading}: {name}", (*first, *lines)) for name, lines in of.items())


ROWS = tuple(rows(PAGE.read_text()))
