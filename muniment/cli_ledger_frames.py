"""Verbs on frames and registries, as an admin: open an economy, open a shop in it, set its terms, let people in."""

import argparse
from typing import Final

from domain.ledger.registry import LOCKS
from muniment.cli_amounts import avt, grant_argument
from muniment.cli_options import Verbs
from muniment.cli_outcome import usage_error
from muniment.cli_output import positive, print_json, print_result, shown
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.client import Registry, Terms
from muniment.settings import DEFAULT_FRAME

MODES: Final = ("sovereign", "federated")
RATES: Final = {
    "fee_bps": "what a transfer inside costs",
    "step_bps": "what a step of the velocity adds to it",
    "velocity_threshold_bps": "how much velocity a step is",
    "base_apy_bps": "what a stake earns in a year",
    "quorum_bps": "how much of what is staked has to vote",
    "threshold_bps": "how much of yes and no has to be yes",
}
"""Terms in basis points, and what each says."""


def add_verbs(ledger: Verbs) -> None:
    """Add ``ledger frame``, ``open``, ``change`` and ``invite``."""
    frame = add_client_verb(ledger, "frame", _frame, "open a frame, an economy of its own, as an admin")
    frame.add_argument("frame", metavar="FRAME", help="its id: lower-case letters, digits and hyphens")
    modes = f"{' or '.join(MODES)} [{MODES[0]}]"
    frame.add_argument("--mode", choices=MODES, default=MODES[0], metavar="MODE", help=modes)
    frame.add_argument("--minting", action="store_true", help="let an admin mint and burn, in a sovereign frame")
    opened = add_client_verb(ledger, "open", _open, "open a registry in a frame, as an admin")
    opened.add_argument("--frame", default=DEFAULT_FRAME, metavar="FRAME", help=f"the frame's id [{DEFAULT_FRAME}]")
    change = add_client_verb(ledger, "change", _change, "change some of a registry's terms, as an admin")
    invite = add_client_verb(ledger, "invite", _invite, "make codes that let a developer in each, as an admin")
    invite.add_argument("--count", type=positive, default=1, metavar="N", help="how many, at most 1,000 [1]")
    for verb in (opened, change, invite):
        verb.add_argument("registry_id", metavar="REGISTRY", help="the registry's id")
    for verb in (opened, change):
        _add_terms(verb)


def _add_terms(verb: argparse.ArgumentParser) -> None:
    for name, doc in RATES.items():
        verb.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="BPS", help=f"{doc}, in basis points")
    genesis = verb.add_mutually_exclusive_group()
    genesis.add_argument("--genesis", type=grant_argument, metavar="AMOUNT", help="grant each developer so much AVT")
    genesis.add_argument("--no-genesis", action="store_true", help="grant nothing")
    _add_switch(verb, "--invite-required", "ask developers for an invite")
    _add_switch(verb, "--mint-rewards", "mint what stakes earn, where the frame may mint")
    verb.add_argument(
        "--premium",
        type=_premium,
        action="append",
        dest="premiums",
        metavar="DAYS=BPS",
        help="what a lock of so many days adds to what a stake earns; may be repeated",
    )


def _add_switch(verb: argparse.ArgumentParser, flag: str, doc: str) -> None:
    verb.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=doc)


def _premium(text: str) -> tuple[int, int]:
    days, _, bps = text.partition("=")
    locks = {str(lock): lock for lock in LOCKS}
    if days not in locks or not bps.isdecimal():
        raise argparse.ArgumentTypeError(f"days, one of {', '.join(locks)}, then = and basis points, such as 30=100")
    return locks[days], int(bps)


def _terms(args: argparse.Namespace) -> Terms:
    granted = False if args.no_genesis else None if args.genesis is None else True
    rates = {name: getattr(args, name) for name in RATES}
    return Terms(
        **rates,
        genesis_enabled=granted,
        genesis_grant=args.genesis,
        invite_required=args.invite_required,
        premiums_bps=None if args.premiums is None else dict(args.premiums),
        mint_rewards=args.mint_rewards,
    )


async def _frame(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        minting = "enabled" if args.minting else "disabled"
        frame = await client.ledger.frames.create(args.frame, args.mode, minting)
        print_result(args, frame, f"opened {frame.frame_id}: {frame.mode}, minting {frame.minting}")


def _said(registry: Registry, what: str) -> str:
    genesis = registry.genesis or {}
    grant = f"grant {avt(int(genesis['grant']))}" if genesis.get("enabled") else "no grant"
    return f"{what} {registry.registry_id} in {registry.frame_id}: fee {registry.fee_bps} bps, {grant}"


async def _open(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        registry = await client.ledger.registries.create(args.frame, args.registry_id, _terms(args))
        print_result(args, registry, f"{_said(registry, 'opened')}, treasury {registry.treasury}")


async def _change(args: argparse.Namespace) -> None:
    terms = _terms(args)
    if terms == Terms():
        raise usage_error("name a term to change, such as --fee-bps 60")
    async with reached(args) as client:
        signed_in(client)
        registry = await client.ledger.registries.change(args.registry_id, terms)
        print_result(args, registry, _said(registry, "changed"))


async def _invite(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        invites = await client.ledger.invites.create(args.registry_id, args.count)
        # A code on each line: they are handed out one by one, and shown once.
        if args.json:
            print_json(invites.json)
            return
        for code in invites.codes:
            print(shown(code), flush=True)
