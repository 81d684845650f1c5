"""Verbs that tell how a registry is and what became of a command."""

import argparse

from muniment.cli_options import Verbs, add_noun
from muniment.cli_outcome import DONE, FAILED
from muniment.cli_output import print_result
from muniment.cli_reach import add_client_verb, reached


def add_verbs(verbs: Verbs) -> None:
    """Add ``health`` and ``commands``."""
    add_client_verb(verbs, "health", _health, "tell how the registry is; more to an operator")
    commands = add_noun(verbs, "commands", "tell what became of a command")
    show = add_client_verb(commands, "show", _show, "show a command: pending, accepted or refused")
    show.add_argument("command", metavar="COMMAND", help="its id, cmd_…")


async def _health(args: argparse.Namespace) -> int:
    async with reached(args) as client:
        health = await client.health()
        print_result(args, health)
        return DONE if health.serving else FAILED


async def _show(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        print_result(args, await client.commands.get(args.command))
