"""The verb that tells a published record's whole story, and checks it as it is told."""

import argparse
from contextlib import suppress
from typing import Any, Final

from muniment.cli_options import Verbs
from muniment.cli_outcome import DONE, FAILED
from muniment.cli_output import print_json, shown
from muniment.cli_publish_jobs import add_record
from muniment.cli_reach import add_client_verb, reached
from muniment.client import Block, ChainUnavailable, Client, NotConfirmed, NotFound, Proof

CHECKED: Final = {True: "checked", False: "FAILED", None: "not checked"}
TIME_WIDTH: Final = 26
"""A time and two spaces, below which what was checked is written."""


def add_verbs(verbs: Verbs) -> None:
    """Add ``story``."""
    doc = "tell a record's story from its intent to its block, and check each signature and hash of it"
    add_record(add_client_verb(verbs, "story", _story, doc))


async def _story(args: argparse.Namespace) -> int:
    from muniment.record_story import story  # noqa: PLC0415 - what checks a proof is rarely needed

    async with reached(args) as client:
        told = story(await _evidence(client, args.record_id, args.pubkey))
    if args.json:
        print_json(told.to_json())
        return DONE if told.holds else FAILED
    for chapter in told.chapters:
        print(shown(f"{chapter.at}  {chapter.said}"))
        for check in chapter.checks:
            print(" " * TIME_WIDTH + shown(f"{CHECKED[check.holds]}: {check.said}"))
    print(told.end)
    print("All that could be checked holds." if told.holds else "What is marked FAILED does not hold.", flush=True)
    return DONE if told.holds else FAILED


async def _evidence(client: Client, record_id: str, pubkey: str | None) -> Any:
    """Ask for all that a registry has on a record, each at least as of what was asked before."""
    from muniment.record_story import Evidence, status_of  # noqa: PLC0415 - as above

    publishing = client.publishing
    record = await publishing.record(record_id, pubkey)
    trail = [each async for each in publishing.trail(resource=record.job.id, min_position=record.as_of)]
    vouching = [each async for each in publishing.trail(resource=record.pubkey, min_position=record.as_of)]
    proof: Proof | None = None
    block: Block | None = None
    asked = False
    if status_of(trail) == "confirmed":
        # A block that the chain gave up just now has no proof: the trail is told without one.
        with suppress(NotConfirmed):
            proof = await publishing.proof(record_id, record.pubkey, min_position=trail[-1].as_of)
    if proof is not None:
        with suppress(ChainUnavailable):
            with suppress(NotFound):
                block = await publishing.block(proof.height)
            asked = True
    return Evidence(record, trail, vouching, proof, block, asked)
