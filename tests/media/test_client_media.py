"""Our client on files, against an api with a media storage."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.session_tokens import Sessions, UsedNoncesInProcess
from muniment.client import Client, Erased, MediaMismatch, NotFound, UnexpectedAnswer
from muniment.signing_key import SigningKey
from processors.media_place import Bucket
from processors.media_storage import open_storage
from projections.postgres import Postgres
from tests.api.serving import Registry, running
from tests.media.conftest import PREFIXES
from tests.media.gallery import opened, person
from tests.media.memory import memory_now, peak_memory
from tests.media.s3_server import BUCKET
from tests.media.test_storage import MIB, content
from tests.projections.conftest import postgres

__all__ = ["postgres"]

pytestmark = pytest.mark.stack

OWNER = person(31)
PICTURE = content(3 * MIB + 17)


@pytest.fixture
async def registry(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Registry]:
    """Run an api on the local disk, which issues sessions and uploads at its own address."""
    async with running() as found:
        found.api.sessions = Sessions(found.keys, url_of(found), UsedNoncesInProcess())
        opened(found, postgres, open_storage(tmp_path / "media"))
        yield found


def url_of(registry: Registry) -> str:
    return str(registry.client.make_url("/")).rstrip("/")


@asynccontextmanager
async def client(registry: Registry, by: SigningKey | None = OWNER, *further: str) -> AsyncIterator[Client]:
    async with Client(url_of(registry), by, upload_origins=further) as found:
        yield found


def written(folder: Path, data: bytes) -> Path:
    path = folder / "picture.png"
    path.write_bytes(data)
    return path


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def test_a_file_goes_up_and_comes_down_whole_and_in_part(registry: Registry, tmp_path: Path) -> None:
    path, heard = written(tmp_path, PICTURE), list[int]()
    async with client(registry) as owner, client(registry, None) as anybody:
        kept = await owner.media.upload(path, "image/png", progress=lambda at, _: heard.append(at))
        assert (kept.status, kept.size, kept.sha256) == (
            "finalized",
            len(PICTURE),
            hashlib.sha256(PICTURE).hexdigest(),
        )
        assert (heard[-1], len(heard)) == (len(PICTURE), 4)
        out = tmp_path / "out.png"
        known = await anybody.media.get(kept.id, min_position=kept.position)
        assert (await anybody.media.download(known, out, sha256=kept.sha256.upper())).id == kept.id
        assert out.read_bytes() == PICTURE
        with pytest.raises(FileExistsError):
            await anybody.media.download(kept.id, out)
        part = [piece async for piece in anybody.media.content(kept.id, MIB - 1, 2 * MIB + 1)]
        assert b"".join(part) == PICTURE[MIB - 1 : 2 * MIB + 1]
        assert b"".join([piece async for piece in anybody.media.content(known, len(PICTURE) - 1)]) == PICTURE[-1:]
        with pytest.raises(ValueError, match="no byte"):
            await anext(anybody.media.content(known, len(PICTURE)))
        with pytest.raises(UnexpectedAnswer):
            await anybody.media.download(known, tmp_path / "other", sha256="0" * 64)
        assert names(tmp_path) == ["media", "out.png", "picture.png"]
        await owner.erase(OWNER.did)
        with pytest.raises(Erased):
            await owner.media.get(kept.id)


async def test_an_upload_is_gone_on_with_under_its_key_by_whoever_comes_next(
    registry: Registry, tmp_path: Path
) -> None:
    path, size, sha256 = written(tmp_path, PICTURE), len(PICTURE), hashlib.sha256(PICTURE).hexdigest()
    async with client(registry) as first, client(registry) as second:
        reserved = await first.media.reserve("image/png", size, sha256, idempotency_key="k")
        kept = await second.media.upload(path, "image/png", idempotency_key="k")
        assert (kept.id, kept.status) == (reserved.id, "finalized")
        again = await first.media.upload(path, "image/png", idempotency_key="k")
        assert (again.id, again.status) == (reserved.id, "finalized")


async def test_what_became_another_file_is_not_taken_as_the_one(registry: Registry, tmp_path: Path) -> None:
    path = written(tmp_path, PICTURE)
    async with client(registry) as owner, client(registry, None) as anybody:
        reserved = await owner.media.reserve("image/png", len(PICTURE), hashlib.sha256(b"other").hexdigest())
        await owner.media.send(reserved, path)
        with pytest.raises(MediaMismatch):
            await owner.media.finalize(reserved.id)
        with pytest.raises(NotFound):
            await anybody.media.get(reserved.id)


@pytest.mark.usefixtures("credentials")
async def test_a_file_goes_past_the_registry_to_a_bucket_that_its_caller_knows(
    registry: Registry, postgres: Postgres, tmp_path: Path, s3_url: str
) -> None:
    opened(registry, postgres, open_storage(Bucket(BUCKET, f"at/{next(PREFIXES)}", s3_url)))
    path = written(tmp_path, PICTURE)
    async with client(registry) as stranger, client(registry, OWNER, s3_url) as owner:
        with pytest.raises(UnexpectedAnswer, match="neither the registry's origin nor reached by https"):
            await stranger.media.upload(path, "image/png")
        kept = await owner.media.upload(path, "image/png")
        assert b"".join([piece async for piece in owner.media.content(kept.id)]) == PICTURE


async def test_a_file_is_never_whole_in_memory(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        for _ in range(96):
            file.write(content(MIB))
    async with client(registry) as owner:
        before = memory_now()
        kept = await owner.media.upload(path, "image/png")
        await owner.media.download(kept, tmp_path / "back.bin")
        # Of the client and the server together, which are one process here.
        assert peak_memory() - before < 64 * MIB
    assert kept.size == 96 * MIB
