"""Verbs on proposals: ask a registry's stakers, vote, see what came of it."""

import argparse
from datetime import timedelta
from typing import Final

from domain.ledger.proposal import CHOICES
from domain.ledger.registry import PARAMETERS
from muniment.amounts import read_amount, written_avt
from muniment.cli_amounts import avt, for_people, grant_argument
from muniment.cli_options import Verbs
from muniment.cli_outcome import usage_error
from muniment.cli_output import add_limit, positive, print_result, print_results, print_table, taken
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.cli_times import ahead
from muniment.client import Proposal

DEFAULT_DAYS: Final = 7
GRANT: Final = "genesis.grant"
"""The parameter that is an amount: AVT for people."""
STATUSES: Final = ("open", "passed", "rejected")


def add_verbs(ledger: Verbs) -> None:
    """Add ``ledger propose``, ``vote`` and ``proposals``."""
    propose = add_client_verb(ledger, "propose", _propose, "ask a registry's stakers")
    propose.add_argument("registry_id", metavar="REGISTRY", help="the registry's id")
    propose.add_argument("title", metavar="TITLE", help="what it is about")
    propose.add_argument("--text", help="all that there is to say")
    propose.add_argument("--parameter", choices=PARAMETERS, metavar="NAME", help=", ".join(PARAMETERS))
    propose.add_argument("--value", help=f"what the parameter becomes: digits ({GRANT}: AVT), true or false")
    ends = propose.add_mutually_exclusive_group()
    ends.add_argument("--days", type=positive, default=DEFAULT_DAYS, metavar="N", help=f"open for N [{DEFAULT_DAYS}]")
    ends.add_argument("--seconds", type=positive, metavar="N", help="open for N seconds, at least 5")
    ends.add_argument("--ends-at", metavar="TIME", help="open until an RFC 3339 time")
    vote = add_client_verb(ledger, "vote", _vote, "vote on a proposal; the last vote before its end counts")
    vote.add_argument("proposal", metavar="PROPOSAL", help="its id, prp_…")
    vote.add_argument("choice", choices=CHOICES, metavar="CHOICE", help=", ".join(CHOICES))
    proposals = add_client_verb(ledger, "proposals", _proposals, "list proposals and how they stand, newest first")
    proposals.add_argument("registry_id", nargs="?", metavar="REGISTRY", help="only those of this registry")
    proposals.add_argument("--status", choices=STATUSES, metavar="STATUS", help=", ".join(STATUSES))
    add_limit(proposals)


def _ends_at(args: argparse.Namespace) -> str:
    if args.ends_at is not None:
        return str(args.ends_at)
    return ahead(timedelta(days=args.days) if args.seconds is None else timedelta(seconds=args.seconds))


def _value(args: argparse.Namespace) -> str | None:
    """Give a parameter's value as it is sent: an amount in micro-AVT."""
    if args.parameter != GRANT:
        return None if args.value is None else str(args.value)
    try:
        return str(grant_argument(args.value))
    except argparse.ArgumentTypeError as error:
        raise usage_error(f"--value: {error}") from None


async def _propose(args: argparse.Namespace) -> None:
    if (args.parameter is None) != (args.value is None):
        raise usage_error("--parameter and --value go together")
    value = _value(args)
    async with reached(args) as client:
        signed_in(client)
        proposal = await client.ledger.proposals.create(
            args.registry_id, args.title, _ends_at(args), text=args.text, parameter=args.parameter, value=value
        )
        print_result(args, proposal, f"proposed {proposal.id}: {proposal.title}, open until {proposal.ends_at}")


async def _vote(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        vote = await client.ledger.proposals.vote(args.proposal, args.choice)
        power = "" if vote.power is None else f" with {avt(vote.power)}"
        print_result(args, vote, f"voted {vote.choice} on {vote.proposal_id}{power}")


def _change(proposal: Proposal) -> str | None:
    """Say to people what would become of which parameter; nothing of a text."""
    if proposal.parameter is None or proposal.value is None:
        return None
    amount = proposal.parameter == GRANT
    return f"{proposal.parameter} {written_avt(read_amount(proposal.value)) if amount else proposal.value}"


async def _proposals(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        filters = {"registry": args.registry_id, "status": args.status}
        found = await taken(args, client.ledger.proposals.list(**filters))
        if args.json:
            print_results(args, found, {})
            return
        counted = ("yes", "no", "abstain", "electorate")
        rows = [
            [each.id, each.registry_id, each.title, _change(each), each.status]
            + [for_people(each).get(name) for name in counted]
            + [each.ends_at]
            for each in found
        ]
        print_table(["id", "registry", "title", "change", "status", *counted, "ends at"], rows)
