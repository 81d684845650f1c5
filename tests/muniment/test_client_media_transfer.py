"""What our client does with a registry that lies about files, sends them elsewhere, or breaks off."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from muniment.client import Client, FileChanged, UnexpectedAnswer, Unreachable, Upload, file_transfer
from muniment.client.local_files import Source
from muniment.client.upload_target import headers_of, target_of
from tests.muniment.scripted import Scripted

NOT_ITS_OWN = [{"Host": "a"}, {"content-length": "1"}, {"X": "a\r\nY: b"}]
DATA = bytes(range(256)) * 40
SHA256 = hashlib.sha256(DATA).hexdigest()
FILE = {"id": "med_a", "did": "did:key:z", "mime": "image/png", "size": len(DATA), "sha256": SHA256}
SIZE = len(DATA)
REGISTRY = "http://registry.example:8080"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_transfer, "pause_s", lambda error, _: 0.0 if isinstance(error, Unreachable) else None)


def about(**other: Any) -> Callable[[web.Request], web.Response]:
    return lambda _: web.json_response({**FILE, "status": "finalized", **other})


def span(data: bytes, at: int = 0, end: int = SIZE, **headers: str) -> Callable[[web.Request], web.Response]:
    said = {"Content-Range": f"bytes {at}-{end - 1}/{SIZE}", "ETag": f'"{SHA256}"'}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(status=206, body=data, headers=said | named)


def cut(data: bytes, at: int = 0) -> Callable[[web.Request], Any]:
    """Promise all that was asked for, and break off behind these bytes."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=206, headers={"Content-Range": f"bytes {at}-{SIZE - 1}/{SIZE}"})
        response.content_length = SIZE - at
        await response.prepare(request)
        await response.write(data)
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def test_a_download_goes_on_where_it_broke_and_asks_for_the_same_file(tmp_path: Path) -> None:
    scripted = Scripted(about(), cut(DATA[:4000]), cut(DATA[4000:7000], 4000), span(DATA[7000:], 7000))
    async with scripted.served() as client:
        await client.media.download("med_a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == DATA
    assert [each.headers["Range"] for each in scripted.asked[1:]] == [
        f"bytes={at}-{SIZE - 1}" for at in (0, 4000, 7000)
    ]
    assert {each.headers["If-Range"] for each in scripted.asked[1:]} == {f'"{SHA256}"'}


@pytest.mark.parametrize(
    "answers",
    [
        (about(), span(DATA[:-1] + b"!")),
        (about(), span(DATA, ETag='"another"')),
        (about(), span(DATA, Content_Encoding="gzip")),
        (about(), span(DATA, 0, SIZE - 1)),
        (about(), span(DATA + b"more")),
        (about(), lambda _: web.Response(body=DATA)),
        (about(), lambda _: web.Response(status=302, headers={"Location": "/elsewhere"})),
        (about(), lambda _: web.Response(status=200, body=b"x" * 300_000)),
        (about(id="med_b"),),
        (about(size="10240"),),
        (about(size=True),),
        (about(sha256="../../etc"),),
    ],
    ids=("hash", "tag", "encoded", "span", "more", "whole", "redirect", "long", "id", "size", "bool", "sha"),
)
async def test_what_is_not_the_file_gets_no_name(tmp_path: Path, answers: Any) -> None:
    scripted = Scripted(*answers)
    async with scripted.served() as client:
        with pytest.raises(UnexpectedAnswer):
            await client.media.download("med_a", tmp_path / "out")
    assert names(tmp_path) == []
    assert all(each.path in {"/media/med_a", "/media/med_a/content"} for each in scripted.asked)


async def test_a_file_that_always_stops_short_is_given_up(tmp_path: Path) -> None:
    scripted = Scripted(about(), cut(b""))
    async with scripted.served() as client:
        with pytest.raises(Unreachable):
            await client.media.download("med_a", tmp_path / "out")
    assert names(tmp_path) == []
    assert len(scripted.asked) == 1 + file_transfer.ATTEMPTS


class Taking:
    """An upload's answers, one after the other; keeps what came."""

    def __init__(self, *statuses: int, **headers: str) -> None:
        self.statuses, self.headers, self.came = list(statuses), headers, list[tuple[bytes, Any]]()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.came.append((await request.read(), request.headers.copy()))
        return web.Response(status=self.statuses.pop(0), headers=self.headers)


async def uploaded(taking: Taking, path: Path, size: int = SIZE) -> None:
    scripted = Scripted(taking.answer)
    async with scripted.served() as client:
        upload = Upload("PUT", f"{client.url}/there?sig=a%2Fb", {"Content-Type": "image/png"}, "")
        target = target_of(upload, client.url)
        await file_transfer.sent(client._transport, upload, target, Source(path), size)
    assert {each.path_qs for each in scripted.asked} == {"/there?sig=a%2Fb"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    path.write_bytes(DATA)
    return path


async def test_an_upload_is_sent_again_whole_and_without_a_session(path: Path) -> None:
    taking = Taking(503, 502, 200)
    await uploaded(taking, path)
    assert [data for data, _ in taking.came] == [DATA] * 3
    for _, headers in taking.came:
        assert (headers["Content-Length"], headers["Content-Type"]) == (str(SIZE), "image/png")
        assert not {"Authorization", "Transfer-Encoding", "Cookie"} & set(headers)


@pytest.mark.parametrize("status", [301, 307, 308, 403])
async def test_an_upload_follows_no_redirect_and_no_refusal(path: Path, status: int) -> None:
    taking = Taking(status, Location="/elsewhere")
    with pytest.raises(UnexpectedAnswer):
        await uploaded(taking, path)
    assert len(taking.came) == 1


async def test_a_file_that_became_shorter_is_no_upload(path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response()

    async with Scripted(answer).served() as client:
        upload = Upload("PUT", f"{client.url}/there", {}, "")
        with pytest.raises(FileChanged):
            await file_transfer.sent(client._transport, upload, target_of(upload, client.url), Source(path), SIZE + 1)


async def test_an_upload_that_moves_no_more_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_transfer, "SILENCE_S", 0.05)
    monkeypatch.setattr(file_transfer, "ATTEMPTS", 2)
    asked, over = list[bytes](), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(await request.read())
        await over.wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server, Client(str(server.make_url("/"))) as client:
        upload = Upload("PUT", f"{client.url}/there", {}, "")
        with pytest.raises(Unreachable, match="took nothing more"):
            await file_transfer.sent(client._transport, upload, target_of(upload, client.url), Source(path), SIZE)
        over.set()
    assert len(asked) == 2


@pytest.mark.parametrize(
    "url",
    [
        f"{REGISTRY}/media/med_a/upload?token=a",
        "https://bucket.example/key?X-Amz-Signature=a%2Fb",
        "http://minio.internal:9000/bucket/key",
    ],
)
def test_files_go_to_the_registry_to_https_and_to_what_was_named(url: str) -> None:
    target = target_of(Upload("PUT", url, {}, ""), REGISTRY, ["http://minio.internal:9000"])
    assert str(target) == url


def test_a_machine_is_one_by_each_of_its_own_names() -> None:
    for one, other in (("127.0.0.1", "localhost"), ("localhost", "[::1]")):
        assert target_of(Upload("PUT", f"http://{one}:8080/x", {}, ""), f"http://{other}:8080")
        with pytest.raises(UnexpectedAnswer):
            target_of(Upload("PUT", f"http://{one}:8081/x", {}, ""), f"http://{other}:8080")


@pytest.mark.parametrize(
    "url",
    [
        "http://registry.example/x",
        "http://registry.example:8081/x",
        "http://169.254.169.254/latest",
        "http://127.0.0.1:8080/x",
        "http://registry.example:8080@elsewhere.example/x",
        "https://me:secret@bucket.example/x",
        "//registry.example:8080/x",
        "/media/x",
        "",
        "file:///etc/passwd",
        "https:///x",
        "https://bucket.example/x y",
        "https://bucket.example/x\r\nHost: elsewhere",
        "https://bucket.example:port/x",
    ],
)
def test_files_go_nowhere_else(url: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        target_of(Upload("PUT", url, {}, ""), REGISTRY)


@pytest.mark.parametrize("headers", NOT_ITS_OWN)
def test_an_answer_does_not_say_how_a_request_is_cut(headers: dict[str, str]) -> None:
    with pytest.raises(UnexpectedAnswer):
        headers_of(Upload("PUT", f"{REGISTRY}/x", headers, ""), 1)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT\r\n", "put"])
def test_an_upload_is_put_or_posted(method: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        target_of(Upload(method, f"{REGISTRY}/x", {}, ""), REGISTRY)
