"""The media storage does the same on the local disk and on S3."""

import asyncio
import hashlib
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from processors import media_storage
from processors.media_place import Bucket, InvalidStorage, read_place
from processors.media_storage import MediaStorage, NotStored, StorageFull, StorageUnavailable, open_storage
from tests.media.memory import memory_now, peak_memory
from tests.media.s3_server import BUCKET, CREDENTIALS, Proxy, unfinished_uploads

MIB = 1 << 20
SIZES = (0, 1, MIB - 1, MIB, 5 * MIB, 5 * MIB + 1, 12 * MIB + 7)
"""Around a chunk, and around the part from which on a write is done in parts."""


class ClientGone(Exception):
    """Whoever sent the bytes is gone."""


def content(size: int) -> bytes:
    """Make bytes that differ everywhere."""
    block = hashlib.sha256(b"media").digest()
    return b"".join(hashlib.sha256(block + number.to_bytes(4)).digest() for number in range(size // 32 + 1))[:size]


async def chunks(data: bytes, size: int = 700_001) -> AsyncIterator[bytes]:
    """Give bytes as a connection would, in pieces that fit nothing."""
    for start in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[start : start + size]


async def cut_off(data: bytes, error: BaseException) -> AsyncIterator[bytes]:
    async for chunk in chunks(data):
        yield chunk
    raise error


async def whole(storage: MediaStorage, path: str) -> bytes:
    size = await storage.size(path)
    return await storage.read(path, 0, size) if size else b""


async def paths(storage: MediaStorage, prefix: str) -> list[str]:
    return sorted([each.path async for each in storage.listed(prefix)])


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_put_is_read_whole_and_in_ranges(storage: MediaStorage, size: int) -> None:
    data = content(size)
    await storage.put("media/one", chunks(data))
    assert await storage.size("media/one") == size
    assert await whole(storage, "media/one") == data
    for start, end in ((0, 1), (size // 2, size // 2 + 1000), (max(size - 3, 0), size)):
        if start < size:
            assert await storage.read("media/one", start, end) == data[start:end]


async def test_a_range_past_the_end_is_cut(storage: MediaStorage) -> None:
    await storage.put("media/one", chunks(b"0123456789"))
    assert await storage.read("media/one", 7, 100) == b"789"
    assert await storage.read("media/one", 10, 11) == b""
    assert await storage.read("media/one", 1000, 1001) == b""


async def test_what_is_not_there_is_named_as_such(storage: MediaStorage) -> None:
    with pytest.raises(NotStored):
        await storage.read("media/none", 0, 1)
    with pytest.raises(NotStored):
        await storage.size("media/none")
    await storage.delete(["media/none"])


@pytest.mark.parametrize("before_it_broke", [0, 3 * MIB, 11 * MIB])
async def test_an_upload_that_is_cut_off_leaves_nothing(
    storage: MediaStorage, s3_url: str, tmp_path: Path, before_it_broke: int
) -> None:
    with pytest.raises(ClientGone):
        await storage.put("media/one", cut_off(content(before_it_broke), ClientGone()))
    with pytest.raises(NotStored):
        await storage.size("media/one")
    assert unfinished_uploads(s3_url) == 0
    assert not [each for each in (tmp_path / "media").rglob("*") if each.is_file()]


async def test_a_connection_error_of_the_sender_is_not_the_storage_s(storage: MediaStorage) -> None:
    with pytest.raises(ConnectionResetError):
        await storage.put("media/one", cut_off(content(11 * MIB), ConnectionResetError()))


async def test_an_upload_that_was_cut_off_starts_over(storage: MediaStorage) -> None:
    data = content(12 * MIB)
    with pytest.raises(ClientGone):
        await storage.put("media/one", cut_off(data[: 8 * MIB], ClientGone()))
    await storage.put("media/one", chunks(data))
    assert await whole(storage, "media/one") == data


async def test_a_cut_off_upload_never_harms_what_was_there(storage: MediaStorage) -> None:
    data = content(6 * MIB)
    await storage.put("media/one", chunks(data))
    with pytest.raises(ClientGone):
        await storage.put("media/one", cut_off(content(9 * MIB)[MIB:], ClientGone()))
    assert await whole(storage, "media/one") == data


async def test_two_uploads_at_once_leave_one_of_them_whole(storage: MediaStorage) -> None:
    first, second = content(11 * MIB), content(12 * MIB)[::-1]
    await asyncio.gather(storage.put("media/one", chunks(first)), storage.put("media/one", chunks(second)))
    assert await whole(storage, "media/one") in (first, second)


async def test_a_write_that_is_cancelled_takes_back_what_it_sent(storage: MediaStorage, s3_url: str) -> None:
    data, held = content(11 * MIB), asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        async for chunk in chunks(data):
            yield chunk
        held.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(storage.put("media/one", stalling()))
    await held.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert unfinished_uploads(s3_url) == 0
    with pytest.raises(NotStored):
        await storage.size("media/one")


async def test_objects_are_listed_by_prefix_with_size_and_time_and_deleted(storage: MediaStorage) -> None:
    for number in range(5):
        await storage.put(f"incoming/{number}", chunks(bytes(number)))
    await storage.put("media/x", chunks(b"x"))
    listed = {each.path: each async for each in storage.listed("incoming")}
    assert {path: each.size for path, each in listed.items()} == {f"incoming/{number}": number for number in range(5)}
    assert all(abs(each.written_at - time.time() * 1000) < 60_000 for each in listed.values())
    await storage.delete([*listed, "incoming/none"])
    assert await paths(storage, "incoming") == []
    assert await paths(storage, "media") == ["media/x"]
    assert await paths(storage, "nothing") == []


async def test_a_large_write_keeps_little_in_memory(storage: MediaStorage) -> None:
    block = content(MIB)

    async def many() -> AsyncIterator[bytes]:
        for _ in range(150):
            yield block

    await storage.put("media/warm", chunks(content(11 * MIB)))
    before = memory_now()
    await storage.put("media/large", many())
    assert await storage.size("media/large") == 150 * MIB
    assert peak_memory() - before < 64 * MIB


async def test_the_disk_s_leftovers_of_a_crash_go_once_they_are_old(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "media")
    await storage.put("media/one", chunks(b"kept"))
    left = [tmp_path / "media" / "staged" / name for name in ("abc", "def#1")]
    for each in left:
        each.write_bytes(b"half")
    os.utime(left[0], (1, 1))
    assert await storage.forget_unfinished(int(time.time() * 1000) - 60_000) == 1
    assert [each.exists() for each in left] == [False, True]
    assert await whole(storage, "media/one") == b"kept"


def test_killed_in_the_middle_of_a_write_the_disk_has_no_object(tmp_path: Path) -> None:
    code = """
        import asyncio, os, sys
        from pathlib import Path
        from processors.media_storage import open_storage

        async def dying():
            for number in range(20):
                yield bytes(1 << 20)
                await asyncio.sleep(0.01)
            os.kill(os.getpid(), 9)

        asyncio.run(open_storage(Path(sys.argv[1])).put("media/one", dying()))
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "media")], check=False)
    assert died.returncode == -9
    storage = open_storage(tmp_path / "media")
    with pytest.raises(NotStored):
        asyncio.run(storage.size("media/one"))
    assert asyncio.run(storage.forget_unfinished(int(time.time() * 1000) + 60_000)) == 1
    assert list((tmp_path / "media" / "staged").iterdir()) == []


@pytest.mark.parametrize("size", [MIB // 2, 20 * MIB])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    code = """
        import asyncio, os, resource, sys
        from pathlib import Path
        from processors.media_storage import StorageFull, open_storage
        from tests.media.test_storage import chunks

        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        try:
            asyncio.run(open_storage(Path(sys.argv[1])).put("media/one", chunks(bytes(int(sys.argv[2])))))
        except StorageFull as error:
            print(error, flush=True)
        # An interpreter that ends within a millisecond of an answer can abort: obstore's thread is still letting go of
        # the future, and Python ends threads that ask for the interpreter by then. No process of ours ends that soon.
        os._exit(0)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "media"), str(size)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout.strip(), ended.returncode) == ("the media storage has no room", 0), ended.stderr
    assert not [each for each in (tmp_path / "media").rglob("*") if each.is_file()]


async def test_a_disk_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "media")
    (tmp_path / "media" / "staged").rmdir()
    (tmp_path / "media").rmdir()
    (tmp_path / "media").write_bytes(b"a file where the folder was")
    with pytest.raises(StorageUnavailable, match="did not do this"):
        await storage.put("media/one", chunks(b"x"))


@pytest.fixture
def behind_proxy(proxy: Proxy, credentials: None, monkeypatch: pytest.MonkeyPatch) -> MediaStorage:
    monkeypatch.setattr(media_storage, "REQUEST_TIMEOUT", timedelta(seconds=1))
    monkeypatch.setattr(media_storage, "RETRY_TIMEOUT", timedelta(seconds=2))
    return open_storage(Bucket(BUCKET, "behind", proxy.url))


async def test_an_s3_that_fails_now_and_then_is_asked_again(behind_proxy: MediaStorage, proxy: Proxy) -> None:
    data = content(11 * MIB)
    proxy.failing = 1
    await behind_proxy.put("media/again", chunks(data))
    proxy.failing = 1
    assert await whole(behind_proxy, "media/again") == data


async def test_an_s3_that_fails_for_good_is_unavailable(behind_proxy: MediaStorage, proxy: Proxy) -> None:
    await behind_proxy.put("media/one", chunks(b"there"))
    proxy.failing = 1_000
    for write in (b"small", content(11 * MIB)):
        with pytest.raises(StorageUnavailable):
            await behind_proxy.put("media/fails", chunks(write))
    for asking in (
        behind_proxy.read("media/one", 0, 3),
        behind_proxy.size("media/one"),
        behind_proxy.delete(["media/one"]),
        paths(behind_proxy, "media"),
    ):
        with pytest.raises(StorageUnavailable):
            await asking
    proxy.failing = 0
    assert await whole(behind_proxy, "media/one") == b"there"
    with pytest.raises(NotStored):
        await behind_proxy.size("media/fails")


async def test_an_s3_that_answers_slowly_is_waited_for_and_one_that_never_does_is_not(
    behind_proxy: MediaStorage, proxy: Proxy
) -> None:
    proxy.delay_s = 0.2
    await behind_proxy.put("media/slow", chunks(b"slowly"))
    assert await whole(behind_proxy, "media/slow") == b"slowly"
    proxy.delay_s = 30
    for asking in (behind_proxy.read("media/slow", 0, 3), behind_proxy.put("media/never", chunks(b"x"))):
        began = time.monotonic()
        with pytest.raises(StorageUnavailable):
            await asking
        assert time.monotonic() - began < 10


async def test_no_error_says_where_the_storage_is_or_what_opens_it(
    proxy: Proxy, behind_proxy: MediaStorage, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.failing = 1_000
    with pytest.raises(StorageUnavailable) as raised:
        await behind_proxy.put("media/one", chunks(b"x"))
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    said = str(raised.value) + caplog.text + repr([vars(record) for record in caplog.records])
    for inside in (*CREDENTIALS.values(), BUCKET, proxy.url):
        assert inside not in said


async def test_whoever_has_a_presigned_url_uploads_past_us(credentials: None, s3_url: str) -> None:
    storage = open_storage(Bucket(BUCKET, "presigned", s3_url))
    url = await storage.upload_url("incoming/one", 600)
    assert url is not None
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in url
    async with aiohttp.ClientSession() as session, session.put(url, data=b"from outside") as answer:
        assert answer.status == 200
    assert await whole(storage, "incoming/one") == b"from outside"


def test_the_local_disk_has_no_upload_url(tmp_path: Path) -> None:
    assert asyncio.run(open_storage(tmp_path / "media").upload_url("incoming/one", 600)) is None


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("file:///srv/media", Path("/srv/media")),
        ("s3://bucket", Bucket("bucket")),
        ("s3://bucket/some/where/", Bucket("bucket", "some/where")),
        ("s3://b/p?endpoint=https://minio:9000&region=eu", Bucket("b", "p", "https://minio:9000", "eu")),
    ],
)
def test_a_storage_is_named_by_its_url(url: str, place: Path | Bucket) -> None:
    assert read_place(url, {}) == place


def test_an_endpoint_may_come_from_the_environment_and_only_one_in_clear_is_asked_in_clear() -> None:
    found = read_place("s3://bucket", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"})
    assert found == Bucket("bucket", None, "http://127.0.0.1:9000")
    assert found.in_clear
    assert not Bucket("bucket").in_clear
    assert not Bucket("bucket", None, "https://minio").in_clear


@pytest.mark.parametrize(
    "url",
    [
        "http://bucket",
        "s3://",
        "s3://key:secret-words@bucket",
        "s3://secret-words@bucket",
        "s3://bucket?access_key_id=secret-words",
        "s3://bucket?endpoint=secret-words",
        "s3://bucket?region=",
        "file://host/secret-words",
        "secret-words",
        "s3://[secret-words",
    ],
)
def test_a_url_that_names_no_storage_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidStorage) as raised:
        read_place(url, {})
    assert "secret-words" not in str(raised.value)


def test_full_is_a_kind_of_unavailable() -> None:
    assert issubclass(StorageFull, StorageUnavailable)
