"""The verb that follows the delta feed."""

import argparse

from muniment.cli_options import Verbs
from muniment.cli_output import print_json, shown
from muniment.cli_reach import add_client_verb, reached
from muniment.client import Change


def add_verbs(facts: Verbs) -> None:
    """Add ``facts follow``."""
    doc = "print every change of a fact as it comes; with --json one change a line"
    follow = add_client_verb(facts, "follow", _follow, doc)
    follow.add_argument("--since", default="0", metavar="CURSOR", help="a change's `resume`, 0 for the start [0]")
    follow.add_argument("--until-now", action="store_true", help="stop where the log ends instead of waiting for more")


async def _follow(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        async for change in client.facts.changes(args.since, follow=not args.until_now):
            _print(args, change)


def _print(args: argparse.Namespace, change: Change) -> None:
    fact = change.fact
    if args.json:
        item = {"change": change.change, "fact": fact.json, "position": change.position, "resume": change.resume}
        print_json(item)
        return
    words = (fact.created_at, change.change, fact.kind, fact.subject.ref, "by", fact.issuer_did, fact.id)
    print(" ".join(map(shown, words)), flush=True)
