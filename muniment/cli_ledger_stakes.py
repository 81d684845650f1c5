"""Verbs on stakes and proposals: lock tokens, and decide with them."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.ledger.proposal import CHOICES
from domain.ledger.registry import LOCKS, PARAMETERS
from muniment.cli_amounts import avt, avt_argument
from muniment.cli_options import Verbs
from muniment.cli_outcome import usage_error
from muniment.cli_output import positive, print_result
from muniment.cli_reach import add_client_verb, reached, signed_in

DEFAULT_DAYS: Final = 7


def add_verbs(ledger: Verbs) -> None:
    """Add ``ledger stake``, ``unstake``, ``propose`` and ``vote``."""
    stake = add_client_verb(ledger, "stake", _stake, "lock AVT of one's own, for a reward and for voting power")
    stake.add_argument("account", metavar="ACCOUNT", help="its id, acc_…")
    stake.add_argument("amount", type=avt_argument, metavar="AMOUNT", help="AVT with at most six decimals, 1.5")
    stake.add_argument("--lock", type=int, choices=LOCKS, default=0, metavar="DAYS", help="0, 30, 90, 180 or 365 [0]")
    unstake = add_client_verb(ledger, "unstake", _unstake, "take a stake back whose lock is over")
    unstake.add_argument("stake", metavar="STAKE", help="its id, stk_…")
    propose = add_client_verb(ledger, "propose", _propose, "ask a registry's stakers")
    propose.add_argument("registry_id", metavar="REGISTRY", help="the registry's id")
    propose.add_argument("title", metavar="TITLE", help="what it is about")
    propose.add_argument("--text", help="all that there is to say")
    propose.add_argument("--parameter", choices=PARAMETERS, metavar="NAME", help=", ".join(PARAMETERS))
    propose.add_argument("--value", help="what the parameter becomes: digits (a grant in micro-AVT), true or false")
    ends = propose.add_mutually_exclusive_group()
    ends.add_argument("--days", type=positive, default=DEFAULT_DAYS, metavar="N", help=f"open for N [{DEFAULT_DAYS}]")
    ends.add_argument("--ends-at", metavar="TIME", help="open until an RFC 3339 time")
    vote = add_client_verb(ledger, "vote", _vote, "vote on a proposal; the last vote before its end counts")
    vote.add_argument("proposal", metavar="PROPOSAL", help="its id")
    vote.add_argument("choice", choices=CHOICES, metavar="CHOICE", help=", ".join(CHOICES))


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


def _ends_at(args: argparse.Namespace) -> str:
    if args.ends_at is not None:
        return str(args.ends_at)
    ends = datetime.now(UTC) + timedelta(days=args.days)
    return ends.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _propose(args: argparse.Namespace) -> None:
    if (args.parameter is None) != (args.value is None):
        raise usage_error("--parameter and --value go together")
    async with reached(args) as client:
        signed_in(client)
        proposal = await client.ledger.proposals.create(
            args.registry_id, args.title, _ends_at(args), text=args.text, parameter=args.parameter, value=args.value
        )
        print_result(args, proposal, f"proposed {proposal.id}: {proposal.title}, open until {proposal.ends_at}")


async def _vote(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        vote = await client.ledger.proposals.vote(args.proposal, args.choice)
        power = "" if vote.power is None else f" with {avt(vote.power)}"
        print_result(args, vote, f"voted {vote.choice} on {vote.proposal_id}{power}")
