"""The rotation keys of a DID, highest first, in a file of their own: whoever has them can replace all other keys."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from muniment.key_files import KeyFileError, KeyFileProblem, read_key_file, write_key_file
from muniment.private_key import PrivateKey

max_rotation_keys: Final = 5


@dataclass(frozen=True, slots=True)
class RotationKeys:
    """A DID and its private rotation keys; a file may hold some of them only."""

    did: str
    keys: tuple[PrivateKey, ...]

    @property
    def highest(self) -> PrivateKey:
        """Give the key that no other overrides."""
        return self.keys[0]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RotationKeys:
        """Read a file that none but its owner can read. Raises `KeyFileError`."""
        path = Path(path)
        document = read_key_file(path)
        did, held = document.get("did"), document.get("rotation_keys")
        if set(document) != {"did", "rotation_keys"} or not isinstance(did, str) or not isinstance(held, list):
            raise KeyFileError(KeyFileProblem.MALFORMED, path, "a file of rotation keys has did and rotation_keys")
        keys = tuple(PrivateKey.read(each if isinstance(each, dict) else {}, path) for each in held)
        if not 1 <= len(keys) <= max_rotation_keys:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, f"a DID has 1 to {max_rotation_keys} rotation keys")
        return cls(did, keys)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file with mode 0600; an existing one is never replaced. Raises `KeyFileError`."""
        write_key_file(Path(path), {"did": self.did, "rotation_keys": [each.to_json() for each in self.keys]})
