"""How fast a file is uploaded to the local disk and read back, beside what the disk itself does, and in what memory."""

import hashlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from muniment import SigningKey
from tests.end_to_end.registry import Registry

MIB = 1 << 20
BLOCK = os.urandom(MIB)
PIECE = 256 << 10
SIZE_MIB = 96
TRIES = 5
FORGET_THE_PEAK = "5"


@dataclass(frozen=True, slots=True)
class Speeds:
    """In MiB/s, the best of some tries each; memory is what the api process held more at most (MiB)."""

    raw_write: float
    upload: float
    finalize_ms: float
    raw_read: float
    download: float
    upload_memory: float
    download_memory: float
    busy_upload: float
    busy_download: float


def _raw_write(folder: Path) -> float:
    began = time.perf_counter()
    with (folder / "raw").open("wb") as file:
        for _ in range(SIZE_MIB):
            file.write(BLOCK)
        file.flush()
        os.fsync(file.fileno())
    return SIZE_MIB / (time.perf_counter() - began)


def _raw_read(path: Path) -> float:
    """Read a file that the machine doesn't hold in memory."""
    _let_go(path)
    began = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.read(4 * MIB):
            pass
    return SIZE_MIB / (time.perf_counter() - began)


def _let_go(path: Path) -> None:
    """Have the machine forget what it holds of a file in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


class _Api:
    """The api process, watched."""

    def __init__(self, registry: Registry) -> None:
        self._of = Path(f"/proc/{registry.stack()['pids']['api']}")

    def memory(self) -> int:
        """Give what it holds (bytes), and begin to watch for the most that it will."""
        (self._of / "clear_refs").write_text(FORGET_THE_PEAK)
        return self._status("VmRSS:")

    def peak(self) -> int:
        """Give the most that it held since."""
        return self._status("VmHWM:")

    def busy_s(self) -> float:
        """Give how long it kept a core busy so far."""
        user, system = (self._of / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _status(self, name: str) -> int:
        line = next(line for line in (self._of / "status").read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024


async def _token(session: aiohttp.ClientSession, url: str, key: SigningKey) -> str:
    async with session.post(f"{url}/auth/nonce", json={"did": key.did}) as answer:
        given = await answer.json()
    async with session.post(
        f"{url}/auth/session", json=key.sign_session(given["issuer"], key.did, given["nonce"])
    ) as answer:
        return str((await answer.json())["token"])


async def _body() -> AsyncIterator[bytes]:
    for _ in range(SIZE_MIB):
        for start in range(0, MIB, PIECE):
            yield BLOCK[start : start + PIECE]


async def measure(registry: Registry) -> Speeds:
    """Upload, finalize and read a file a few times."""
    api, key, digest = _Api(registry), SigningKey.generate(), hashlib.sha256(BLOCK * SIZE_MIB).hexdigest()
    found: list[Speeds] = []
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {await _token(session, registry.url, key)}"}
        for _ in range(TRIES):
            raw_write = _raw_write(registry.data)
            asked = {"mime": "video/mp4", "size": SIZE_MIB * MIB, "sha256": digest}
            async with session.post(f"{registry.url}/media", json=asked, headers=headers) as answer:
                reserved = await answer.json()
            upload = reserved["upload"]
            held, busy, began = api.memory(), api.busy_s(), time.perf_counter()
            sent = {**upload["headers"], "Content-Length": str(SIZE_MIB * MIB)}
            async with session.put(upload["url"], data=_body(), headers=sent) as answer:
                assert (await answer.json())["matches"]
            up = SIZE_MIB / (time.perf_counter() - began)
            up_memory, up_busy = api.peak() - held, api.busy_s() - busy
            began = time.perf_counter()
            path = f"{registry.url}/media/{reserved['id']}"
            async with session.post(f"{path}/finalize", headers=headers) as answer:
                assert answer.status == 200, await answer.text()
            finalize_ms = (time.perf_counter() - began) * 1000
            place = registry.data / "media" / "media" / reserved["id"]
            raw_read = _raw_read(place)
            _let_go(place)
            held, busy, began, length = api.memory(), api.busy_s(), time.perf_counter(), 0
            async with session.get(f"{path}/content") as answer:
                async for piece in answer.content.iter_any():
                    length += len(piece)
            assert length == SIZE_MIB * MIB
            down = SIZE_MIB / (time.perf_counter() - began)
            memory = [up_memory / MIB, (api.peak() - held) / MIB]
            busy_rates = [SIZE_MIB / up_busy, SIZE_MIB / (api.busy_s() - busy)]
            found.append(Speeds(raw_write, up, finalize_ms, raw_read, down, *memory, *busy_rates))
    best = {name: max(getattr(each, name) for each in found) for name in Speeds.__slots__}
    return Speeds(**best | {"finalize_ms": min(each.finalize_ms for each in found)})
