"""Verbs on DIDs: make one with keys that never leave this machine, change its keys, and see what was done."""

import argparse
from pathlib import Path
from typing import Any, Final

from domain.identity.rotation import REASONS
from muniment import cli_did_rescue
from muniment.cli_did_keys import add_keys, add_rotation, kept, new_key, rotation_of, rotation_path, saved
from muniment.cli_options import Verbs, add_noun
from muniment.cli_outcome import usage_error
from muniment.cli_output import add_limit, positive, print_json, print_result, print_results, shown, taken
from muniment.cli_reach import add_client_verb, reached
from muniment.client import DidDocument
from muniment.client.shapes import Result
from muniment.did_operations import DAY_S, NamedKey, did_of, genesis, signed
from muniment.private_key import PrivateKey
from muniment.rotation_keys import RotationKeys, max_rotation_keys
from muniment.signing_key import SigningKey

MAIN: Final = "main"


def add_verbs(verbs: Verbs) -> None:
    """Add ``did`` and its verbs."""
    did = add_noun(verbs, "did", "make a DID, change its keys, recover it, and see its operations")
    create = add_client_verb(did, "create", _create, "make a DID: its key in one file, what rotates it in another")
    create.add_argument("file", type=Path, metavar="FILE", help="the new key file, to sign as the DID with --as")
    create.add_argument("--handle", metavar="HANDLE", help="3 to 32 of a-z, 0-9 and -")
    create.add_argument("--backups", type=_backups, default=0, metavar="N", help="further rotation keys, 0 to 4 [0]")
    add_keys(create)
    add_rotation(create, required=False)
    show = add_client_verb(did, "show", _show, "show a DID's document")
    show.add_argument("--as-of", metavar="POSITION", help="as it stood at a position's token or an RFC 3339 time")
    log = add_client_verb(did, "log", _log, "list a DID's operations, those that were taken back too")
    add_limit(log)
    for verb in (show, log):
        verb.add_argument("did", nargs="?", metavar="DID", help="the DID [that of the key file]")
    rotate = add_client_verb(did, "rotate", _rotate, "give a DID a new key, and end others after an overlap")
    rotate.add_argument("file", type=Path, metavar="FILE", help="the new key file")
    rotate.add_argument("--end", action="append", default=[], metavar="KEY", help="the id of a key that ends")
    rotate.add_argument("--overlap", type=_seconds, default=DAY_S, metavar="S", help=f"until then both hold [{DAY_S}]")
    add_keys(rotate)
    revoke = add_client_verb(did, "revoke", _revoke, "end a key at once, and say why")
    revoke.add_argument("key_id", metavar="KEY", help="the key's id")
    revoke.add_argument("--reason", choices=REASONS, required=True, help="compromised marks what it signed since then")
    revoke.add_argument("--since", metavar="TIME", help="since when, RFC 3339 [now]")
    recover = add_client_verb(did, "recover", _recover, "replace all keys, or take back what a lower rotation key did")
    recover.add_argument("file", type=Path, metavar="FILE", help="the new key file")
    recover.add_argument("--from", dest="prev", metavar="HASH", help="the operation that is gone back to [the latest]")
    recover.add_argument("--new-rotation", type=Path, metavar="FILE", help="where new rotation keys go [keep the old]")
    add_keys(recover)
    guardians = add_client_verb(did, "guardians", _guardians, "name DIDs that can recover this one together")
    guardians.add_argument("dids", nargs="+", metavar="DID", help="a guardian")
    guardians.add_argument("--threshold", type=positive, required=True, metavar="K", help="how many must approve")
    guardians.add_argument("--delay", type=_seconds, default=DAY_S, metavar="S", help=f"to cancel it in [{DAY_S}]")
    cancel = add_client_verb(did, "cancel", _cancel, "cancel a guardians' recovery before it takes effect")
    cancel.add_argument("operation", metavar="HASH", help="the hash of the recovery")
    handle = add_client_verb(did, "handle", _handle, "take another handle, at most every 30 days")
    handle.add_argument("handle", metavar="HANDLE", help="3 to 32 of a-z, 0-9 and -")
    for verb in (rotate, revoke, recover, guardians, cancel, handle):
        add_rotation(verb, required=True)
    cli_did_rescue.add_verbs(did)


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a number of seconds")
    return int(text)


def _backups(text: str) -> int:
    if not text.isdecimal() or int(text) >= max_rotation_keys:
        raise argparse.ArgumentTypeError(f"a number from 0 to {max_rotation_keys - 1}")
    return int(text)


async def _create(args: argparse.Namespace) -> None:
    rotation = [PrivateKey.generate(args.type) for _ in range(1 + args.backups)]
    private, name = new_key(args), args.id or MAIN
    said = genesis(rotation, [NamedKey.of(name, private)], args.handle)
    did, path = did_of(said), rotation_path(args)
    async with reached(args, anonymous=True) as client:
        # Both files before the request: keys that nobody has left can't rule a DID that was made.
        RotationKeys(did, tuple(rotation)).save(path)
        with kept(path):
            saved(args.file, did, name, private)
        with kept(path, args.file):
            document = await client.identity.submit(signed(said, rotation[0]))
    _told(args, document, {"file": str(args.file), "rotation": str(path), "key_id": name})


def _told(args: argparse.Namespace, document: DidDocument, more: dict[str, Any]) -> None:
    if args.json:
        print_json({"did": document.id, "document": document.json, **more})
    else:
        print(shown(document.id), flush=True)


def _did(args: argparse.Namespace, key: SigningKey | None) -> str:
    found: str | None = args.did or (None if key is None else key.did)
    if found is None:
        raise usage_error("name a DID, or a key file with --as")
    return found


async def _show(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        print_result(args, await client.identity.resolve(_did(args, client.key), as_of=args.as_of))


async def _log(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        found: list[Result] = [*await taken(args, client.identity.log(_did(args, client.key)))]
        columns = {"at": "at", "type": "operation.type", "hash": "hash", "nullified": "nullified"}
        print_results(args, found, columns)


async def _rotate(args: argparse.Namespace) -> None:
    rotation, private = rotation_of(args), new_key(args)
    name = args.id or f"key-{private.multibase[-8:]}"
    async with reached(args, anonymous=True) as client:
        saved(args.file, rotation.did, name, private)
        with kept(args.file):
            added = [NamedKey.of(name, private)]
            document = await client.identity.rotate(
                rotation.did, rotation.highest, add=added, end=args.end, overlap_s=args.overlap
            )
    _told(args, document, {"file": str(args.file), "key_id": name})


async def _revoke(args: argparse.Namespace) -> None:
    rotation = rotation_of(args)
    async with reached(args, anonymous=True) as client:
        document = await client.identity.revoke(rotation.did, rotation.highest, args.key_id, args.reason, args.since)
    _told(args, document, {})


async def _recover(args: argparse.Namespace) -> None:
    rotation, private = rotation_of(args), new_key(args)
    name = args.id or f"key-{private.multibase[-8:]}"
    keys = rotation.keys
    async with reached(args, anonymous=True) as client:
        if args.new_rotation is not None:
            keys = tuple(PrivateKey.generate(each.type) for each in rotation.keys)
            RotationKeys(rotation.did, keys).save(args.new_rotation)
        written = [] if args.new_rotation is None else [args.new_rotation]
        with kept(*written):
            saved(args.file, rotation.did, name, private)
        with kept(args.file, *written):
            document = await client.identity.recover(
                rotation.did, rotation.highest, keys, [NamedKey.of(name, private)], prev=args.prev
            )
    _told(args, document, {"file": str(args.file), "key_id": name})


async def _guardians(args: argparse.Namespace) -> None:
    rotation = rotation_of(args)
    async with reached(args, anonymous=True) as client:
        document = await client.identity.set_guardians(
            rotation.did, rotation.highest, args.dids, args.threshold, args.delay
        )
    _told(args, document, {})


async def _cancel(args: argparse.Namespace) -> None:
    rotation = rotation_of(args)
    async with reached(args, anonymous=True) as client:
        document = await client.identity.cancel(rotation.did, rotation.highest, args.operation)
    _told(args, document, {})


async def _handle(args: argparse.Namespace) -> None:
    rotation = rotation_of(args)
    async with reached(args, anonymous=True) as client:
        document = await client.identity.set_handle(rotation.did, rotation.highest, args.handle)
    _told(args, document, {})
