"""The command line: one verb a call, tables for people and ``--json`` for programs."""

import argparse
import os
import sys
from collections.abc import Sequence

from muniment import (
    cli_facts,
    cli_feed,
    cli_keys,
    cli_ledger,
    cli_listen,
    cli_maintenance,
    cli_operations,
    cli_processes,
    cli_signers,
    cli_webhooks,
)
from muniment.cli_outcome import Failure, run_verb

NOUNS = (
    cli_processes,
    cli_keys,
    cli_facts,
    cli_signers,
    cli_webhooks,
    cli_feed,
    cli_ledger,
    cli_operations,
    cli_maintenance,
    cli_listen,
)


def parser() -> argparse.ArgumentParser:
    """Build the tree of verbs; each leaf knows the function that does it."""
    tree = argparse.ArgumentParser(
        prog="muniment",
        description="An event-sourced registry of signed facts: start it, sign with it, follow it, audit it.",
        epilog="Exit status: 0 done, 1 refused or failed, 2 wrong usage. Settings: flags, then MUNIMENT_* variables.",
        allow_abbrev=False,
    )
    verbs = tree.add_subparsers(title="verbs", metavar="VERB", required=True)
    for noun in NOUNS:
        noun.add_verbs(verbs)
    return tree


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one verb and give the exit status."""
    args = parser().parse_args(arguments)
    try:
        return run_verb(args)
    except Failure as failure:
        failure.show(as_json=bool(getattr(args, "json", False)))
        return failure.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read standard output has had enough; Python would complain again when it flushes at exit.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for the rest of the process
        return 1
