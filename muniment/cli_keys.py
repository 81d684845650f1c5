"""The verb that makes a signing key."""

import argparse
import json
from pathlib import Path

from muniment.cli_options import Verbs, add_verb
from muniment.signing_key import SigningKey, algorithms


def add_verbs(verbs: Verbs) -> None:
    """Add ``keygen``."""
    keygen = add_verb(verbs, "keygen", _keygen, "make a signing key and write it to a file that only you can read")
    keygen.add_argument("file", type=Path, metavar="FILE", help="the new key file; an existing one is never replaced")
    keygen.add_argument("--alg", choices=algorithms, default=algorithms[0], help="the signature's algorithm")


def _keygen(args: argparse.Namespace) -> None:
    key = SigningKey.generate(args.alg)
    key.save(args.file)
    print(json.dumps({"did": key.did, "alg": key.alg, "file": str(args.file)}) if args.json else key.did)
