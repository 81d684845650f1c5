"""A webhook receiver in threads of its own: it keeps what it hears, and answers as it is told to."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

Answer = Callable[[BaseHTTPRequestHandler, int], None]
"""Answers one request; the number says which of its path it is, from 1."""


@dataclass(frozen=True)
class Heard:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.body)
        return said


@dataclass
class Receiver:
    """What was heard so far; ``answers`` says by path how it answers, 204 by default."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    def of(self, path: str) -> list[Heard]:
        return [each for each in self.heard if each.path == path]


def status(*statuses: int, **headers: str) -> Answer:
    """Answer with each of these in turn, the last one for ever."""

    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_response(statuses[min(number, len(statuses)) - 1])
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def verify(heard: Heard, *secrets: str) -> None:
    """See that both signature schemes hold under each of these secrets."""
    for secret in secrets:
        Webhook(secret).verify(heard.body, heard.headers)
        signed = base64.b64encode(hmac.digest(secret.encode(), heard.body, hashlib.sha256)).decode()
        assert f"sha256={signed}" in heard.headers["x-signature"].split(",")
    assert heard.headers["x-idempotency-key"] == heard.headers["webhook-id"]
    assert heard.headers["date"].endswith(" GMT")


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on a free port of this host until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            names = {name.lower(): value for name, value in self.headers.items()}
            receiver.heard.append(Heard(self.path, names, body, time.monotonic()))
            receiver.answers.get(self.path, status(204))(self, len(receiver.of(self.path)))

        do_GET = do_POST  # noqa: N815  # the name that the server asks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """Whoever called may have gone meanwhile."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def until(condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Wait until a condition gives something."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it did not happen within {timeout_s} s"
        time.sleep(0.02)
    return found
