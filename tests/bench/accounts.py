"""A million accounts fit: one seat with its state on disk, how fast it moves money, and in what memory.

`python -m tests.bench.accounts N` measures N accounts in this process; `measure` has a process for each N, so that
none begins in another's memory. There is no broker: what the seat appends is given back to it as if it had been read.
"""

import gc
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import psutil

from log import topic
from log.store import Store
from muniment.processes import collect_seldom
from processors.seat import Seat
from tests.bench.transfers import AT_ONCE, NOW_MS, moving, opening, written

TRANSFERS = 20_000
CHANCE = 20_261_126
"""Where the pairs of each run come from: the same ones every time."""
MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """Rates per second of the clock and of the core's own time, resident sets and the store's folder in MB."""

    accounts: int
    opened: float
    opened_busy: float
    moved: float
    moved_busy: float
    before_mb: float
    after_mb: float
    peak_mb: float
    disk_mb: float


@dataclass(frozen=True, slots=True)
class Lying:
    """A message as it lies on the log."""

    topic: str
    partition: int
    offset: int
    value: bytes
    key: bytes | None = None
    timestamp: int = NOW_MS


class Desk:
    """A seat with a log of its own, which holds no more than what is under way."""

    def __init__(self, store: Store) -> None:
        self._seat, self._next = Seat("ledger", 0, store), 0

    def decide(self, commands: Iterable[bytes]) -> tuple[float, float]:
        """Decide commands and settle what was decided, some at a time; gives the rates by the clock and by the core.

        The core's time is all of this process's, so it has what RocksDB does behind.
        """
        pending, before, begun, busy = iter(commands), self._next, time.perf_counter(), time.process_time()
        while some := list(islice(pending, AT_ONCE)):
            self._decide(some)
        decided = self._next - before
        return decided / (time.perf_counter() - begun), decided / (time.process_time() - busy)

    def _decide(self, commands: Sequence[bytes]) -> None:
        decided = self._seat.decide(self._lying(topic.commands("ledger"), commands))
        assert self._seat.settle(self._lying(topic.events("ledger"), [value for _, value in decided]))
        assert sum(self._seat.events.values()) == len(commands), "one was refused"
        self._next += len(commands)

    def _lying(self, of: str, values: Sequence[bytes]) -> list[Lying]:
        return [Lying(of, 0, offset, value) for offset, value in enumerate(values, self._next)]


def resident_mb() -> float:
    """Read what this process has in memory, without what it only has not yet let go of."""
    gc.collect()
    return float(psutil.Process().memory_info().rss / MB)


def peak_mb() -> float:
    """Read the most that this process has had in memory (VmHWM)."""
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def run(accounts: int) -> Found:
    """Open accounts, each by its developer's command, then move money between random ones."""
    collect_seldom()
    chance = random.Random(CHANCE)  # noqa: S311  # spreads the transfers, guards nothing
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        desk = Desk(store)
        opened = desk.decide(map(written, opening(accounts)))
        drawn = (chance.sample(range(accounts), 2) for _ in range(TRANSFERS))
        transfers = list(map(written, moving([(sender, receiver) for sender, receiver in drawn])))
        before = resident_mb()
        moved = desk.decide(transfers)
        after = resident_mb()
        disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / MB
        store.close()
    return Found(accounts, *opened, *moved, before, after, peak_mb(), disk)


def measure(accounts: int) -> Found:
    """Measure so many accounts in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.accounts", str(accounts)]
    return Found(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(run(int(sys.argv[1])))))
