"""The files of service keys: a new one is made beside the others, and one goes once its overlap is over.

There is no pointer to switch: which key signs follows from when each was made, so a crash between any two steps leaves
either the keys that were there or one more, whole.
"""

import base64
import binascii
import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from api.service_keys import OVERLAP_S, SEED_BYTES, InvalidServiceKey, ServiceKey, ServiceKeys, ages, service_key
from log import strict_json
from log.durability import sync

FILES: Final = "service-*.json"
DRAFTS: Final = ".service-*"
LOCK: Final = ".service.lock"
STALE_DRAFT_S: Final = 60.0
LATER_S: Final = 0.001


class Rotated(NamedTuple):
    """The key that was made, if one was, and those that were taken away because their overlap was over."""

    made: ServiceKey | None
    retired: Sequence[ServiceKey]


def make_key_file(folder: Path, now: float | None = None) -> ServiceKey:
    """Write a new key into its own file, mode 0600; it is published at once, and signs a little later."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    seed, made_at = os.urandom(SEED_BYTES), time.time() if now is None else now
    key = service_key(seed, made_at)
    document = {"kid": key.kid, "made_at": made_at, "seed_b64": base64.b64encode(seed).decode()}
    path = _path(folder, key)
    draft = path.with_name(f".{path.name}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(strict_json.dump(document))
        file.flush()
        os.fsync(descriptor)
    draft.rename(path)
    # The key counts from here: before, nobody reads its draft.
    sync(folder)
    return key


def read_key_file(path: Path) -> ServiceKey:
    """Read a key file that none but its owner can read. Raises InvalidServiceKey, OSError."""
    if path.stat().st_mode & 0o077:
        raise InvalidServiceKey(f"{path.name} is open to others; run chmod 600 on it")
    try:
        document = strict_json.parse(path.read_bytes())
    except strict_json.MalformedJson as error:
        raise InvalidServiceKey(f"{path.name}: {error.detail}") from None
    if not isinstance(document, dict) or not isinstance(made_at := document.get("made_at"), int | float):
        raise InvalidServiceKey(f"{path.name} is no key file")
    try:
        seed = base64.b64decode(str(document.get("seed_b64")), validate=True)
    except binascii.Error:
        raise InvalidServiceKey(f"{path.name} holds no key in base64") from None
    return service_key(seed, float(made_at))


def read_key_files(folder: Path) -> Sequence[ServiceKey]:
    """Read the keys of a folder, oldest first; one that goes meanwhile is passed over. Raises InvalidServiceKey."""
    found = []
    for path in folder.glob(FILES):
        with contextlib.suppress(FileNotFoundError):
            found.append(read_key_file(path))
    return sorted(found, key=lambda key: (key.made_at, key.kid))


def keys_kept_in(folder: Path) -> ServiceKeys:
    """Give the keys of a folder as they come and go; the first one is made where there is none.

    Raises InvalidServiceKey.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder):
        if not read_key_files(folder):
            make_key_file(folder)
    return ServiceKeys(read=lambda: read_key_files(folder))


def rotate(folder: Path, *, take_back: bool = False, now: float | None = None) -> tuple[ServiceKey, Rotated]:
    """Make the key that signs next, and take away those whose overlap is over.

    With ``take_back`` all keys but the new one go at once, and with them every session that they signed. Whoever else
    rotates the same folder waits. Raises InvalidServiceKey where there is no key to be followed by another.
    """
    now = time.time() if now is None else now
    if not read_key_files(folder):
        raise InvalidServiceKey(f"{folder} holds no service key")
    with _alone(folder):
        made = _followed(folder, now)
        return made, Rotated(made, _retire(folder, float("inf") if take_back else now))


def keep_fresh(folder: Path, older_than_s: float, now: float | None = None) -> Rotated:
    """Make the next key where the newest is as old as this, and take away those whose overlap is over.

    A folder without any is left as it is: then the keys lie elsewhere. Raises InvalidServiceKey.
    """
    now = time.time() if now is None else now
    if not read_key_files(folder):
        return Rotated(None, ())
    with _alone(folder):
        aged = now - read_key_files(folder)[-1].made_at >= older_than_s
        made = _followed(folder, now) if aged else None
        return Rotated(made, _retire(folder, now))


def _followed(folder: Path, now: float) -> ServiceKey:
    _sweep_drafts(folder, now)
    # A clock that was put back must not make the new key the older one.
    return make_key_file(folder, max(now, read_key_files(folder)[-1].made_at + LATER_S))


def _retire(folder: Path, now: float) -> Sequence[ServiceKey]:
    *before, _newest = ages(read_key_files(folder))
    retired = [key for key, followed_at in before if followed_at + OVERLAP_S <= now]
    for key in retired:
        _path(folder, key).unlink(missing_ok=True)
    sync(folder)
    return retired


def _path(folder: Path, key: ServiceKey) -> Path:
    return folder / f"service-{key.kid}.json"


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from rotating the same folder while the block runs."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep_drafts(folder: Path, now: float) -> None:
    """Take away what a crash left of a key that never counted."""
    for draft in folder.glob(DRAFTS):
        with contextlib.suppress(FileNotFoundError):
            if now - draft.stat().st_mtime > STALE_DRAFT_S:
                draft.unlink()
