"""Verbs on webhooks: who is told of every change."""

import argparse
from pathlib import Path

from muniment import cli_listen
from muniment.cli_given import secret_in
from muniment.cli_options import Verbs, add_noun
from muniment.cli_output import add_limit, print_result, print_results, taken
from muniment.cli_reach import add_client_verb, reached, signed_in


def add_verbs(verbs: Verbs) -> None:
    """Add ``webhooks`` and its verbs."""
    webhooks = add_noun(verbs, "webhooks", "say who is told of every change, as an admin")
    add = add_client_verb(webhooks, "add", _add, "register an endpoint; its secret is shown once")
    add.add_argument("target", metavar="TARGET", help="the endpoint's URL")
    add.add_argument("--kind", action="append", dest="kinds", help="only changes of this kind; may be repeated [all]")
    add.add_argument("--secret-file", type=Path, metavar="FILE", help="a file with the secret, whsec_… [a new one]")
    listed = add_client_verb(webhooks, "list", _list, "list the endpoints")
    add_limit(listed)
    show = add_client_verb(webhooks, "show", _show, "show an endpoint")
    remove = add_client_verb(webhooks, "remove", _remove, "remove an endpoint")
    replay = add_client_verb(webhooks, "replay", _replay, "send an endpoint every change again")
    replay.add_argument("--from", dest="since", default="0", metavar="CURSOR", help="a feed's cursor, 0 the start [0]")
    deliveries = add_client_verb(webhooks, "deliveries", _deliveries, "list an endpoint's deliveries, parked ones too")
    add_limit(deliveries)
    rotate = add_client_verb(webhooks, "rotate-secret", _rotate, "give an endpoint another secret; both sign meanwhile")
    rotate.add_argument("--secret-file", type=Path, metavar="FILE", help="a file with the secret, whsec_… [a new one]")
    cli_listen.add_listen(webhooks)
    for verb in (show, remove, replay, deliveries, rotate):
        verb.add_argument("webhook", metavar="WEBHOOK", help="its id")


async def _add(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        print_result(args, await client.webhooks.create(args.target, args.kinds, secret_in(args.secret_file)))


async def _list(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        found = await taken(args, client.webhooks.list())
        print_results(args, found, {"id": "id", "url": "url", "kinds": "kinds", "status": "status"})


async def _show(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        print_result(args, await client.webhooks.get(args.webhook))


async def _remove(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        print_result(args, await client.webhooks.delete(args.webhook), f"removed {args.webhook}")


async def _replay(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        answer = await client.webhooks.replay(args.webhook, args.since)
        print_result(args, answer, f"{args.webhook} is sent everything from {args.since} on")


async def _deliveries(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        found = await taken(args, client.webhooks.deliveries(args.webhook))
        columns = {
            "sequence": "sequence",
            "status": "status",
            "attempts": "attempts",
            "response": "response_status",
            "detail": "detail",
            "fact": "body.id",
        }
        print_results(args, found, columns)


async def _rotate(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        print_result(args, await client.webhooks.rotate(args.webhook, secret_in(args.secret_file)))
