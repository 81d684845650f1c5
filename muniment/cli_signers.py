"""Verbs on signers: who may issue what."""

import argparse

from domain.facts.signer import ROLES
from muniment.cli_options import Verbs, add_noun
from muniment.cli_output import add_limit, print_result, print_results, taken
from muniment.cli_reach import add_client_verb, reached, signed_in


def add_verbs(verbs: Verbs) -> None:
    """Add ``signers`` and its verbs."""
    signers = add_noun(verbs, "signers", "say who may issue what")
    add = add_client_verb(signers, "add", _add, "give a DID roles, as an admin; a known one's roles are set")
    add.add_argument("did", metavar="DID")
    add.add_argument("roles", nargs="+", choices=ROLES, metavar="ROLE", help=", ".join(ROLES))
    revoke = add_client_verb(signers, "revoke", _revoke, "take a signer's right to issue, as an admin; its facts stay")
    revoke.add_argument("did", metavar="DID")
    listed = add_client_verb(signers, "list", _list, "list the signers")
    listed.add_argument("--role", choices=ROLES, help="only those with this role")
    add_limit(listed)


async def _add(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        signer = await client.signers.add(args.did, args.roles)
        print_result(args, signer, f"{signer.did} is {', '.join(signer.roles)}")


async def _revoke(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        signer = await client.signers.revoke(args.did)
        print_result(args, signer, f"{signer.did} is revoked")


async def _list(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        found = await taken(args, client.signers.list(args.role))
        columns = {"did": "did", "roles": "roles", "added at": "added_at", "revoked at": "revoked_at"}
        print_results(args, found, columns)
