"""Verbs on the pool that pays for transactions, and on the devnet's chain."""

import argparse
import re
from pathlib import Path
from typing import Final

from muniment.cli_options import Verbs, add_noun
from muniment.cli_outcome import usage_error
from muniment.cli_output import positive, print_members, print_result, print_table
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.client import Block

OUTPOINT: Final = re.compile(r"[0-9a-f]{64}:(0|[1-9][0-9]{0,8})")
MOST_HEX: Final = 1 << 19
"""Characters of a raw transaction, as many as a registry takes."""


def add_verbs(verbs: Verbs) -> None:
    """Add ``pool`` and ``devnet`` with their verbs."""
    pool = add_noun(verbs, "pool", "see and fund what pays for transactions, as an admin")
    add_client_verb(pool, "show", _show, "show what the pool holds")
    fund = add_client_verb(pool, "fund", _fund, "give the pool an output that its key can spend")
    given = fund.add_mutually_exclusive_group(required=True)
    given.add_argument("outpoint", nargs="?", type=_outpoint, metavar="TXID:VOUT", help="an output that the chain has")
    doc = "a raw transaction in hex, which the chain is given first; its first output for the pool is meant"
    given.add_argument("--raw", type=_raw, metavar="FILE", help=doc)
    fund.add_argument("--vout", type=_number, metavar="N", help="another output of the raw transaction")
    split = add_client_verb(pool, "split", _split, "split outputs of the pool into many")
    split.add_argument("count", type=positive, metavar="COUNT", help="how many outputs")
    split.add_argument("satoshis", type=positive, metavar="SATOSHIS", help="of how many satoshis each")
    devnet = add_noun(verbs, "devnet", "move the embedded chain, as an admin")
    add_client_verb(devnet, "mine", _mine, "mine a block of all that waits")
    doc = "put others in the place of the newest blocks, and one more; what was in them waits for a block again"
    reorg = add_client_verb(devnet, "reorg", _reorg, doc)
    reorg.add_argument("depth", type=positive, metavar="DEPTH", help="of how many blocks")


def _outpoint(text: str) -> str:
    if OUTPOINT.fullmatch(text) is None:
        raise argparse.ArgumentTypeError("a transaction's id, a colon, and an output's number")
    return text


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a number")
    return int(text)


def _raw(path: str) -> str:
    try:
        with Path(path).open(encoding="ascii") as file:
            text = file.read(MOST_HEX + 2).strip()
        bytes.fromhex(text)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{path} holds no hex") from None
    return text.lower()


async def _show(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        pool = await client.publishing.pool()
    if args.json:
        print_result(args, pool)
        return
    print_members({name: value for name, value in pool.json.items() if name != "largest"})
    print_table(("largest outputs", "satoshis"), [(each["outpoint"], each["satoshis"]) for each in pool.largest])


async def _fund(args: argparse.Namespace) -> None:
    if args.vout is not None and args.raw is None:
        raise usage_error("--vout names an output of a --raw transaction")
    async with reached(args) as client:
        signed_in(client)
        output = await client.publishing.fund(args.outpoint, raw_tx=args.raw, vout=args.vout)
        print_result(args, output, f"the pool has {output.outpoint}: {output.satoshis} satoshis")


async def _split(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        split = await client.publishing.split(args.count, args.satoshis)
        made = f"{split.count} outputs of {split.satoshis} satoshis"
        print_result(args, split, f"{split.batch_id} makes {made} of {', '.join(split.outpoints)}")


def _print_block(args: argparse.Namespace, block: Block) -> None:
    print_result(args, block, f"block {block.height} is {block.hash}")


async def _mine(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        _print_block(args, await client.publishing.mine())


async def _reorg(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        _print_block(args, await client.publishing.reorganise(args.depth))
