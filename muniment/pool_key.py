"""Where the pool's key is: in a setting, or in a file that none but its owner can read."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from muniment.key_files import KeyFileError, KeyFileProblem, read_private_file
from muniment.settings import InvalidSetting, Settings
from muniment.stack.data_directory import write_private
from processors.pool_key import SECRET_BYTES, InvalidPoolKey, PoolKey, written_wif

POOL_KEY_FILE: Final = "pool.wif"


def pool_key(settings: Settings) -> PoolKey:
    """Give the pool's key. Raises InvalidSetting, and KeyFileError, neither of which tells anything of the key."""
    if settings.bsv_private_key is not None:
        try:
            return PoolKey.read(settings.bsv_private_key, settings.chain_family)
        except InvalidPoolKey as error:
            raise InvalidSetting(f"MUNIMENT_BSV_PRIVATE_KEY: {error}") from None
    return _read(settings.keys / POOL_KEY_FILE, settings)


def make_pool_key(settings: Settings) -> PoolKey:
    """Give the pool's key, made where neither the setting nor the file is there. Raises as ``pool_key`` does."""
    path = settings.keys / POOL_KEY_FILE
    if settings.bsv_private_key is None and not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        write_private(draft, written_wif(secrets.token_bytes(SECRET_BYTES)).encode("ascii") + b"\n")
        # A link fails where a rename would replace: of two processes that start at once, both use the first one's key.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return pool_key(settings)


def _read(path: Path, settings: Settings) -> PoolKey:
    try:
        return PoolKey.read(read_private_file(path).decode("ascii").strip(), settings.chain_family)
    except UnicodeDecodeError:
        raise KeyFileError(KeyFileProblem.MALFORMED, path, "isn't a file with a key in WIF") from None
    except InvalidPoolKey as error:
        raise KeyFileError(KeyFileProblem.MALFORMED, path, str(error)) from None
