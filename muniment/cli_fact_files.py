"""Verbs on facts in files: issue many, and verify one without trusting anybody."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from log import signatures
from log.canonical import NotCanonicalizable, canonical_hash
from log.dids import InvalidDid
from log.statements import fact_id, fact_signed_bytes
from muniment.cli_given import STDIN, file_argument, json_lines, opened
from muniment.cli_options import Verbs
from muniment.cli_outcome import DONE, FAILED, Failure
from muniment.cli_output import print_json, print_members, progress
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.client import BatchItem, Client


def add_verbs(facts: Verbs) -> None:
    """Add ``facts batch`` and ``facts verify``."""
    doc = "issue the facts of a file, one JSON object a line: signed ones as they are, others signed now"
    batch = add_client_verb(facts, "batch", _batch, doc)
    batch.add_argument("file", metavar="FILE.jsonl", help="{kind, subject, body} a line; - for standard input")
    verify = add_client_verb(facts, "verify", _verify, "check a fact's id, body hash and signature on this machine")
    verify.add_argument("fact", metavar="FACT", help="its id, a JSON file that holds it, or - for standard input")


def _signed(client: Client, file: Any) -> Iterator[Mapping[str, Any]]:
    for number, given in json_lines(file):
        if "signature" in given:
            yield given
            continue
        if set(given) != {"kind", "subject", "body"} or not isinstance(given["body"], dict):
            raise Failure("invalid_request", f"line {number}: an object with kind, subject and body is wanted")
        try:
            yield client.facts.sign(given["kind"], given["subject"], given["body"])
        except NotCanonicalizable as error:
            raise Failure("invalid_request", f"line {number}: {error}") from None


async def _batch(args: argparse.Namespace) -> int:
    counted = {"issued": 0, "known": 0, "refused": 0}
    async with reached(args) as client:
        signed_in(client)
        with opened(args.file) as file, progress(args) as bar:
            task = bar.add_task("facts", total=None)
            number = 0
            async for item in client.facts.issue_many(_signed(client, file)):
                number += 1
                counted[_outcome(item)] += 1
                _print_item(args, number, item)
                bar.update(task, completed=number)
    if args.json:
        print_json({"summary": counted})
    else:
        print_members(counted)
    return FAILED if counted["refused"] else DONE


def _outcome(item: BatchItem) -> str:
    if item.refused is not None:
        return "refused"
    return "issued" if item.status == 201 else "known"


def _print_item(args: argparse.Namespace, number: int, item: BatchItem) -> None:
    """Print one outcome: every one for programs, the refused ones for people."""
    refused = item.refused
    if args.json:
        found: dict[str, Any] = {"number": number, "status": item.status}
        if item.fact is not None:
            found |= {"fact_id": item.fact.id, "position": item.fact.position}
        if refused is not None:
            found |= {"code": refused.code, "detail": refused.detail}
        print_json(found)
    elif refused is not None:
        print_members({f"fact {number}": f"{refused.code}: {refused.detail}"})


async def _verify(args: argparse.Namespace) -> int:
    fact = _given_fact(args.fact)
    if fact is None:
        async with reached(args) as client:
            fact = (await client.facts.get(args.fact)).json
    problems = verified(fact)
    outcome: dict[str, Any] = {"id": fact.get("id"), "issuer_did": fact.get("issuer_did"), "verified": not problems}
    if problems:
        outcome["problems"] = problems
    (print_json if args.json else print_members)(outcome)
    return FAILED if problems else DONE


def _given_fact(text: str) -> Mapping[str, Any] | None:
    """Read the fact that a file or standard input holds, nothing where the text is an id."""
    if text != STDIN and not Path(text).is_file():
        return None
    try:
        return file_argument(text)
    except argparse.ArgumentTypeError as error:
        raise Failure("malformed_json", str(error)) from None


def verified(fact: Mapping[str, Any]) -> list[str]:
    """Say what doesn't hold of a fact: its id, its body's hash, its signature by the DID that it names."""
    try:
        said = {name: fact[name] for name in ("kind", "subject", "issuer_did", "body")}
        signed = fact_signed_bytes(**said)
        found = []
        if fact.get("id", fact_id(signed)) != fact_id(signed):
            found.append(f"the id of what was signed is {fact_id(signed)}")
        if fact.get("body_hash", "") != canonical_hash(fact["body"]):
            found.append("the body has another hash")
        signatures.verify(fact["alg"], fact["issuer_did"], signed, fact["signature"])
    except KeyError as error:
        return [f"no member {error.args[0]}"]
    except (NotCanonicalizable, TypeError):
        return ["it has no canonical form"]
    except (signatures.InvalidSignature, signatures.UnsupportedAlgorithm, InvalidDid) as error:
        return [*found, f"the signature does not hold: {error}"]
    return found
