"""Verbs on published records: the one that verifies a record's proof without asking anybody."""

import argparse
import sys
from pathlib import Path

from muniment.cli_given import STDIN
from muniment.cli_options import Verbs, add_verb
from muniment.cli_outcome import Failure
from muniment.cli_output import print_json, shown


def add_verbs(verbs: Verbs) -> None:
    """Add ``verify-record``."""
    doc = "check on this machine alone that a record was signed, and is anchored in a block"
    verify = add_verb(verbs, "verify-record", _verify, doc)
    verify.add_argument("file", metavar="FILE", help="the record's proof, JSON; - for standard input")


def _content(path: str, most: int) -> bytes:
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(most)
        with Path(path).open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise Failure("unreadable_file", f"{path}: {error.strerror}") from None


def _verify(args: argparse.Namespace) -> None:
    from muniment.record_proof import MAX_BYTES, NotProven, Step, proven, read_proof  # noqa: PLC0415 - rarely needed

    steps: list[Step] = []
    try:
        proof = read_proof(_content(args.file, MAX_BYTES + 1))
        for step in proven(proof):
            steps.append(step)
            if not args.json:
                print(f"{step.name}: {shown(step.said)}", flush=True)
    except NotProven as error:
        more = {"verified": False, "steps": [step._asdict() for step in steps]}
        raise Failure(error.code, shown(error.detail), more=more) from None
    named = {"txid": proof.txid, "vout": proof.vout, "height": proof.height, "blockHash": proof.header.hash}
    if args.json:
        told = {"hash": proof.hash, "pubkey": proof.pubkey.content.hex(), **named}
        print_json({"verified": True, **told, "steps": [step._asdict() for step in steps]})
    else:
        print(f"proven, where the chain that you trust has that block at height {proof.height}", flush=True)
