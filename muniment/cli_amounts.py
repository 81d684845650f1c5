"""Amounts on the command line: AVT for people, micro-AVT in digits for programs."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from muniment.amounts import InvalidAmount, read_amount, read_avt, written_avt
from muniment.cli_output import print_json, print_members, print_results, print_table
from muniment.client.shapes import Result

AMOUNTS: Final = frozenset({
    "amount", "fee", "grant", "earned", "available", "staked", "held", "power", "yes", "no", "abstain", "electorate",
    "tokens_issued", "tokens_destroyed", "transit_net", "tokens_circulating", "in_flight",
})  # fmt: skip
"""Members of the ledger's answers that are micro-AVT."""
SHOWN_CHARACTERS: Final = 40


def avt_argument(text: str) -> int:
    """Read an argument that is an amount in AVT with at most six decimals, and give micro-AVT."""
    try:
        return read_avt(text)
    except InvalidAmount as error:
        raise argparse.ArgumentTypeError(f"{text[:SHOWN_CHARACTERS]!r}: {error}") from None


def avt(micro: int) -> str:
    """Say an amount to people."""
    return f"{written_avt(micro)} AVT"


def for_people(name: str, value: Any) -> Any:
    """Give a member of an answer as people read it: amounts in AVT."""
    if name not in AMOUNTS or not isinstance(value, str):
        return value
    try:
        return written_avt(read_amount(value))
    except InvalidAmount:
        return value


def print_money(args: argparse.Namespace, result: Result) -> None:
    """Print one answer: as JSON, or member by member with amounts in AVT."""
    if args.json:
        print_json(result.json)
        return
    print_members({name: for_people(name, value) for name, value in result.json.items()})


def print_moneys(args: argparse.Namespace, results: Sequence[Result], columns: Mapping[str, str]) -> None:
    """Print a list: as JSON, or a table of these headings and members (``a|b``: the one there is), amounts in AVT."""
    if args.json:
        print_results(args, results, columns)
        return
    print_table(list(columns), [[_cell(result, names) for names in columns.values()] for result in results])


def _cell(result: Result, names: str) -> Any:
    found = (for_people(name, result.json.get(name)) for name in names.split("|"))
    return next((value for value in found if value is not None), None)
