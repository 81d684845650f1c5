"""The verb that follows the event stream."""

import argparse

from muniment.cli_options import Verbs
from muniment.cli_output import print_json, shown
from muniment.cli_reach import add_client_verb, reached
from muniment.client import PublicEvent


def add_verbs(verbs: Verbs) -> None:
    """Add ``events``."""
    doc = "print what happens to records and media as it comes; with --json one event a line"
    events = add_client_verb(verbs, "events", _events, doc)
    events.add_argument(
        "--types", action="append", metavar="TYPES", help="only these, cdv.records.*,cdv.media.finalized [all]"
    )
    events.add_argument("--since", metavar="CURSOR", help="an event's `cursor` or a position, 0 for the start [now]")
    events.add_argument("--until-now", action="store_true", help="stop where the log ends; without --since from 0")


async def _events(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        async for event in client.events(args.types or (), args.since, follow=not args.until_now):
            _print(args, event)


def _print(args: argparse.Namespace, event: PublicEvent) -> None:
    if args.json:
        print_json(event.json)
        return
    print(" ".join(map(shown, (event.at, event.type, event.uri or event.media_id, "by", event.did))), flush=True)
