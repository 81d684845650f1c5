"""A database without room: facts are taken all the same, and with room again it holds them as if nothing had been."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from muniment import Client, SigningKey
from muniment.client import Subject
from tests.conftest import running_services
from tests.end_to_end.load import facts_shown
from tests.end_to_end.raw_http import Answer, check
from tests.end_to_end.registry import Registry, running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]

DISK_BYTES = 160 << 20
LEFT_BYTES = {"rows": 512 << 10, "the write-ahead log": 14 << 20}
"""What has no room, and how much is left: a segment of the write-ahead log takes 16 MiB at once, rows take little."""
FACTS_AT_ONCE = 1_000
FACTS_AT_MOST = 40_000
FACTS_WITHOUT_ROOM = 200
CATCH_UP_S = 120.0
NO_ROOM = "No space left on device"
NUMBERS = itertools.count()
CODES = {"read_model_unavailable", "not_caught_up"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a data directory whose database lies on a disk of its own, with little room."""
    data, mounted = tmp_path / "data", False
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk takes root")
    with running_services(data):
        pass
    database, before = data / "postgres", tmp_path / "postgres before"
    database.rename(before)
    database.mkdir(mode=0o700)
    made = run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", str(database))
    try:
        if made.returncode != 0:
            pytest.skip(f"mounting is not permitted here: {made.stderr.strip()}")
        mounted = True
        assert run("cp", "-a", f"{before}/.", str(database)).returncode == 0
        shutil.copystat(before, database)
        os.chown(database, before.stat().st_uid, before.stat().st_gid)
        yield data
    finally:
        if mounted:
            run("umount", "-l", str(database))


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)  # fixed words


def fill(folder: Path, left: int) -> Path:
    """Take the room that a disk has, nearly all, with one file."""
    ballast = folder / "ballast"
    room = shutil.disk_usage(folder).free - left
    with ballast.open("wb") as file:
        while room > 0:
            room -= file.write(bytes(min(room, 1 << 20)))
    return ballast


def read(registry: Registry, path: str) -> Answer:
    """Read once, with nobody who would try again, and see that no inside shows."""
    try:
        with urllib.request.urlopen(registry.url + path, timeout=60) as answer:  # noqa: S310  # http, to ourselves
            status, headers, body = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, headers, body = error.code, error.headers, error.read()
    names = {name.lower(): value for name, value in headers.items()}
    return check(Answer(status, names, body), registry.url, path)


def has_no_room(registry: Registry) -> bool:
    logs = registry.data / "logs" / "postgres.log"
    return NO_ROOM in logs.read_text(errors="replace") and "projector_waits" in projector(registry)


def projector(registry: Registry) -> str:
    return (registry.data / "logs" / "project.log").read_text(errors="replace")


async def issue(curator: Client, count: int) -> list[str]:
    """Issue this many facts and give the ids of those that were acknowledged, which must be all."""
    subjects = (Subject("feed.ff", "playlist", f"pl-{next(NUMBERS)}") for _ in range(count))
    signed = (curator.facts.sign("endorsement.star", subject, {"reason": "r" * 512}) for subject in subjects)
    items = [item async for item in curator.facts.issue_many(signed)]
    assert [item.status for item in items if item.status != 201] == []
    return [item.fact.id for item in items if item.fact is not None]


@contextlib.asynccontextmanager
async def curating(registry: Registry) -> AsyncIterator[Client]:
    key = SigningKey.generate()
    await asyncio.to_thread(registry.cli, "signers", "add", key.did, "curator")
    async with Client(registry.url, key) as curator:
        yield curator


@pytest.mark.parametrize("left", LEFT_BYTES.values(), ids=list(LEFT_BYTES))
async def test_facts_are_taken_while_the_database_has_no_room_and_it_catches_up_once_it_has(
    small_disk: Path, left: int
) -> None:
    with running(small_disk) as registry:
        async with curating(registry) as curator:
            acknowledged = await issue(curator, 10)
            ballast = await asyncio.to_thread(fill, small_disk / "postgres", left)
            while not has_no_room(registry):
                assert len(acknowledged) < FACTS_AT_MOST, "the disk was never full"
                acknowledged += await issue(curator, FACTS_AT_ONCE)

            acknowledged += await issue(curator, FACTS_WITHOUT_ROOM)
            last = str(curator.position)
            await asyncio.to_thread(reads_while_there_is_no_room, registry, acknowledged[0], last)
            # The feed lies in another store, and goes on.
            assert (await asyncio.to_thread(registry.get, "/playlists?star=true&limit=1"))[0] == 200

            ballast.unlink()
            async with asyncio.timeout(CATCH_UP_S):
                while (await asyncio.to_thread(read, registry, f"/facts?limit=1&min_position={last}")).status != 200:
                    await asyncio.sleep(1)
        shown = await facts_shown(registry)
        assert sorted(shown) == sorted(acknowledged)
        verdict = json.loads(await asyncio.to_thread(registry.cli, "audit", "--json"))
        assert verdict["projections"]["facts"] == len(acknowledged)


def reads_while_there_is_no_room(registry: Registry, first: str, last: str) -> None:
    """See that reads answer the older state or that they can't, and never the older as if it were the newer."""
    for _ in range(5):
        for path in (f"/facts/{first}", f"/facts/{first}/history", "/facts?limit=5", "/facts?since=0", "/signers"):
            answer = read(registry, path)
            assert answer.status == 200 or answer.json["code"] in CODES, answer
    answer = read(registry, f"/facts?limit=1&wait_ms=500&min_position={last}")
    assert answer.status == 503
    assert answer.json["code"] in CODES
    assert int(answer.headers["retry-after"]) >= 1
    assert registry.get("/health")[0] in {200, 503}
