"""Asks a chain over HTTP: one request to one place, and its answer read to the end within bounds, or none.

A place is reached by https, or by http on this very machine. Nothing follows a redirect, and no error repeats a URL,
a credential or what was answered.
"""

import itertools
import socket
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

import aiohttp

from domain.json_value import JsonValue
from log import strict_json
from processors.chain import ChainUnavailable
from processors.chain_place import is_loopback, read_chain_url
from processors.webhook_retrying import asked_wait_ms

CHAIN_TIMEOUT_S: Final = 20.0
"""How long one request may take, from connecting to the last byte of its answer."""
CHAIN_CONNECT_TIMEOUT_S: Final = 5.0
CHAIN_ANSWER_BYTES: Final = 16 << 20
LONGEST_REST_MS: Final = 600_000
SHORTEST_REST_MS: Final = 1_000
"""How long a place that asks for a rest is left alone, at the most and at the least."""
_asks_for_rest: Final = frozenset({429, 503})


class Answer(NamedTuple):
    """What a chain answered: the status, and the whole body."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """Give the body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def value(self) -> JsonValue:
        """Read the body as JSON. Raises ChainUnavailable."""
        try:
            return strict_json.parse(self.body)
        except strict_json.MalformedJson:
            raise ChainUnavailable(f"the chain's answer (status {self.status}) can't be read") from None


def _loopback_socket(info: tuple[Any, ...]) -> socket.socket:
    """Make the socket of a connection to this machine, whatever ``localhost`` resolves to."""
    family, kind, protocol, _, address = info
    if not is_loopback(str(address[0])):
        raise OSError("not this machine")
    return socket.socket(family, kind, protocol)


class ChainHttp:
    """Asks one place through one pool of connections; used as an async context manager."""

    def __init__(
        self, url: str, headers: Mapping[str, str] | None = None, *, timeout_s: float = CHAIN_TIMEOUT_S
    ) -> None:
        self._url, self._headers, self._timeout_s = read_chain_url(url).url, dict(headers or {}), timeout_s
        self._client: aiohttp.ClientSession | None = None
        self._rests_until_ms = 0
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Self:
        in_clear = self._url.startswith("http:")
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=aiohttp.ThreadedResolver(),
                socket_factory=_loopback_socket if in_clear else None,
            ),
            headers={**self._headers, "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=CHAIN_CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_failure: object) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def number(self) -> int:
        """Give a number that no other request of this process to this place has."""
        return next(self._numbers)

    async def get(self, path: str) -> Answer:
        """Ask for a path below the place. Raises ChainUnavailable."""
        return await self._ask("GET", path, None, {}, CHAIN_ANSWER_BYTES)

    async def post(
        self,
        path: str,
        content: object,
        headers: Mapping[str, str] | None = None,
        *,
        answer_bytes: int = CHAIN_ANSWER_BYTES,
    ) -> Answer:
        """Give JSON to a path below the place, once. Raises ChainUnavailable."""
        said = {"Content-Type": "application/json", **(headers or {})}
        return await self._ask("POST", path, strict_json.dump(content), said, answer_bytes)

    async def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], answer_bytes: int
    ) -> Answer:
        if self._client is None:
            raise RuntimeError("the chain's connections are not open")
        if _now_ms() < self._rests_until_ms:
            raise ChainUnavailable("the chain asked for a rest")
        url = f"{self._url}/{path}" if path else f"{self._url}/"
        try:
            # A reused connection that the place closes meanwhile fails here too: to send again is the caller's choice.
            async with self._client.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
                return await self._read(response, answer_bytes)
        except ChainUnavailable:
            raise  # which is an OSError too
        except TimeoutError:
            raise ChainUnavailable("the chain did not answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ChainUnavailable(f"the chain can't be asked ({type(error).__name__})") from None
        except ValueError:
            raise ChainUnavailable("the chain's URL can't be used") from None

    async def _read(self, response: aiohttp.ClientResponse, answer_bytes: int) -> Answer:
        status = response.status
        if status in _asks_for_rest:
            asked = asked_wait_ms(response.headers.get("Retry-After"), int(time.time() * 1000))
            if asked is not None or status == 429:
                self._rests_until_ms = _now_ms() + min(max(asked or 0, SHORTEST_REST_MS), LONGEST_REST_MS)
                raise ChainUnavailable("the chain asked for a rest")
        if 300 <= status < 400:
            raise ChainUnavailable("the chain answers at another place than this")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ChainUnavailable("the chain's answer is in an encoding that was not asked for")
        body = bytearray()
        async for piece in response.content.iter_chunked(1 << 16):
            body += piece
            if len(body) > answer_bytes:
                raise ChainUnavailable("the chain's answer is too long")
        return Answer(status, bytes(body))


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
