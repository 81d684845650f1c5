"""The generations of a key-value store: one is live, the next is built beside it, and a rename changes over.

In the folder, ``live`` names the generation to read, ``served`` the one that the running process reads, and each
generation is a folder of its own, named by its number.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from log.store import Store, StoreInUse
from projections.rebuilding import RebuildRunning

FIRST: Final = 1
LIVE: Final = "live"
SERVED: Final = "served"
BUILDING: Final = "building"
SERVING: Final = "serving"


class Generations:
    """The generations in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def live(self) -> int:
        """Number the generation that is read."""
        return self._read(LIVE) or FIRST

    @property
    def served(self) -> int | None:
        """Number the generation that the process which holds the store opened last."""
        return self._read(SERVED)

    def _read(self, name: str) -> int | None:
        try:
            return int((self.folder / name).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def path(self, number: int) -> Path:
        """Give a generation's folder."""
        return self.folder / str(number)

    def hold(self) -> IO[str]:
        """Hold the folder until what this gives is closed; raises StoreInUse while another holds it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self.folder / SERVING).open("w")
        if not _locked(lock):
            lock.close()
            raise StoreInUse("another process serves from this folder")
        return lock

    @property
    def is_held(self) -> bool:
        """Tell whether a process serves from this folder now."""
        try:
            self.hold().close()
        except StoreInUse:
            return True
        return False

    def open(self) -> tuple[int, Store]:
        """Open the live generation to write; raises StoreInUse."""
        number = self.live
        return number, Store(self.path(number))

    def read(self) -> Store | None:
        """Open the live generation as it is now, beside the process that writes it; nothing where there is none."""
        path = self.path(self.live)
        return Store(path, read_only=True) if (path / "CURRENT").exists() else None

    def make_live(self, number: int) -> None:
        """Let a generation be read from now on."""
        self._write(LIVE, number)

    def now_served(self, number: int) -> None:
        """Say that this generation is read, and remove those before it."""
        self._write(SERVED, number)
        for path in self.folder.iterdir():
            if path.name.isdecimal() and int(path.name) < number:
                shutil.rmtree(path, ignore_errors=True)

    def _write(self, name: str, number: int) -> None:
        """Write a number whole or not at all: a crash leaves the one before."""
        draft = self.folder / f".{name}.{os.getpid()}"
        with draft.open("w") as file:
            file.write(f"{number}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / name)

    @contextlib.contextmanager
    def building(self) -> Iterator[int]:
        """Give the number of the next generation, with an empty place for it; raises RebuildRunning."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / BUILDING).open("w") as lock:
            if not _locked(lock):
                raise RebuildRunning("another rebuild of this store is running")
            number = self.live + 1
            shutil.rmtree(self.path(number), ignore_errors=True)
            try:
                yield number
            finally:
                if self.live != number:
                    shutil.rmtree(self.path(number), ignore_errors=True)


def _locked(file: IO[str]) -> bool:
    """Lock a file for this process, and say whether that went; the kernel unlocks it when the process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
