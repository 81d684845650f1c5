"""A small receiver of webhooks, to see deliveries come in: it verifies each one and tells when one is missing."""

import hmac
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from processors.webhook_signing import signed_headers

MAX_BODY_BYTES: Final = 1 << 20
READ_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One delivery as it came in; ``verified`` by both schemes, ``missing`` counts sequence numbers passed over."""

    verified: bool
    repeated: bool
    missing: int
    headers: Mapping[str, str]
    body: Any


def is_verified(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Check ``X-Signature`` and the Standard Webhooks signature of a delivery with one secret."""
    name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdecimal() or headers.get("x-idempotency-key") != name:
        return False
    ours = signed_headers(name, body, [secret], int(at))
    schemes = (("X-Signature", ","), ("webhook-signature", " "))
    return all(_holds(ours[each], headers.get(each.lower(), "").split(between)) for each, between in schemes)


def _holds(ours: str, given: list[str]) -> bool:
    return any(hmac.compare_digest(ours.encode(), each.encode()) for each in given)


class Listener:
    """Answers 204 to what verifies, 401 to what doesn't; without a secret everything is taken unverified."""

    def __init__(self, secret: str | None, on_heard: Callable[[Heard], None]) -> None:
        self._secret, self._on_heard = secret, on_heard
        self._seen: set[str] = set()
        self._last: int | None = None
        self._hearing = threading.Lock()

    def hear(self, headers: Mapping[str, str], body: bytes) -> int:
        """Take one delivery and give the status to answer."""
        verified = self._secret is not None and is_verified(headers, body, self._secret)
        if self._secret is not None and not verified:
            self._on_heard(Heard(verified=False, repeated=False, missing=0, headers=headers, body=None))
            return 401
        try:
            found = json.loads(body)
            sequence = int(found["sequence"])
        except (ValueError, KeyError, TypeError):
            return 400
        with self._hearing:
            name = headers.get("x-idempotency-key", "")
            repeated = name in self._seen
            self._seen.add(name)
            missing = 0 if self._last is None or repeated else max(0, sequence - self._last - 1)
            self._last = sequence if self._last is None else max(self._last, sequence)
        self._on_heard(Heard(verified, repeated, missing, headers, found))
        return 204


def server(host: str, port: int, listener: Listener) -> ThreadingHTTPServer:
    """Open the port and give the server that hands every POST to the listener; raises OSError."""

    class Handler(BaseHTTPRequestHandler):
        timeout = READ_TIMEOUT_S

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
                self.send_error(413)
                return
            body = self.rfile.read(int(length))
            self.send_response(listener.hear({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
            """Say nothing: each delivery is told once, by the listener."""

    return ThreadingHTTPServer((host, port), Handler)
