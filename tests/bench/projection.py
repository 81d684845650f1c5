"""How fast facts replay into Postgres with all their indexes, beside the rate at which COPY takes the same rows.

``python -m tests.bench.projection [FACTS]`` asks MUNIMENT_POSTGRES for the database; its projections are made anew.
"""

import asyncio
import base64
import hashlib
import os
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.facts.fact import FactIssued, Subject
from log import topic
from log.chain import chain_start, chain_value
from log.following import follow
from log.memory import MemoryMessage
from log.message import Decision, Happening
from log.released import codec
from projections.facts import CONTENT, STATUS, FactsProjection
from projections.lines import NULL, line
from projections.postgres import Postgres
from projections.projector import Projector
from projections.signers import SignersProjection
from projections.webhooks import WebhooksProjection

EVENTS = topic.events("facts")
ISSUERS = 50
COPIED = 200_000
LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Figures:
    """What was measured: facts/s with indexes, rows/s of a bare COPY of the same rows, and peak memory in MB."""

    facts: int
    facts_per_s: float
    copy_rows_per_s: float
    peak_mb: float


def write_log(path: Path, facts: int, partitions: int) -> None:
    """Write that many decisions, chained, one file a partition."""
    encode = codec("facts", "decision").encode
    heads = [chain_start(EVENTS, partition) for partition in range(partitions)]
    files = [(path / str(partition)).open("wb") for partition in range(partitions)]
    for index in range(facts):
        partition = index % partitions
        digest = hashlib.sha256(str(index).encode()).digest()
        name = "fct_" + base64.b32encode(digest).decode().rstrip("=").lower()
        body = f'{{"issued_at":"2025-10-13T03:00:00.000Z","reason":"number {index} of many"}}'
        issuer = f"did:key:z6Mk{index % partitions:04d}{index % ISSUERS:040d}"
        subject = Subject("feed.ff", "playlist", f"pl_{digest[:8].hex()}", None)
        text = base64.b64encode(digest).decode()
        issued = FactIssued(
            name, "endorsement.star", subject, issuer, body, text, "ed25519", None, text + text, 1760324400000, None, ""
        )
        command = "cmd_" + name[4:56]
        happening = Happening("FactIssued", 1, issued)
        value = encode(
            Decision(heads[partition], command, index // partitions, 1760324400000 + index // 20, (happening,), None)
        )
        heads[partition] = chain_value(value)
        files[partition].write(LENGTH.pack(len(value)) + value)
    for file in files:
        file.close()


class FileReader:
    """Reads the files of ``write_log`` as a broker's partitions."""

    def __init__(self, path: Path, starts: Mapping[int, int]) -> None:
        self._files = {partition: (path / str(partition)).open("rb") for partition in starts}
        self._next = dict.fromkeys(starts, 0)

    async def poll(self, _timeout_s: float, max_messages: int | None = None) -> Mapping[int, Sequence[Any]]:
        """Give the next messages."""
        found = {}
        for partition, file in self._files.items():
            messages = []
            for _ in range((max_messages or 1000) // len(self._files)):
                head = file.read(LENGTH.size)
                if not head:
                    break
                value = file.read(LENGTH.unpack(head)[0])
                messages.append(MemoryMessage(EVENTS, partition, self._next[partition], 0, None, value))
                self._next[partition] += 1
            if messages:
                found[partition] = messages
        return found

    async def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


class FileLog:
    """As much of a log as a follower reads."""

    def __init__(self, path: Path, partitions: int) -> None:
        self._path, self._partitions = path, partitions

    async def partitions(self, _topic: str) -> int:
        """Count the partitions."""
        return self._partitions

    async def reader(self, _topic: str, starts: Mapping[int, int]) -> FileReader:
        """Read from the start."""
        return FileReader(self._path, starts)


async def measure(dsn: str, facts: int = 200_000, partitions: int = 4) -> Figures:
    """Replay facts into empty projections, then copy the same rows into a bare table."""
    postgres = Postgres(dsn)
    async with postgres.transaction() as transaction:
        for name in ("facts", "signers", "webhooks"):
            for number in range(1, 6):
                await transaction.run(f"DROP SCHEMA IF EXISTS {name}_g{number} CASCADE")
        await transaction.run("DROP SCHEMA IF EXISTS muniment CASCADE")
    with tempfile.TemporaryDirectory() as folder:
        write_log(Path(folder), facts, partitions)
        before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        projector = Projector(postgres, [FactsProjection(), SignersProjection(), WebhooksProjection()])
        until = {partition: len(range(partition, facts, partitions)) for partition in range(partitions)}
        started = time.perf_counter()
        await follow(FileLog(Path(folder), partitions), "facts", projector, until=until)  # type: ignore[arg-type]
        spent = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    copied = await bare_copy(postgres)
    await postgres.close()
    print(f"memory before {before_mb:.0f} MB")
    return Figures(facts, facts / spent, min(facts, COPIED) / copied, peak_mb)


async def bare_copy(postgres: Postgres) -> float:
    """Copy the rows of facts into a table without an index, and give the seconds that it took."""
    columns = ", ".join((*CONTENT, *STATUS))
    async with postgres.snapshot() as transaction:
        rows = transaction.stream(f"SELECT {columns} FROM facts_g1.facts LIMIT {COPIED}")  # noqa: S608  # our own names
        lines = [line([None if member is None else str(member) for member in row]) async for row in rows]
    block = "".join(lines).encode()
    async with postgres.transaction() as transaction:
        await transaction.run("CREATE TABLE facts_g1.bare (LIKE facts_g1.facts INCLUDING DEFAULTS)")
        started = time.perf_counter()
        copying = transaction.copy(f"facts_g1.bare ({columns})", NULL)
        for at in range(0, len(block), 1 << 18):
            await copying.write(block[at : at + (1 << 18)])
        await copying.close()
        spent = time.perf_counter() - started
        await transaction.run("DROP TABLE facts_g1.bare")
    return spent


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    found = asyncio.run(measure(os.environ["MUNIMENT_POSTGRES"], count))
    print(f"{found.facts} facts: {found.facts_per_s:,.0f}/s with indexes, COPY {found.copy_rows_per_s:,.0f} rows/s")
    print(f"peak memory {found.peak_mb:.0f} MB")
