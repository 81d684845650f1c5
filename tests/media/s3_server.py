"""A server that speaks the S3 API, in a process of its own, and a proxy that lets it be slow or fail."""

import asyncio
import contextlib
import io
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

READY_S = 60.0
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "an-access-key", "AWS_SECRET_ACCESS_KEY": "a-secret-that-no-error-says"}
BUCKET = "media-bucket"


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Run the server with one bucket, and give its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, **CREDENTIALS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                asked = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")  # noqa: S310  # http, to ourselves
                urllib.request.urlopen(asked, timeout=READY_S).close()  # noqa: S310
                break
            except urllib.error.URLError:
                assert server.poll() is None, "the S3 server ended"
                assert time.monotonic() < deadline, "the S3 server did not start"
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


def unfinished_uploads(url: str) -> int:
    """Count the uploads in parts that neither ended nor were taken back."""
    with urllib.request.urlopen(f"{url}/{BUCKET}?uploads", timeout=30) as answer:  # noqa: S310  # http, to ourselves
        return int(answer.read().count(b"<UploadId>"))


@dataclass
class Proxy:
    """Passes requests on; ``failing`` of the next ones are answered 500, all wait ``delay_s`` first."""

    target: str
    url: str = ""
    failing: int = 0
    delay_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append(request.method)
        await asyncio.sleep(self.delay_s)
        if self.failing > 0:
            self.failing -= 1
            return web.Response(status=500, text="<Error><Code>InternalError</Code></Error>")
        kept = {
            name: value for name, value in request.headers.items() if name.lower() not in ("host", "content-length")
        }
        kept["Content-Length"] = str(len(body))
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, self.target + request.raw_path, data=io.BytesIO(body), headers=kept
            ) as answer,
        ):
            content = await answer.read()
            dropped = {"transfer-encoding", "connection", "content-length"}
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
            if request.method == "HEAD":
                headers["Content-Length"] = answer.headers.get("Content-Length", "0")
            return web.Response(status=answer.status, body=content, headers=headers)


@contextlib.asynccontextmanager
async def proxied(target: str) -> AsyncIterator[Proxy]:
    """Run a proxy before a server."""
    proxy = Proxy(target)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", proxy.pass_on)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield proxy
    finally:
        await runner.cleanup()
