"""What a verb says: tables and short texts for people, JSON for programs."""

import argparse
import json
import re
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from muniment.client.shapes import Result

PIPE_WIDTH: Final = 10_000
"""Where nobody looks, a line is one line, however long."""
DEFAULT_LIMIT: Final = 50
# A terminal obeys control characters; what others wrote must not move the cursor or change what is seen.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

T = TypeVar("T")


def console() -> Console:
    """Give what prints to standard output."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, emoji=False, markup=False, width=width)


def shown(value: object) -> str:
    """Write a value for people, without anything that a terminal would obey."""
    match value:
        case None:
            text = ""
        case str():
            text = value
        case bool():
            text = "yes" if value else "no"
        case list() | tuple():
            text = ", ".join(shown(each) for each in value)
        case dict():
            text = json.dumps(value, ensure_ascii=False)
        case _:
            text = str(value)
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def print_json(value: object) -> None:
    """Print one JSON value on one line, at once: a reader may follow."""
    print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their headings."""
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for row in rows:
        table.add_row(*(Text(shown(value), overflow="fold") for value in row))
    _print_trimmed(table)


def print_members(members: Mapping[str, Any]) -> None:
    """Print an object's members, one a line."""
    table = Table.grid(padding=(0, 2))
    for name, value in _flat(members):
        table.add_row(Text(name, style="bold"), Text(shown(value), overflow="fold"))
    _print_trimmed(table)


def _flat(members: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Give the members of nested objects by their path, ``subject.ref``."""
    for name, value in members.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{shown(name)}.")
        else:
            yield above + shown(name), value


def _print_trimmed(table: Table) -> None:
    """Print a table without the spaces that fill its last column."""
    printer = console()
    with printer.capture() as captured:
        printer.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)


def print_result(args: argparse.Namespace, result: Result, line: str | None = None) -> None:
    """Print one answer: as JSON, as the line given, or member by member."""
    if args.json:
        print_json(result.json)
    elif line is not None:
        print(shown(line), flush=True)
    else:
        print_members(result.json)


def print_results(args: argparse.Namespace, results: Sequence[Result], columns: Mapping[str, str]) -> None:
    """Print a list: ``{"items": […], "as_of": …}``, or a table of these headings and members (``a.b`` is nested)."""
    if args.json:
        as_of = results[-1].as_of if results else None
        print_json({"items": [result.json for result in results], "as_of": as_of})
        return
    rows = [[_member(result.json, path) for path in columns.values()] for result in results]
    print_table(list(columns), rows)


def _member(found: Any, path: str) -> object:
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def add_limit(verb: argparse.ArgumentParser) -> None:
    """Add how many items a list shows."""
    verb.add_argument("--limit", type=positive, default=DEFAULT_LIMIT, metavar="N", help=f"at most N [{DEFAULT_LIMIT}]")
    verb.add_argument("--all", action="store_true", help="however many there are")


def positive(text: str) -> int:
    """Read a number above zero."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number above zero")
    return int(text)


async def taken(args: argparse.Namespace, items: AsyncIterator[T]) -> list[T]:
    """Take as many items as the call wants."""
    found: list[T] = []
    async for item in items:
        found.append(item)
        if not args.all and len(found) >= args.limit:
            break
    return found


def progress(args: argparse.Namespace, *, sized: bool = False) -> Progress:
    """Give a progress bar on standard error, of bytes where ``sized``, which shows itself to a terminal only."""
    shows = sys.stderr.isatty() and not args.json
    counted: ProgressColumn = DownloadColumn() if sized else MofNCompleteColumn()
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), counted)
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), disable=not shows, transient=True)
