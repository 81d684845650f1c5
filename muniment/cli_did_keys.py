"""The key files that verbs on DIDs read and write."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from muniment.client.refusals import Refused, Unavailable
from muniment.key_files import KeyFileError
from muniment.private_key import PrivateKey, key_types
from muniment.rotation_keys import RotationKeys
from muniment.signing_key import SigningKey

ROTATION: Final = ".rotation"


def add_keys(verb: argparse.ArgumentParser) -> None:
    """Add what a new key is."""
    verb.add_argument("--id", metavar="KEY", help="the new key's id")
    verb.add_argument("--type", choices=key_types, default=key_types[0], help=f"its type [{key_types[0]}]")


def add_rotation(verb: argparse.ArgumentParser, *, required: bool) -> None:
    """Add where the rotation keys are; new ones lie beside the key file unless another place is named."""
    default = "" if required else f" [FILE{ROTATION}]"
    verb.add_argument(
        "--rotation", type=Path, required=required, metavar="FILE", help=f"the file of the rotation keys{default}"
    )


def rotation_path(args: argparse.Namespace) -> Path:
    """Give where new rotation keys are written."""
    named: Path | None = args.rotation
    return args.file.with_name(args.file.name + ROTATION) if named is None else named


def rotation_of(args: argparse.Namespace) -> RotationKeys:
    """Read the rotation keys; raises KeyFileError."""
    return RotationKeys.load(args.rotation)


def new_key(args: argparse.Namespace) -> PrivateKey:
    """Make the key that a verb asks for."""
    return PrivateKey.generate(args.type)


def saved(path: Path, did: str, name: str, private: PrivateKey) -> SigningKey:
    """Write the key file of a registered DID; raises KeyFileError."""
    key = SigningKey(private.secret, private.type, did=did, key_id=name)
    key.save(path)
    return key


@contextmanager
def kept(*files: Path) -> Iterator[None]:
    """Keep key files that were just written, unless what they are for is refused for good or can't be done."""
    try:
        yield
    except Unavailable:
        raise  # it may have happened: whoever has the keys can tell
    except (Refused, KeyFileError):
        for each in files:
            each.unlink(missing_ok=True)
        raise
