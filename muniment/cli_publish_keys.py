"""Verbs on publishers: make a key that signs records, and say which keys may publish."""

import argparse
import re
from pathlib import Path
from typing import Final

from muniment.cli_options import Verbs, add_noun, add_verb
from muniment.cli_output import add_limit, print_json, print_result, print_results, shown, taken
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.publisher_key import PublisherKey

PUBLIC_KEY: Final = re.compile(r"0[23][0-9a-f]{64}")


def public_key_text(text: str) -> str:
    """Read a public key's hex."""
    if PUBLIC_KEY.fullmatch(text) is None:
        raise argparse.ArgumentTypeError("a public key is 66 hex digits in lower case, 02… or 03…")
    return text


def add_verbs(verbs: Verbs) -> None:
    """Add ``publishers`` and its verbs."""
    publishers = add_noun(verbs, "publishers", "make keys that sign records, and say which may publish")
    doc = "make a publisher's key and write it to a file that only you can read"
    keygen = add_verb(publishers, "keygen", _keygen, doc)
    keygen.add_argument("file", type=Path, metavar="FILE", help="the new key file; an existing one is never replaced")
    register = add_client_verb(
        publishers, "register", _register, "let a key publish, by its own signature or as an admin"
    )
    doc = "its file, which signs for whoever registers it, or as an admin the public key in hex"
    register.add_argument("publisher", metavar="KEY", help=doc)
    register.add_argument("--label", required=True, metavar="LABEL", help="what it is called")
    listed = add_client_verb(publishers, "list", _list, "list the keys that may publish: one's own, an admin's all")
    add_limit(listed)
    remove = add_client_verb(publishers, "remove", _remove, "let a key publish no more; what it published stays")
    remove.add_argument("pubkey", type=public_key_text, metavar="PUBKEY", help="the public key in hex")


def _keygen(args: argparse.Namespace) -> None:
    key = PublisherKey.generate()
    key.save(args.file)
    if args.json:
        print_json({"pubkey": key.pubkey, "file": str(args.file)})
    else:
        print(shown(key.pubkey), flush=True)


async def _register(args: argparse.Namespace) -> None:
    given = args.publisher
    key = given if PUBLIC_KEY.fullmatch(given) else PublisherKey.load(given)
    async with reached(args) as client:
        signed_in(client)
        known = await client.publishing.register(key, args.label)
        print_result(args, known, f"{known.pubkey} may publish as {known.label}")


async def _list(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        found = await taken(args, client.publishing.publishers())
        columns = {"key": "pubkey", "label": "label", "registered by": "registered_by", "at": "registered_at"}
        print_results(args, found, columns)


async def _remove(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        gone = await client.publishing.remove(args.pubkey)
        print_result(args, gone, f"{gone.pubkey} may publish no more")
