"""Verbs for a recovery by guardians: write what is to be approved, approve it, and send it."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from log import strict_json
from muniment.cli_did_keys import add_keys, add_rotation, kept, new_key, rotation_of, rotation_path, saved
from muniment.cli_given import json_argument
from muniment.cli_options import Verbs, add_verb
from muniment.cli_outcome import Failure, usage_error
from muniment.cli_output import print_json, shown
from muniment.cli_reach import KEY_VARIABLE, add_client_verb, reached
from muniment.did_operations import NamedKey, approval, hash_of, rescue
from muniment.private_key import PrivateKey
from muniment.rotation_keys import RotationKeys
from muniment.signing_key import SigningKey

APPROVALS: Final = "approvals"
NAME: Final = "rescue"


def add_verbs(did: Verbs) -> None:
    """Add ``rescue``, ``approve`` and ``send`` to the verbs of DIDs."""
    begin = add_client_verb(did, "rescue", _rescue, "write a recovery for guardians to approve, with new keys in files")
    begin.add_argument("did", metavar="DID", help="the DID that is to be recovered")
    begin.add_argument("file", type=Path, metavar="FILE", help="the new key file")
    begin.add_argument("recovery", type=Path, metavar="RECOVERY", help="where the recovery is written: nothing secret")
    add_keys(begin)
    add_rotation(begin, required=False)
    approve = add_verb(
        did, "approve", _approve, "approve a recovery as a guardian: a copy with your signature is yours"
    )
    approve.add_argument("recovery", type=Path, metavar="RECOVERY", help="the file of the recovery, which is changed")
    approve.add_argument(
        "--as", dest="key", type=Path, metavar="FILE", help=f"the key file to sign as ({KEY_VARIABLE})"
    )
    send = add_client_verb(did, "send", _send, "send a recovery: it takes effect after the delay that the DID has set")
    send.add_argument("recoveries", nargs="+", type=Path, metavar="RECOVERY", help="the recovery, and approved copies")
    add_rotation(send, required=True)


def _read(path: Path) -> dict[str, Any]:
    """Read a recovery; raises Failure."""
    try:
        found = dict(json_argument(f"@{path}"))
    except argparse.ArgumentTypeError as error:
        raise Failure("unreadable_file", f"{path}: {error}") from None
    approvals = found.get(APPROVALS)
    formed = isinstance(approvals, list) and all(isinstance(each, dict) for each in approvals)
    if found.get("type") != "guardian_recover" or not formed:
        raise Failure("no_recovery", f"{path} is no recovery that `muniment did rescue` wrote")
    return found


def _said(recovery: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recovery.items() if name != APPROVALS}


def _written(path: Path, recovery: Mapping[str, Any]) -> None:
    """Write a recovery whole or not at all; raises Failure."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(strict_json.dump(dict(recovery)) + b"\n")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Failure("unwritable_file", f"{path}: {error.strerror}") from None


async def _rescue(args: argparse.Namespace) -> None:
    if args.recovery.exists():
        raise Failure("file_exists", f"{args.recovery} exists already and is left as it is")
    private, rotation, name = new_key(args), PrivateKey.generate(args.type), args.id or NAME
    path = rotation_path(args)
    async with reached(args, anonymous=True) as client:
        said = rescue(args.did, await client.identity.head(args.did), [rotation], [NamedKey.of(name, private)])
    RotationKeys(args.did, (rotation,)).save(path)
    with kept(path):
        saved(args.file, args.did, name, private)
    _written(args.recovery, {**said, APPROVALS: []})
    files = {"file": str(args.file), "rotation": str(path), "recovery": str(args.recovery), "key_id": name}
    if args.json:
        print_json({"did": args.did, **files})
    else:
        print(shown(str(args.recovery)), flush=True)


def _approve(args: argparse.Namespace) -> None:
    named = args.key or os.environ.get(KEY_VARIABLE)
    if not named:
        raise usage_error(f"name a guardian's key with --as or {KEY_VARIABLE}")
    key, recovery = SigningKey.load(named), _read(args.recovery)
    others = [each for each in recovery[APPROVALS] if each.get("did") != key.did]
    recovery[APPROVALS] = [*others, approval(_said(recovery), key)]
    _written(args.recovery, recovery)
    _told(args, key.did, recovery[APPROVALS])


def _told(args: argparse.Namespace, did: str, approvals: Sequence[Any]) -> None:
    if args.json:
        print_json({"did": did, "approvals": len(approvals)})
    else:
        print(shown(f"{did} approved: {len(approvals)} in all"), flush=True)


async def _send(args: argparse.Namespace) -> None:
    rotation, copies = rotation_of(args), [_read(path) for path in args.recoveries]
    said = _said(copies[0])
    if any(_said(each) != said for each in copies):
        raise usage_error("these are not copies of one recovery")
    approvals = {str(each.get("did")): each for copy in copies for each in copy[APPROVALS]}
    whole = {**said, APPROVALS: list(approvals.values())}
    async with reached(args, anonymous=True) as client:
        document = await client.identity.recover_by_guardians(said, whole[APPROVALS], rotation.highest)
    if args.json:
        print_json({"did": document.id, "operation": hash_of(whole), "document": document.json})
    else:
        print(shown(f"{document.id} is being recovered by {hash_of(whole)}"), flush=True)
