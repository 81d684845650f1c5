"""Amounts on the command line: AVT for people, micro-AVT in digits for programs."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from muniment.amounts import InvalidAmount, read_avt, written_avt
from muniment.cli_output import print_json, print_members, print_results, print_table
from muniment.client.ledger_shapes import micro_avt
from muniment.client.shapes import Result

SHOWN_CHARACTERS: Final = 40


def avt_argument(text: str) -> int:
    """Read an argument that is an amount in AVT with at most six decimals, and give micro-AVT."""
    try:
        return read_avt(text)
    except InvalidAmount as error:
        raise argparse.ArgumentTypeError(f"{text[:SHOWN_CHARACTERS]!r}: {error}") from None


def grant_argument(text: str) -> int:
    """Read an argument that is an amount as above, or nothing at all, and give micro-AVT."""
    return 0 if text == "0" else avt_argument(text)


def avt(micro: int) -> str:
    """Say an amount to people."""
    return f"{written_avt(micro)} AVT"


def for_people(result: Result) -> Mapping[str, Any]:
    """Give an answer's members as people read them: amounts in AVT."""
    amounts = {
        name for name, reader in result.nested.items() if reader is micro_avt and getattr(result, name) is not None
    }
    return {
        name: written_avt(getattr(result, name)) if name in amounts else value for name, value in result.json.items()
    }


def print_money(args: argparse.Namespace, result: Result) -> None:
    """Print one answer: as JSON, or member by member with amounts in AVT."""
    if args.json:
        print_json(result.json)
        return
    print_members(for_people(result))


def print_moneys(args: argparse.Namespace, results: Sequence[Result], columns: Mapping[str, str]) -> None:
    """Print a list: as JSON, or a table of these headings and members, amounts in AVT."""
    if args.json:
        print_results(args, results, columns)
        return
    rows = map(for_people, results)
    print_table(list(columns), [[row.get(name) for name in columns.values()] for row in rows])
