"""Verbs on stakes: lock tokens, take them back, see what is locked."""

import argparse

from domain.ledger.registry import LOCKS
from muniment.cli_amounts import avt, avt_argument, print_moneys
from muniment.cli_options import Verbs
from muniment.cli_output import add_limit, print_result, taken
from muniment.cli_reach import add_client_verb, reached, signed_in


def add_verbs(ledger: Verbs) -> None:
    """Add ``ledger stake``, ``unstake`` and ``stakes``."""
    stake = add_client_verb(ledger, "stake", _stake, "lock AVT of one's own, for a reward and for voting power")
    stake.add_argument("account", metavar="ACCOUNT", help="its id, acc_…")
    stake.add_argument("amount", type=avt_argument, metavar="AMOUNT", help="AVT with at most six decimals, 1.5")
    stake.add_argument("--lock", type=int, choices=LOCKS, default=0, metavar="DAYS", help="0, 30, 90, 180 or 365 [0]")
    unstake = add_client_verb(ledger, "unstake", _unstake, "take a stake back whose lock is over")
    unstake.add_argument("stake", metavar="STAKE", help="its id, stk_…")
    stakes = add_client_verb(ledger, "stakes", _stakes, "list stakes, newest first")
    stakes.add_argument("--owner", metavar="DID", help="whose, as an admin or operator [the key's own DID]")
    add_limit(stakes)


async def _stake(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        stake = await client.ledger.stakes.create(args.account, args.amount, args.lock)
        until = "" if stake.unlocks_at is None or not args.lock else f" until {stake.unlocks_at}"
        print_result(args, stake, f"staked {stake.id}: {avt(stake.amount)}{until}")


async def _unstake(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        stake = await client.ledger.stakes.unstake(args.stake)
        print_result(args, stake, f"unstaked {stake.id}: {avt(stake.amount)} on {stake.account}")


async def _stakes(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        found = await taken(args, client.ledger.stakes.list(args.owner))
        columns = {
            "id": "id",
            "account": "account",
            "registry": "registry_id",
            "amount": "amount",
            "days": "lock_days",
            "unlocks at": "unlocks_at",
            "status": "status",
            "earned": "earned",
        }
        print_moneys(args, found, columns)
