"""Media over HTTP: reserved, uploaded, finalized, read whole and in part, and gone once their owner is erased."""

import asyncio
import base64
import hashlib
import io
import json
import socket
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from api import media_reads, media_upload
from api.byte_ranges import Span, asked_span, matches
from api.media_tokens import Upload, read_upload, write_upload
from api.problems import ProblemError
from log.sealed_chunks import sealed_size
from processors import media_storage
from processors.media_place import Bucket
from processors.media_storage import MediaStorage, NotStored, open_storage
from projections.postgres import Postgres
from tests.api.serving import ISSUER, running
from tests.media.gallery import Gallery, opened, person
from tests.media.memory import memory_now, peak_memory
from tests.media.s3_server import BUCKET, Proxy
from tests.media.test_storage import MIB, content
from tests.projections.conftest import postgres

__all__ = ["postgres"]

pytestmark = pytest.mark.stack

PICTURE = content(300_001)
OWNER, OTHER = person(1), person(2)


@pytest.fixture
async def gallery(postgres: Postgres, storage: MediaStorage) -> AsyncIterator[Gallery]:
    """Run an api on each kind of storage."""
    async with running() as registry:
        yield opened(registry, postgres, storage)


@pytest.fixture
async def on_disk(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Gallery]:
    """Run an api on the local disk."""
    async with running() as registry:
        yield opened(registry, postgres, open_storage(tmp_path / "media"))


async def stored(gallery: Gallery) -> list[str]:
    """Name all that the storage holds."""
    return sorted([each.path for prefix in ("media", "incoming") async for each in gallery.storage.listed(prefix)])


async def test_a_finalization_has_no_body_or_an_empty_object_which_are_the_same(on_disk: Gallery) -> None:
    reserved = await on_disk.reserve(OWNER, PICTURE)
    assert (await on_disk.upload(reserved, PICTURE))[0] == 200
    path, named = f"/media/{reserved.json['id']}/finalize", {"Idempotency-Key": "once"}
    ask = on_disk.registry.ask
    member = await ask("POST", path, {"size": 1}, by=OWNER)
    assert (member.status, member.code) == (400, "invalid_request")
    text = await ask("POST", path, raw=b"{}", by=OWNER, headers={"Content-Type": "text/plain"})
    assert (text.status, text.code) == (415, "unsupported_media_type")
    empty = await ask("POST", path, {}, by=OWNER, headers=named)
    bodiless = await ask("POST", path, by=OWNER, headers=named)
    assert (empty.status, bodiless.status, bodiless.json) == (200, 200, empty.json)
    assert bodiless.headers["Idempotency-Hit"] == "true"


async def test_a_file_is_reserved_uploaded_finalized_and_read(gallery: Gallery) -> None:
    reserved = await gallery.reserve(OWNER, PICTURE)
    assert reserved.status == 201
    media_id, upload = reserved.json["id"], reserved.json["upload"]
    assert upload["method"] == "PUT"
    assert set(upload) == {"method", "url", "headers", "expires_at"}
    assert (await gallery.content(media_id))[0] == 404
    assert (await gallery.upload(reserved, PICTURE))[0] == 200
    assert (await gallery.content(media_id))[0] == 404
    finalized = await gallery.finalize(OWNER, media_id)
    assert finalized.status == 200
    assert finalized.headers["Muniment-Position"]
    digest = hashlib.sha256(PICTURE).hexdigest()
    file = {"id": media_id, "did": OWNER.did, "mime": "image/png", "size": len(PICTURE), "sha256": digest}
    assert {name: finalized.json[name] for name in file} == file
    shown = await gallery.registry.ask("GET", f"/media/{media_id}")
    assert (shown.status, shown.json) == (200, file | {"status": "finalized"})
    assert shown.headers["Muniment-As-Of"]
    status, headers, data = await gallery.content(media_id)
    assert (status, data) == (200, PICTURE)
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(len(PICTURE))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["ETag"] == f'"{digest}"'
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["X-Request-ID"]
    assert await stored(gallery) == [f"media/{media_id}"]


@pytest.mark.parametrize("size", [1, 256 * 1024, 5 * MIB + 1, 20 * MIB])
async def test_files_of_any_size_come_back_as_they_were(gallery: Gallery, size: int) -> None:
    data = content(size)
    finalized = await gallery.keep(OWNER, data)
    assert (await gallery.content(finalized.json["id"]))[2] == data


async def test_the_storage_holds_what_was_finalized_sealed(gallery: Gallery) -> None:
    data = b"what only its owner's key opens; " * 30_000
    media_id = (await gallery.keep(OWNER, data)).json["id"]
    size = await gallery.storage.size(f"media/{media_id}")
    assert size == sealed_size(len(data))
    assert b"owner's key" not in await gallery.storage.read(f"media/{media_id}", 0, size)


@pytest.mark.parametrize(
    "wrong",
    [PICTURE[:-1], PICTURE + b"x", PICTURE[:-1] + b"\0", b"", content(7 * MIB)],
    ids=["less", "more", "other", "nothing", "far more"],
)
async def test_what_is_not_what_was_reserved_is_never_finalized(gallery: Gallery, wrong: bytes) -> None:
    reserved = await gallery.reserve(OWNER, PICTURE)
    status, answer = await gallery.upload(reserved, wrong)
    assert status == 200
    assert answer is None or (answer["size"], answer["matches"]) == (len(wrong), False)
    refused = await gallery.finalize(OWNER, reserved.json["id"])
    assert (refused.status, refused.code) == (422, "media_mismatch")
    assert (await gallery.content(reserved.json["id"]))[0] == 404
    with pytest.raises(NotStored):
        await gallery.storage.size(f"media/{reserved.json['id']}")
    assert (await gallery.upload(reserved, PICTURE))[0] == 200
    assert (await gallery.finalize(OWNER, reserved.json["id"])).status == 200


async def test_what_was_not_uploaded_is_not_finalized(gallery: Gallery) -> None:
    reserved = await gallery.reserve(OWNER, PICTURE)
    refused = await gallery.finalize(OWNER, reserved.json["id"], Idempotency_Key="once")
    assert (refused.status, refused.code) == (422, "media_mismatch")
    await gallery.upload(reserved, PICTURE)
    # What was refused for what lay there is not held against what lies there later.
    assert (await gallery.finalize(OWNER, reserved.json["id"], Idempotency_Key="once")).status == 200


async def test_only_its_owner_finalizes_a_file_and_sees_it_before(gallery: Gallery) -> None:
    reserved = await gallery.reserve(OWNER, PICTURE)
    media_id = reserved.json["id"]
    await gallery.upload(reserved, PICTURE)
    refused = await gallery.finalize(OTHER, media_id)
    assert (refused.status, refused.code) == (403, "forbidden")
    for by, status in ((OTHER, 404), (None, 404), (OWNER, 200)):
        assert (await gallery.registry.ask("GET", f"/media/{media_id}", by=by)).status == status
    without = await gallery.registry.ask("POST", f"/media/{media_id}/finalize")
    assert (without.status, without.code) == (401, "unauthenticated")


async def test_finalizing_again_is_refused_and_repeating_it_is_a_hit(gallery: Gallery) -> None:
    reserved = await gallery.reserve(OWNER, PICTURE)
    media_id = reserved.json["id"]
    await gallery.upload(reserved, PICTURE)
    first = await gallery.finalize(OWNER, media_id, Idempotency_Key="f1")
    again = await gallery.finalize(OWNER, media_id, Idempotency_Key="f1")
    assert (again.status, again.json) == (200, first.json)
    assert again.headers["Idempotency-Hit"] == "true"
    refused = await gallery.finalize(OWNER, media_id)
    assert (refused.status, refused.code) == (409, "already_finalized")


async def test_two_who_finalize_at_once_finalize_once(gallery: Gallery) -> None:
    reserved = await gallery.reserve(OWNER, content(6 * MIB))
    await gallery.upload(reserved, content(6 * MIB))
    answers = await asyncio.gather(*(gallery.finalize(OWNER, reserved.json["id"]) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    assert (await gallery.content(reserved.json["id"]))[2] == content(6 * MIB)


async def test_a_reservation_repeated_with_its_key_is_the_same_one(on_disk: Gallery) -> None:
    first = await on_disk.reserve(OWNER, PICTURE, Idempotency_Key="r1")
    again = await on_disk.reserve(OWNER, PICTURE, Idempotency_Key="r1")
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["Idempotency-Hit"] == "true"
    other = await on_disk.reserve(OWNER, PICTURE + b"x", Idempotency_Key="r1")
    assert (other.status, other.code) == (409, "idempotency_conflict")
    assert (await on_disk.reserve(OWNER, PICTURE)).json["id"] != first.json["id"]


async def test_a_dry_run_says_what_would_be_and_changes_nothing(gallery: Gallery) -> None:
    dry = await gallery.reserve(OWNER, PICTURE, query="?dry_run=true")
    assert (dry.status, dry.json["status"]) == (200, "accepted")
    assert "upload" not in dry.json["result"]
    reserved = await gallery.reserve(OWNER, PICTURE)
    media_id = reserved.json["id"]
    assert (await gallery.finalize(OWNER, media_id, "?dry_run=true")).code == "media_mismatch"
    await gallery.upload(reserved, PICTURE)
    before, lying = gallery.registry.appended(), await stored(gallery)
    assert (await gallery.finalize(OWNER, media_id, "?dry_run=true")).json["result"]["status"] == "finalized"
    assert (gallery.registry.appended(), await stored(gallery)) == (before, lying)
    assert (await gallery.finalize(OWNER, media_id)).status == 200


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"mime": "application/x-msdownload"}, 415, "unsupported_media_type", "/mime"),
        ({"mime": "Image/PNG"}, 400, "invalid_request", "/mime"),
        ({"mime": "image/png; charset=x"}, 400, "invalid_request", "/mime"),
        ({"mime": "image/png\n"}, 400, "invalid_request", "/mime"),
        ({"size": (100 << 20) + 1}, 413, "payload_too_large", "/size"),
        ({"size": 0}, 400, "invalid_request", "/size"),
        ({"size": -1}, 400, "invalid_request", "/size"),
        ({"size": "1"}, 400, "invalid_request", "/size"),
        ({"size": 1.0}, 400, "invalid_request", "/size"),
        ({"sha256": "A" * 64}, 400, "invalid_request", "/sha256"),
        ({"sha256": "a" * 63}, 400, "invalid_request", "/sha256"),
        ({"name": "x.png"}, 400, "invalid_request", "/name"),
    ],
)
async def test_what_may_not_be_uploaded_is_refused_with_where(
    on_disk: Gallery, change: dict[str, object], status: int, code: str, pointer: str
) -> None:
    body = {"mime": "image/png", "size": 1, "sha256": "a" * 64} | change
    refused = await on_disk.registry.ask("POST", "/media", body, by=OWNER)
    assert (refused.status, refused.code) == (status, code)
    assert refused.json["errors"][0]["pointer"] == pointer


async def test_types_sizes_and_quotas_are_as_they_are_set(postgres: Postgres, tmp_path: Path) -> None:
    async with running() as registry:
        bounds = {"types": frozenset({"x/y"}), "max_bytes": 60, "quota_files": 2, "quota_bytes": 100}
        gallery = opened(registry, postgres, open_storage(tmp_path), **bounds)
        assert (await gallery.reserve(OWNER, b"1", "image/png")).code == "unsupported_media_type"
        assert (await gallery.reserve(OWNER, bytes(61), "x/y")).code == "payload_too_large"
        assert (await gallery.reserve(OWNER, bytes(60), "x/y")).status == 201
        too_much = await gallery.reserve(OWNER, bytes(41), "x/y")
        assert (too_much.status, too_much.code) == (409, "quota_exceeded")
        assert (await gallery.reserve(OWNER, bytes(40), "x/y")).status == 201
        assert (await gallery.reserve(OWNER, bytes(1), "x/y")).code == "quota_exceeded"
        assert (await gallery.reserve(OTHER, bytes(1), "x/y")).status == 201


async def test_an_upload_larger_than_any_may_be_is_cut(postgres: Postgres, tmp_path: Path) -> None:
    async with running() as registry:
        gallery = opened(registry, postgres, open_storage(tmp_path), max_bytes=1000)
        reserved = await gallery.reserve(OWNER, bytes(1000))
        assert (await gallery.upload(reserved, bytes(1001)))[0] == 413

        async def chunked() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield bytes(100)

        status, answer = await gallery.send("PUT", reserved.json["upload"]["url"], chunked(), {})
        assert (status, answer["code"]) == (413, "payload_too_large")
        assert await stored(gallery) == []


async def test_an_upload_needs_the_url_that_was_given_for_it(on_disk: Gallery) -> None:
    mine, its = (await on_disk.reserve(OWNER, PICTURE), await on_disk.reserve(OTHER, PICTURE))
    token = mine.json["upload"]["url"].split("token=")[1]
    path = f"{ISSUER}/media/{{}}/upload?token={{}}"
    for url, code in (
        (path.format(its.json["id"], token), "forbidden"),
        (path.format(mine.json["id"], token[:-2] + "AA"), "forbidden"),
        (path.format(mine.json["id"], "x"), "forbidden"),
        (path.format(mine.json["id"], "%C3%A9"), "forbidden"),
        (path.format("nothing", token), "not_found"),
        (f"{ISSUER}/media/{mine.json['id']}/upload", "invalid_request"),
    ):
        assert (await on_disk.send("PUT", url, io.BytesIO(PICTURE), {}))[1]["code"] == code
    assert await stored(on_disk) == []


def test_a_token_is_of_use_for_its_time() -> None:
    now = int(time.time() * 1000)
    for expires_at, holds in ((now + 10_000, True), (now - 1, False)):
        token = write_upload(b"k" * 32, Upload("med_x", "did:x", 1, "0", expires_at))
        if holds:
            assert read_upload(b"k" * 32, token, "med_x").expires_at == expires_at
        else:
            with pytest.raises(ProblemError) as refused:
                read_upload(b"k" * 32, token, "med_x")
            assert refused.value.code == "forbidden"
    changed = base64.urlsafe_b64encode(bytes(32) + json.dumps(["med_x", "did:x", 1, "0", now + 10_000]).encode())
    with pytest.raises(ProblemError):
        read_upload(b"k" * 32, changed.decode().rstrip("="), "med_x")


async def test_a_compressed_upload_is_refused(on_disk: Gallery) -> None:
    reserved = await on_disk.reserve(OWNER, PICTURE)
    status, answer = await on_disk.upload(reserved, PICTURE, **{"Content-Encoding": "gzip"})
    assert (status, answer["code"]) == (415, "unsupported_media_type")


async def test_an_upload_after_the_end_is_refused_and_harms_nothing(gallery: Gallery) -> None:
    reserved = await gallery.reserve(OWNER, PICTURE)
    await gallery.upload(reserved, PICTURE)
    await gallery.finalize(OWNER, reserved.json["id"])
    status, answer = await gallery.upload(reserved, b"something else")
    assert (status, answer and answer["code"]) in ((409, "already_finalized"), (200, None))
    assert (await gallery.content(reserved.json["id"]))[2] == PICTURE


async def test_an_upload_that_is_cut_off_leaves_nothing_and_starts_over(on_disk: Gallery) -> None:
    data = content(20 * MIB)
    reserved = await on_disk.reserve(OWNER, data)
    url = on_disk.registry.client.make_url(reserved.json["upload"]["url"].removeprefix(ISSUER))
    with socket.create_connection((str(url.host), int(url.port or 0))) as raw:
        await asyncio.to_thread(
            raw.sendall,
            f"PUT {url.raw_path_qs} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode()
            + data[: 12 * MIB],
        )
    async with asyncio.timeout(10):
        while any((Path(str(on_disk.storage._folder)) / "staged").iterdir()):  # type: ignore[attr-defined]
            await asyncio.sleep(0.05)
    assert await stored(on_disk) == []
    assert (await on_disk.finalize(OWNER, reserved.json["id"])).code == "media_mismatch"
    assert (await on_disk.upload(reserved, data))[0] == 200
    assert (await on_disk.finalize(OWNER, reserved.json["id"])).status == 200
    assert (await on_disk.content(reserved.json["id"]))[2] == data


async def test_an_upload_that_falls_silent_is_ended(on_disk: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_upload, "SILENCE_S", 0.2)
    reserved = await on_disk.reserve(OWNER, PICTURE)
    url = on_disk.registry.client.make_url(reserved.json["upload"]["url"].removeprefix(ISSUER))
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"PUT {url.raw_path_qs} HTTP/1.1\r\nHost: x\r\nContent-Length: 300001\r\n\r\n".encode() + PICTURE[:99])
    answer = await asyncio.wait_for(reader.readuntil(b"did not come whole"), 10)
    writer.close()
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert await stored(on_disk) == []


async def test_a_reader_that_takes_nothing_is_let_go(on_disk: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_reads, "STALLED_S", 0.3)
    data = content(40 * MIB)
    media_id = (await on_disk.keep(OWNER, data)).json["id"]
    url = on_disk.registry.client.make_url(f"/media/{media_id}/content")
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((str(url.host), int(url.port or 0)))
        raw.sendall(f"GET {url.raw_path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.sleep(2)

        def rest() -> int:
            raw.settimeout(10)
            length = 0
            try:
                while piece := raw.recv(1 << 20):
                    length += len(piece)
            except ConnectionError:
                pass
            return length

        assert await asyncio.to_thread(rest) < len(data)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, None),
        ("bytes=-1", -1, None),
        ("bytes=-100", -100, None),
        ("bytes=-999999999", 0, None),
        ("bytes=5-999999999", 5, None),
        ("bytes=262143-262144", 262_143, 262_145),
        ("BYTES=1-2", 1, 3),
    ],
)
async def test_a_range_is_sent_alone(gallery: Gallery, asked: str, start: int, end: int | None) -> None:
    media_id = (await gallery.keep(OWNER, PICTURE)).json["id"]
    status, headers, data = await gallery.content(media_id, Range=asked)
    first, past, _ = slice(start, end).indices(len(PICTURE))
    assert (status, data) == (206, PICTURE[first:past])
    assert headers["Content-Range"] == f"bytes {first}-{past - 1}/{len(PICTURE)}"
    assert headers["Content-Length"] == str(past - first)


async def test_a_range_that_is_not_there_is_said_with_the_size(on_disk: Gallery) -> None:
    media_id = (await on_disk.keep(OWNER, PICTURE)).json["id"]
    for asked in ("bytes=300001-", "bytes=999999999-", "bytes=-0"):
        status, headers, data = await on_disk.content(media_id, Range=asked)
        assert (status, json.loads(data)["code"]) == (416, "range_not_satisfiable")
        assert headers["Content-Range"] == "bytes */300001"
    for unknown in ("bytes=5-2", "bytes=", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b", "bytes=1"):
        assert (await on_disk.content(media_id, Range=unknown))[0] == 200


async def test_a_cache_asks_by_the_entity_tag(on_disk: Gallery) -> None:
    media_id = (await on_disk.keep(OWNER, PICTURE)).json["id"]
    etag = f'"{hashlib.sha256(PICTURE).hexdigest()}"'
    for asked in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        status, headers, data = await on_disk.content(media_id, If_None_Match=asked)
        assert (status, headers["ETag"], data) == (304, etag, b"")
    assert (await on_disk.content(media_id, If_None_Match='"x"'))[0] == 200
    assert (await on_disk.content(media_id, Range="bytes=0-1", If_Range=etag))[0] == 206
    assert (await on_disk.content(media_id, Range="bytes=0-1", If_Range='"x"'))[0] == 200


async def test_head_says_what_get_would_and_sends_nothing(on_disk: Gallery) -> None:
    media_id = (await on_disk.keep(OWNER, PICTURE)).json["id"]
    for headers in ({}, {"Range": "bytes=1-2"}):
        got_status, got, _ = await on_disk.content(media_id, **headers)
        status, said, data = await on_disk.content(media_id, "HEAD", **headers)
        assert (status, data) == (got_status, b"")
        named = ("Content-Length", "Content-Type", "ETag", "Content-Range", "Content-Disposition")
        assert {name: said.get(name) for name in named} == {name: got.get(name) for name in named}


@pytest.mark.parametrize(
    ("mime", "disposition"),
    [
        ("image/png", "inline"),
        ("video/mp4", "inline"),
        ("text/plain", "inline"),
        ("image/svg+xml", "attachment"),
        ("text/html", "attachment"),
        ("application/pdf", "attachment"),
        ("application/json", "attachment"),
    ],
)
async def test_what_could_run_script_is_an_attachment(on_disk: Gallery, mime: str, disposition: str) -> None:
    media_id = (await on_disk.keep(OWNER, b"<script>alert(1)</script>", mime)).json["id"]
    _, headers, _ = await on_disk.content(media_id)
    assert headers["Content-Type"] == mime
    assert headers["Content-Disposition"] == disposition
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]


async def test_what_is_not_there_is_not_found(on_disk: Gallery) -> None:
    for media_id in ("med_" + "a" * 26, "med_x", "..%2f..%2fetc%2fpasswd", "med_" + "A" * 26):
        for path in (f"/media/{media_id}", f"/media/{media_id}/content"):
            answer = await on_disk.registry.ask("GET", path)
            assert (answer.status, answer.code) == (404, "not_found")
        refused = await on_disk.finalize(OWNER, media_id)
        assert (refused.status, refused.code) == (404, "not_found")


async def test_an_erased_owner_s_files_are_gone(gallery: Gallery) -> None:
    kept = (await gallery.keep(OWNER, PICTURE)).json["id"]
    begun = await gallery.reserve(OWNER, PICTURE)
    others = (await gallery.keep(OTHER, PICTURE)).json["id"]
    assert (await gallery.erase(OWNER)).status == 200
    for path in (f"/media/{kept}", f"/media/{kept}/content"):
        answer = await gallery.registry.ask("GET", path)
        assert (answer.status, answer.code) == (410, "erased")
    assert await gallery.vault_keys.find([OWNER.did]) == {}
    status, answer = await gallery.upload(begun, PICTURE)
    assert (status, answer and answer["code"]) in ((410, "erased"), (200, None))
    assert (await gallery.finalize(OWNER, begun.json["id"])).code == "erased"
    assert (await gallery.reserve(OWNER, PICTURE)).code == "erased"
    assert (await gallery.content(others))[2] == PICTURE


async def test_what_became_damaged_is_not_sent(on_disk: Gallery) -> None:
    media_id = (await on_disk.keep(OWNER, PICTURE)).json["id"]
    place = Path(str(on_disk.storage._folder)) / "media" / media_id  # type: ignore[attr-defined]
    sealed = place.read_bytes()
    place.write_bytes(sealed[:1000] + bytes([sealed[1000] ^ 1]) + sealed[1001:])
    status, _, data = await on_disk.content(media_id)
    assert (status, json.loads(data)["code"]) == (503, "storage_unavailable")
    place.unlink()
    assert (await on_disk.content(media_id))[0] == 503


async def test_what_is_damaged_behind_its_beginning_is_cut_off(on_disk: Gallery) -> None:
    data = content(9 * MIB)
    media_id = (await on_disk.keep(OWNER, data)).json["id"]
    place = Path(str(on_disk.storage._folder)) / "media" / media_id  # type: ignore[attr-defined]
    place.write_bytes(place.read_bytes()[:-1])
    with pytest.raises(aiohttp.ClientError):
        await on_disk.content(media_id)


async def test_a_storage_that_is_away_is_told_and_the_rest_goes_on(
    postgres: Postgres, proxy: Proxy, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_storage, "RETRY_TIMEOUT", timedelta(seconds=1))
    async with running() as registry:
        gallery = opened(registry, postgres, open_storage(Bucket(BUCKET, "away", proxy.url)))
        kept = (await gallery.keep(OWNER, PICTURE)).json["id"]
        begun = await gallery.reserve(OWNER, PICTURE)
        await gallery.upload(begun, PICTURE)
        proxy.failing = 10_000
        for answer in (
            await gallery.finalize(OWNER, begun.json["id"]),
            await registry.ask("GET", f"/media/{kept}/content"),
        ):
            assert (answer.status, answer.code, answer.json["retryable"]) == (503, "storage_unavailable", True)
            assert answer.headers["Retry-After"] == "1"
        assert (await registry.ask("GET", f"/media/{kept}")).status == 200
        proxy.failing = 0
        assert (await gallery.finalize(OWNER, begun.json["id"])).status == 200
        assert (await gallery.content(kept))[2] == PICTURE


async def test_a_stream_takes_little_memory_either_way(on_disk: Gallery) -> None:
    data = content(64 * MIB)
    reserved = await on_disk.reserve(OWNER, data)

    async def sent() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 1 << 16):
            yield data[start : start + (1 << 16)]

    before = memory_now()
    assert (await on_disk.send("PUT", reserved.json["upload"]["url"], sent(), {}))[1]["matches"]
    assert peak_memory() - before < 64 * MIB
    await on_disk.finalize(OWNER, reserved.json["id"])
    before, length = memory_now(), 0
    async with on_disk.registry.client.get(f"/media/{reserved.json['id']}/content") as answer:
        async for piece in answer.content.iter_any():
            length += len(piece)
    assert length == len(data)
    assert peak_memory() - before < 64 * MIB


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=9-", Span(9, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=5-4", None),
    ],
)
def test_a_range_header_is_read(header: str | None, span: Span | None) -> None:
    assert asked_span(header, 10) == span


def test_entity_tags_are_compared_weakly() -> None:
    assert matches('"a", W/"b"', '"b"')
    assert not matches('"ab"', '"b"')
    assert not matches(None, '"b"')
