"""Verbs on records that are published: sign one and have it anchored, follow its job, and get its proof."""

import argparse
import json
from pathlib import Path

from muniment.cli_given import file_argument
from muniment.cli_options import Verbs
from muniment.cli_outcome import Failure, usage_error
from muniment.cli_output import positive, print_json, print_result, shown
from muniment.cli_publish_keys import public_key_text
from muniment.cli_reach import add_client_verb, reached
from muniment.client import Client, Job, Proof
from muniment.client.publishing import WAIT_TIMEOUT_S
from muniment.publisher_key import PublisherKey


def add_verbs(verbs: Verbs) -> None:
    """Add ``publish``, ``job`` and ``proof``."""
    publish = add_client_verb(verbs, "publish", _publish, "sign a rights record on this machine and have it anchored")
    doc = "the record in JSON, of now and with a new nonce unless it says; - for standard input"
    publish.add_argument("file", type=file_argument, metavar="FILE", help=doc)
    doc = "the publisher's key file, or one that holds a WIF"
    publish.add_argument("--key", dest="publisher_key", type=Path, required=True, metavar="KEYFILE", help=doc)
    publish.add_argument("--now", action="store_true", help="in a transaction of its own, at once")
    publish.add_argument("--wait", action="store_true", help="until a block has it")
    default = int(WAIT_TIMEOUT_S)
    publish.add_argument("--timeout", type=positive, metavar="S", help=f"wait no longer, with --wait [{default}]")
    job = add_client_verb(verbs, "job", _job, "show what became of a job")
    job.add_argument("job_id", metavar="JOB", help="its id, job_…")
    proof = add_client_verb(verbs, "proof", _proof, "get the proof that a record is anchored, for `verify-record`")
    add_record(proof)
    proof.add_argument("--out", type=Path, metavar="FILE", help="write it there [standard output]")


def add_record(verb: argparse.ArgumentParser) -> None:
    """Add which record is meant."""
    verb.add_argument("record_id", metavar="RECORD_ID", help="the record's id")
    doc = "whose record, where several keys published that id"
    verb.add_argument("--pubkey", type=public_key_text, metavar="PUBKEY", help=doc)


async def _publish(args: argparse.Namespace) -> None:
    if args.timeout is not None and not args.wait:
        raise usage_error("--timeout says how long to --wait")
    if "private_key_b64" in args.file:  # the two files mixed up: a registry would refuse it, and have read it
        raise usage_error("FILE is a key file, not a record; nothing was sent")
    key = PublisherKey.load(args.publisher_key)
    # What signs for itself needs no session.
    async with reached(args, anonymous=True) as client:
        job = await client.publishing.publish(args.file, key, now=args.now)
        if not args.wait:
            print_result(args, job, f"{job.status} {job.id}")
            return
        if not args.json:
            print(shown(f"{job.status} {job.id}"), flush=True)
        timeout_s = WAIT_TIMEOUT_S if args.timeout is None else float(args.timeout)
        anchored = await client.publishing.wait(job.id, timeout_s=timeout_s)
        await _print_anchored(args, client, anchored, key.pubkey)


def _place(proof: Proof) -> str:
    return f"output {proof.vout} of {proof.txid}, at height {proof.height}"


async def _print_anchored(args: argparse.Namespace, client: Client, job: Job, pubkey: str) -> None:
    proof = await client.publishing.proof(args.file["recordId"], pubkey)
    if args.json:
        print_json({**job.json, "height": proof.height})
    else:
        print(
            shown(f"{job.status} {job.id}: output {proof.vout} of {proof.txid}, at height {proof.height}"), flush=True
        )


async def _job(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        print_result(args, await client.publishing.job(args.job_id))


async def _proof(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        proof = await client.publishing.proof(args.record_id, args.pubkey)
    if args.out is None:
        print_json(proof.json)
        return
    try:
        args.out.write_text(json.dumps(proof.json, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise Failure("unwritable_file", f"{args.out}: {error.strerror}") from None
    told = {"file": str(args.out), "txid": proof.txid, "vout": proof.vout, "height": proof.height}
    if args.json:
        print_json(told)
    else:
        print(shown(f"wrote {args.out}: {_place(proof)}"), flush=True)
