"""The command line: one verb a call, tables for people and ``--json`` for programs."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

from muniment.cli_outcome import Failure, run_verb

NOUNS: Final[Mapping[str, Sequence[str]]] = {
    "cli_processes": ("up", "api", "decide", "project", "react"),
    "cli_keys": ("keygen",),
    "cli_did": ("did",),
    "cli_facts": ("facts",),
    "cli_signers": ("signers",),
    "cli_webhooks": ("webhooks",),
    "cli_feed": ("playlists",),
    "cli_ledger": ("ledger",),
    "cli_records": ("records", "schemas"),
    "cli_media": ("media", "erase"),
    "cli_gateway": ("feeds", "profile", "search", "tip"),
    "cli_publish": ("verify-record",),
    "cli_publish_jobs": ("publish", "job", "proof"),
    "cli_publish_keys": ("publishers",),
    "cli_publish_story": ("story",),
    "cli_pool": ("pool", "devnet"),
    "cli_events": ("events",),
    "cli_operations": ("health", "commands"),
    "cli_service_keys": ("keys",),
    "cli_maintenance": ("rebuild", "audit", "export"),
    "cli_listen": ("feed",),
}
"""By module the verbs that it adds: only what is asked for is loaded, since every verb is a process that starts."""


def parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Build the tree of verbs, or of the module's that adds one; each leaf knows the function that does it."""
    tree = argparse.ArgumentParser(
        prog="muniment",
        description="An event-sourced registry of signed facts: start it, sign with it, follow it, audit it.",
        epilog="Exit status: 0 done, 1 refused or failed, 2 wrong usage. Settings: flags, then MUNIMENT_* variables.",
        allow_abbrev=False,
    )
    verbs = tree.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in [name for name, added in NOUNS.items() if verb in added] or NOUNS:
        import_module(f"muniment.{module}").add_verbs(verbs)
    return tree


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one verb and give the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    args = parser(given[0] if given else None).parse_args(given)
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
