"""Verbs on payments: hold an amount for one payee, take it as that payee, or take it back."""

import argparse
from datetime import timedelta

from muniment.cli_amounts import avt, avt_argument, print_money
from muniment.cli_options import Verbs
from muniment.cli_output import positive, print_result
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.cli_times import ahead
from muniment.client import Payment


def add_verbs(ledger: Verbs) -> None:
    """Add ``ledger pay``, ``claim``, ``cancel`` and ``payment``."""
    pay = add_client_verb(ledger, "pay", _pay, "hold AVT of one's own for one payee, until it is claimed or time is up")
    pay.add_argument("sender", metavar="FROM", help="the account that pays, acc_…")
    pay.add_argument("receiver", metavar="TO", help="the account that is paid, acc_…")
    pay.add_argument("amount", type=avt_argument, metavar="AMOUNT", help="AVT with at most six decimals, 1.5")
    ends = pay.add_mutually_exclusive_group()
    ends.add_argument("--seconds", type=positive, metavar="N", help="hold it for N seconds, at most 3,600 [60]")
    ends.add_argument("--expires-at", metavar="TIME", help="hold it until an RFC 3339 time")
    claim = add_client_verb(ledger, "claim", _claim, "take what is held for oneself: it becomes a transfer")
    cancel = add_client_verb(ledger, "cancel", _cancel, "take back what one holds for another")
    show = add_client_verb(ledger, "payment", _show, "show a payment as it stands")
    for verb in (claim, cancel, show):
        verb.add_argument("payment", metavar="PAYMENT", help="its id, pay_…")


async def _pay(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        expires_at = args.expires_at if args.seconds is None else ahead(timedelta(seconds=args.seconds))
        payment = await client.ledger.payments.create(args.sender, args.receiver, args.amount, expires_at)
        print_result(args, payment, f"{_said(payment)} for {payment.receiver} until {payment.expires_at}")


def _said(payment: Payment) -> str:
    amount = "" if payment.amount is None else f": {avt(payment.amount)}"
    return f"{payment.status} {payment.id}{amount}"


async def _claim(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        payment = await client.ledger.payments.claim(args.payment)
        print_result(args, payment, f"{_said(payment)} by {payment.transfer_id}")


async def _cancel(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        payment = await client.ledger.payments.cancel(args.payment)
        print_result(args, payment, f"{_said(payment)} back on {payment.sender}")


async def _show(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        print_money(args, await client.ledger.payments.get(args.payment))
