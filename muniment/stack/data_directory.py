"""The data directory: who holds it, what version wrote it, and what runs on it now.

`lock` is held by the one stack that runs here; `version.json`, written last, says what wrote `kafka/` (the log) and
`postgres/` (the database and its password), which are formed as `kafka.new/` and `postgres.new/`; `stack.json` says
what runs now and how to reach it; `broker/` and `logs/` can be deleted.
"""

import fcntl
import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from log.durability import sync
from muniment.stack.errors import StackError, StackFault
from muniment.stack.versions import DATA_LAYOUT, KAFKA_VERSION, POSTGRES_MAJOR

LOCK_FILE: Final = "lock"
VERSION_FILE: Final = "version.json"
STACK_FILE: Final = "stack.json"
LOCK_PATIENCE_S: Final = 0.5
_OURS_BEFORE_THE_VERSION: Final = frozenset({LOCK_FILE, STACK_FILE, "broker", "logs", "operator.json", "keys", "state"})
_DATA: Final = ("kafka", "postgres")
_NEW: Final = ".new"


def write_private(path: Path, content: bytes) -> None:
    """Replaces a file atomically by one with mode 0600; after a crash it is the old file or the new one, whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


class DataDirectory:
    """Holds one data directory for one running stack, from entering to leaving the context."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.logs = self.path / "logs"
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Creates, checks and locks the directory; raises StackError and changes nothing that was there otherwise."""
        try:
            check(self.path)
            if not self.path.exists():
                # Closed to others; root's is passable, because PostgreSQL never runs as root.
                self.path.mkdir(parents=True, mode=0o711 if os.geteuid() == 0 else 0o700)
            self._lock = _locked(self.path / LOCK_FILE)
        except OSError as error:
            raise StackError(
                StackFault.DATA_DIRECTORY_UNUSABLE, f"{self.path} cannot be used: {error.strerror}"
            ) from None
        try:
            check(self.path)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def has(self, service: str) -> bool:
        """Says whether a service's data was formed here, whole."""
        return service in read_version(self.path).get("data", [])

    def draft(self, service: str) -> Path:
        """Returns the path under which a service's data is formed before it counts."""
        return self.path / f"{service}{_NEW}"

    def settle(self, service: str) -> None:
        """Makes a service's newly formed data count.

        A crash before the version file is replaced leaves data that nothing has run on yet; it is formed again.
        """
        self.draft(service).rename(self.path / service)
        sync(self.path)
        version = {
            "layout": DATA_LAYOUT,
            "kafka": KAFKA_VERSION,
            "postgres": POSTGRES_MAJOR,
            "data": sorted({*read_version(self.path).get("data", []), service}),
        }
        write_private(self.path / VERSION_FILE, json.dumps(version).encode())
        sync(self.path)

    def publish(self, stack: Mapping[str, Any]) -> None:
        """Writes what runs here now: addresses, credentials and pids, readable by the owner only."""
        write_private(self.path / STACK_FILE, json.dumps(stack, indent=2).encode())

    def withdraw(self) -> None:
        """Removes the description of what runs here."""
        (self.path / STACK_FILE).unlink(missing_ok=True)


def _locked(path: Path) -> int:
    """Opens and locks the lock file, or raises naming the pid that holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            message = f"{path.parent} is in use by the stack with pid {holder}"
            raise StackError(StackFault.DATA_DIRECTORY_IN_USE, message) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def read_version(path: Path) -> dict[str, Any]:
    """Reads the version file, or nothing where there is none."""
    file = path / VERSION_FILE
    try:
        version = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        version = None
    if not isinstance(version, dict) or not isinstance(version.get("layout"), int):
        raise _half_written(f"{file} is damaged")
    return version


def check(path: Path) -> None:
    """Raises StackError unless the path is absent, empty, ours and whole, or ours and not yet formed."""
    if path.exists() and not path.is_dir():
        raise StackError(StackFault.DATA_DIRECTORY_UNUSABLE, f"{path} is not a directory")
    if not path.exists():
        return
    version = read_version(path)
    _check_version(path, version)
    names = {entry.name for entry in path.iterdir()}
    known = version.get("data", [])
    if missing := [name for name in known if name not in names]:
        raise _half_written(f"{path} has lost its {' and '.join(missing)} data")
    if formed := [name for name in _DATA if name in names and name not in known and _was_run(path / name)]:
        raise _half_written(f"{path} holds {' and '.join(formed)} data that its {VERSION_FILE} does not know of")
    if version:
        return
    drafts = {f"{name}{_NEW}" for name in _DATA} | set(_DATA)
    foreign = {name for name in names if not name.startswith(".")} - _OURS_BEFORE_THE_VERSION - drafts
    if foreign:
        raise _half_written(f"{path} is neither empty nor a Muniment data directory: it holds {min(foreign)}")


def _check_version(path: Path, version: Mapping[str, Any]) -> None:
    ours = {"layout": DATA_LAYOUT, "kafka": KAFKA_VERSION, "postgres": POSTGRES_MAJOR}
    for part, known in ours.items():
        written = version.get(part, known)
        if _order(written) > _order(known):
            message = f"{path} was written by a newer version: {part} {written}, and this one knows {known}"
            raise StackError(StackFault.DATA_DIRECTORY_NEWER, message)


def _order(version: object) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in str(version).split("."))


def _was_run(service: Path) -> bool:
    """Says whether a service has run on its data: until then it holds only what forming it wrote."""
    return any(service.glob("*-[0-9]*/*.log")) or (service / "data" / "postmaster.opts").exists()


def _half_written(what: str) -> StackError:
    message = f"{what}; it was left as it is. Use another directory, or restore this one from a backup"
    return StackError(StackFault.DATA_DIRECTORY_HALF_WRITTEN, message)


def now() -> str:
    """Returns the time as RFC 3339 text, for people who read the stack file."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
