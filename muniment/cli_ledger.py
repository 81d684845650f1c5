"""Verbs on the ledger: see what one has, move it, and see whether all of it adds up."""

import argparse

from muniment import (
    cli_ledger_agents,
    cli_ledger_frames,
    cli_ledger_payments,
    cli_ledger_proposals,
    cli_ledger_stakes,
)
from muniment.cli_amounts import avt, avt_argument, print_money, print_moneys
from muniment.cli_options import Verbs, add_noun
from muniment.cli_outcome import DONE, FAILED
from muniment.cli_output import add_limit, print_result, taken
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.client import Supply, Transfer


def add_verbs(verbs: Verbs) -> None:
    """Add ``ledger`` and its verbs."""
    ledger = add_noun(verbs, "ledger", "hold tokens, move them, stake them, and decide with them")
    transfer = add_client_verb(ledger, "transfer", _transfer, "move AVT from an account of one's own to another")
    transfer.add_argument("sender", metavar="FROM", help="the account that pays, acc_…")
    transfer.add_argument("receiver", metavar="TO", help="the account that is paid, acc_…")
    transfer.add_argument("amount", type=avt_argument, metavar="AMOUNT", help="AVT with at most six decimals, 1.5")
    transfer.add_argument("--memo", help="what it is for, at most 256 characters")
    transfer.add_argument("--no-wait", action="store_true", help="don't wait for the end of one across registries")
    balance = add_client_verb(ledger, "balance", _balance, "show what an account has")
    balance.add_argument("--as-of", metavar="POSITION", help="as it stood at a position's token or an RFC 3339 time")
    statement = add_client_verb(ledger, "statement", _statement, "list what came to an account and left it")
    add_limit(statement)
    for verb in (balance, statement):
        verb.add_argument("account", metavar="ACCOUNT", help="its id, acc_…")
    supply = add_client_verb(ledger, "supply", _supply, "show the tokens of a frame, and whether they add up")
    supply.add_argument("frame", nargs="?", metavar="FRAME", help="the frame's id [every frame]")
    for noun in (cli_ledger_frames, cli_ledger_agents, cli_ledger_payments, cli_ledger_stakes, cli_ledger_proposals):
        noun.add_verbs(ledger)


def _said(transfer: Transfer) -> str:
    fee = "" if transfer.fee is None or not transfer.ended else f", fee {avt(transfer.fee)}"
    why = "" if transfer.reason is None else f": {transfer.reason}"
    again = " (it was before)" if transfer.repeated else ""
    return f"{transfer.status} {transfer.id}: {avt(transfer.amount)} to {transfer.receiver}{fee}{why}{again}"


async def _transfer(args: argparse.Namespace) -> int:
    async with reached(args) as client:
        signed_in(client)
        transfer = await client.ledger.transfers.send(
            args.sender, args.receiver, args.amount, args.memo, wait=not args.no_wait
        )
        print_result(args, transfer, _said(transfer))
        return FAILED if transfer.status == "aborted" else DONE


async def _balance(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        print_money(args, await client.ledger.accounts.get(args.account, as_of=args.as_of))


async def _statement(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        size = 100 if args.all else min(100, args.limit)
        lines = await taken(args, client.ledger.accounts.statement(args.account, page_size=size))
        columns = {
            "at": "at",
            "amount": "amount",
            "part": "part",
            "what": "type",
            "about": "about",
            "other account": "counterparty",
            "available": "available",
            "staked": "staked",
            "held": "held",
            "memo": "memo",
        }
        print_moneys(args, lines, columns)


async def _supply(args: argparse.Namespace) -> int:
    async with reached(args) as client:
        if args.frame is not None:
            found = [await client.ledger.supply(args.frame)]
            print_money(args, found[0])
        else:
            found = [await client.ledger.supply(frame.frame_id) async for frame in client.ledger.frames.list()]
            print_moneys(args, found, SUPPLY_COLUMNS)
        return DONE if all(map(_holds, found)) else FAILED


SUPPLY_COLUMNS = {
    "frame": "frame_id",
    "issued": "tokens_issued",
    "destroyed": "tokens_destroyed",
    "transit": "transit_net",
    "circulating": "tokens_circulating",
    "in flight": "in_flight",
    "holds": "holds",
}


def _holds(supply: Supply) -> bool:
    return supply.holds
