"""A sealed file opens in any range, with its key alone, and never as another file or in another order."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as opened_by_libsodium

from api.media_streams import Damaged, Mismatch, Opening, Sealing, clear_object
from log.sealed_chunks import (
    CHUNK_BYTES,
    HEADER_BYTES,
    SEALED_CHUNK_BYTES,
    TAG_BYTES,
    ChunkKey,
    chunks_of,
    hchacha20,
    new_header,
    sealed_place,
    sealed_size,
)
from log.sealing import CannotUnseal
from processors.media_storage import MediaStorage, NotStored, open_storage
from tests.media.memory import memory_now, peak_memory
from tests.media.test_storage import MIB, chunks, content

KEY = bytes(range(32))
FILE = "med_one"
SIZES = (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 4 * CHUNK_BYTES, 4 * CHUNK_BYTES + 1, 11 * MIB + 5)


async def put(storage: MediaStorage, data: bytes, *, key: bytes = KEY, name: str = FILE) -> None:
    """Seal a file into the storage, under a name that it is sealed for."""
    sealing = Sealing(key, name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    await storage.put(f"media/{FILE}", sealing.sealed(chunks(data)))


async def got(storage: MediaStorage, size: int, start: int, end: int, *, key: bytes = KEY) -> bytes:
    opening = Opening(storage, f"media/{FILE}", key, FILE, size)
    return b"".join([piece async for piece in opening.opened(start, end)])


def test_the_derivation_is_that_of_the_draft() -> None:
    key = bytes.fromhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    assert hchacha20(key, nonce).hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"


@pytest.mark.parametrize("size", SIZES)
async def test_a_sealed_file_is_as_it_is_documented(tmp_path: Path, size: int) -> None:
    data = content(size)
    await put(open_storage(tmp_path), data)
    sealed = (tmp_path / "media" / FILE).read_bytes()
    assert len(sealed) == sealed_size(size) == HEADER_BYTES + size + chunks_of(size) * TAG_BYTES
    assert sealed[:4] == b"MUN1"
    clear = b""
    for number in range(chunks_of(size)):
        chunk = sealed[HEADER_BYTES + number * SEALED_CHUNK_BYTES :][:SEALED_CHUNK_BYTES]
        ends = bytes([number == chunks_of(size) - 1])
        nonce, bound = sealed[4:HEADER_BYTES] + number.to_bytes(8, "big"), number.to_bytes(8, "big") + ends + b"med_one"
        clear += opened_by_libsodium(chunk, bound, nonce, KEY)
    assert clear == data


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_sealed_opens_whole_and_in_ranges(storage: MediaStorage, size: int) -> None:
    data = content(size)
    await put(storage, data)
    ranges = {(0, size), (0, min(1, size)), (size // 2, size), (max(size - 1, 0), size), (size // 3, size // 2)}
    for start, end in sorted(ranges):
        assert await got(storage, size, start, end) == data[start:end]


@given(st.data())
@settings(max_examples=60, deadline=None)
async def test_any_range_is_that_slice(tmp_path_factory: pytest.TempPathFactory, drawn: st.DataObject) -> None:
    size = drawn.draw(st.integers(1, 6 * MIB))
    start = drawn.draw(st.integers(0, size - 1))
    end = drawn.draw(st.integers(start + 1, size))
    storage, data = open_storage(tmp_path_factory.mktemp("media")), content(size)
    await put(storage, data)
    assert await got(storage, size, start, end) == data[start:end]


@pytest.mark.parametrize(
    "sent",
    [b"", b"x" * 99, b"x" * 101, b"y" * 100, b"x" * 6 * MIB],
    ids=["nothing", "less", "more", "other", "far more"],
)
async def test_what_was_not_reserved_is_never_stored(storage: MediaStorage, sent: bytes) -> None:
    sealing = Sealing(KEY, FILE, size=100, sha256=hashlib.sha256(b"x" * 100).hexdigest())
    with pytest.raises(Mismatch):
        await storage.put("media/one", sealing.sealed(chunks(sent)))
    with pytest.raises(NotStored):
        await storage.size("media/one")


async def test_a_large_file_whose_last_byte_differs_is_never_stored(storage: MediaStorage) -> None:
    data = content(12 * MIB)
    sealing = Sealing(KEY, FILE, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(Mismatch):
        await storage.put("media/one", sealing.sealed(chunks(data[:-1] + bytes([data[-1] ^ 1]))))
    with pytest.raises(NotStored):
        await storage.size("media/one")


async def test_the_storage_holds_nothing_in_clear_and_never_the_same_twice(tmp_path: Path) -> None:
    data = b"what nobody else may read " * 40_000
    await put(open_storage(tmp_path), data)
    first = (tmp_path / "media" / FILE).read_bytes()
    await put(open_storage(tmp_path), data)
    assert b"nobody" not in first
    assert (tmp_path / "media" / FILE).read_bytes()[HEADER_BYTES:] != first[HEADER_BYTES:]


SIZE = 5 * CHUNK_BYTES


def flipped(sealed: bytes, at: int) -> bytes:
    return sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]


def swapped(sealed: bytes) -> bytes:
    first, second, third = sealed_place(0), sealed_place(1), sealed_place(2)
    return sealed[:first] + sealed[second:third] + sealed[first:second] + sealed[third:]


@pytest.mark.parametrize(
    "harm",
    [
        lambda sealed: flipped(sealed, 0),
        lambda sealed: flipped(sealed, 5),
        lambda sealed: flipped(sealed, HEADER_BYTES + 1000),
        lambda sealed: flipped(sealed, len(sealed) - 1),
        lambda sealed: sealed[:-1],
        lambda sealed: sealed[: sealed_place(4)],
        lambda sealed: sealed[:10],
        swapped,
    ],
    ids=["magic", "random", "a byte", "a tag", "a byte less", "a chunk less", "no header", "chunks swapped"],
)
async def test_a_changed_file_is_damaged_and_gives_no_byte_of_it(tmp_path: Path, harm: object) -> None:
    storage, place = open_storage(tmp_path), tmp_path / "media" / FILE
    await put(storage, content(SIZE))
    place.write_bytes(harm(place.read_bytes()))  # type: ignore[operator]
    with pytest.raises(Damaged):
        await got(storage, SIZE, 0, SIZE)


async def test_another_owner_s_key_and_another_file_s_name_open_nothing(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    await put(storage, content(1000))
    with pytest.raises(Damaged):
        await got(storage, 1000, 0, 1000, key=bytes(32))
    await put(storage, content(1000), name="med_two")
    with pytest.raises(Damaged):
        await got(storage, 1000, 0, 1000)


def test_a_shorter_file_is_not_opened_as_whole() -> None:
    header = new_header()
    sealed = ChunkKey(KEY, header, FILE).seal(content(2 * CHUNK_BYTES), 0, ends=True)
    with pytest.raises(CannotUnseal):
        ChunkKey(KEY, header, FILE).open(sealed[:SEALED_CHUNK_BYTES], 0, ends=True)


async def test_a_file_that_is_sealed_again_while_it_is_read_is_read_on(tmp_path: Path) -> None:
    storage, data = open_storage(tmp_path), content(13 * MIB)
    await put(storage, data)
    pieces = []
    async for piece in Opening(storage, f"media/{FILE}", KEY, FILE, len(data)).opened(0, len(data)):
        pieces.append(piece)
        await put(storage, data)
    assert b"".join(pieces) == data


async def test_a_reader_that_goes_leaves_no_read_behind(tmp_path: Path) -> None:
    storage, data = open_storage(tmp_path), content(13 * MIB)
    await put(storage, data)
    reading = Opening(storage, f"media/{FILE}", KEY, FILE, len(data)).opened(0, len(data))
    assert len(await anext(reading)) == 4 * MIB
    await reading.aclose()


@pytest.mark.parametrize("size", [0, 3, 9 * MIB + 1])
async def test_an_object_in_clear_is_given_as_it_is(storage: MediaStorage, size: int) -> None:
    data = content(size)
    await storage.put("incoming/one", chunks(data))
    assert b"".join([piece async for piece in clear_object(storage, "incoming/one", size)]) == data


async def test_sealing_and_opening_keep_little_in_memory(tmp_path: Path) -> None:
    storage, data = open_storage(tmp_path), content(64 * MIB)
    sealing = Sealing(KEY, FILE, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    before = memory_now()
    await storage.put(f"media/{FILE}", sealing.sealed(chunks(data, 100_000)))
    assert peak_memory() - before < 48 * MIB
    before, length = memory_now(), 0
    async for piece in Opening(storage, f"media/{FILE}", KEY, FILE, len(data)).opened(0, len(data)):
        length += len(piece)
    assert length == len(data)
    assert peak_memory() - before < 48 * MIB
