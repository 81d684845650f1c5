"""One call to a registry: signed in, repeated under one idempotency key where that helps, answered or refused."""

import asyncio
import contextlib
import json
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from log.token import InvalidToken, later, read_token, write_token
from muniment.client.problems import refusal
from muniment.client.refusals import RateLimited, Refused, Unauthenticated, UnexpectedAnswer, Unreachable
from muniment.client.sign_in import SignIn
from muniment.signing_key import SigningKey

DEFAULT_TIMEOUT_S: Final = 30.0
SILENCE_S: Final = 45.0
"""A stream that says nothing for so long, three of a registry's heartbeats, is broken."""
CONNECT_TIMEOUT_S: Final = 5.0
ATTEMPTS: Final = 8
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
REPEATED_STATUSES: Final = frozenset({429, 502, 503, 504})
PROBLEM: Final = "application/problem+json"
JSON: Final = frozenset({"application/json", "application/did+json", "application/did+ld+json", PROBLEM})
STREAM: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry answered: ``json`` where it was JSON, ``text`` in any case.

    ``position`` is where a write lies, ``as_of`` how far a read saw, both tokens; ``repeated`` says that the outcome is
    that of an earlier request with the same idempotency key or content.
    """

    status: int
    text: str
    json: Any
    position: str | None
    as_of: str | None
    repeated: bool
    location: str | None = None


class Transport:
    """Sends requests to one registry as one key, or as nobody."""

    def __init__(self, url: str, key: SigningKey | None, *, timeout_s: float, issuer: str | None) -> None:
        self.url, self.key, self.timeout_s = url.rstrip("/"), key, timeout_s
        self._http: aiohttp.ClientSession | None = None
        self._sign_in = None if key is None else SignIn(key, self._once, issuer)
        self._written: dict[tuple[str, int], int] = {}

    async def open(self) -> None:
        """Take connections from now on."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
        # Responses are small JSON; cookies would make two clients of one process one.
        self._http = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Let go of the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    @property
    def http(self) -> aiohttp.ClientSession:
        """Give the connections; raises RuntimeError outside of ``async with``."""
        if self._http is None:
            raise RuntimeError("a client is used within `async with`")
        return self._http

    @property
    def written(self) -> str | None:
        """Give the token of everything that this client wrote, for its reads to see."""
        return write_token(self._written) if self._written else None

    async def read(self, path: str, query: Mapping[str, Any] | None = None, *, fresh: bool = True) -> Answer:
        """Read; with ``fresh`` what this client wrote is waited for unless the query names a position."""
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        if fresh and "min_position" not in asked and self.written is not None:
            asked["min_position"] = self.written
        return await self.call("GET", path, query=asked)

    async def write(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        idempotency_key: str | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        own_key: bool = False,
        renewed: bool = False,
        timeout_s: float | None = None,
    ) -> Answer:
        """Write once: every attempt carries the same idempotency key, or with ``own_key`` is one by its content.

        With ``renewed`` what was refused as too fast is asked under another key: of one the decision is final.
        """
        sent = dict(headers or {})
        if idempotency_key is not None or not own_key:
            sent["Idempotency-Key"] = idempotency_key or secrets.token_hex(16)
        answer = await self.call(
            method, path, query=query, body=body, headers=sent, renewed=renewed, timeout_s=timeout_s
        )
        self._remember(answer.position)
        return answer

    def _remember(self, position: str | None) -> None:
        if position is not None:
            try:
                self._written = later([self._written, read_token(position)])
            except InvalidToken as error:
                raise UnexpectedAnswer(str(error)) from None

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
        renewed: bool = False,
        timeout_s: float | None = None,
    ) -> Answer:
        """Send a request until it is answered, refused for good, or out of time.

        Raises Refused, Unreachable and UnexpectedAnswer.
        """
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)

        async def once() -> Answer:
            signed_in = await self.signed_in(deadline)
            sent = {**(headers or {}), **signed_in}
            try:
                return await self._once(method, path, deadline, query=query, body=body, headers=sent)
            except RateLimited:
                if renewed and headers is not None:
                    headers["Idempotency-Key"] = secrets.token_hex(16)
                raise
            except Unauthenticated:
                if self._sign_in is None:
                    raise
                # The registry may have new keys, or have ended the session: one new one is tried.
                self._sign_in.forget(signed_in)
                sent |= await self.signed_in(deadline)
                return await self._once(method, path, deadline, query=query, body=body, headers=sent)

        return await self._repeated(once, deadline)

    async def signed_in(self, deadline: float) -> Mapping[str, str]:
        """Give the headers that sign a request in, none for nobody; raises Refused and Unreachable."""
        return {} if self._sign_in is None else await self._sign_in.headers(deadline)

    def forget(self, signed_in: Mapping[str, str]) -> None:
        """Drop the session of these headers: it was refused, and the next request opens another."""
        if self._sign_in is not None:
            self._sign_in.forget(signed_in)

    async def _repeated(self, once: Callable[[], Awaitable[Answer]], deadline: float) -> Answer:
        for attempt in range(1, ATTEMPTS):
            try:
                return await once()
            except (Refused, Unreachable) as error:
                waits_s = pause_s(error, attempt)
                if waits_s is None or time.monotonic() + waits_s >= deadline:
                    raise
                await asyncio.sleep(waits_s)
        return await once()

    async def sign_out(self) -> None:
        """End the session that this client has, if it has one. Raises Refused and Unreachable."""
        if self._sign_in is None or (held := self._sign_in.held) is None:
            return
        deadline = time.monotonic() + self.timeout_s
        headers = {**held, "Idempotency-Key": secrets.token_hex(16)}
        # Refused as nobody's where it is over already, by an attempt whose answer was lost for one.
        with contextlib.suppress(Unauthenticated):
            await self._repeated(lambda: self._once("POST", "/auth/logout", deadline, headers=headers), deadline)
        self._sign_in.forget(held)

    async def _once(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        data = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        sent = {**(headers or {}), **({} if data is None else {"Content-Type": "application/json"})}
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            raise Unreachable(f"{self.url} did not answer within {self.timeout_s:g} s")
        try:
            async with (
                asyncio.timeout(remaining_s),
                self.http.request(
                    method,
                    self.url + path,
                    params={name: _written_out(value) for name, value in (query or {}).items()},
                    data=data,
                    headers=sent,
                    # A redirect would carry the session to wherever it points.
                    allow_redirects=False,
                ) as response,
            ):
                return read_answer(response, await response.text("utf-8"))
        except TimeoutError:
            raise Unreachable(f"{self.url} did not answer within {self.timeout_s:g} s") from None
        except aiohttp.ClientError as error:
            raise Unreachable(f"{self.url} can't be reached: {type(error).__name__}") from error
        except UnicodeDecodeError:
            raise UnexpectedAnswer(f"{self.url} answered with text that isn't UTF-8") from None

    @contextlib.asynccontextmanager
    async def streamed(self, path: str, query: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream, once, and yield its pieces as they come; whoever reads says what is done when it breaks.

        Raises Refused, Unreachable and UnexpectedAnswer, while it is opened as while it is read.
        """
        signed_in = await self.signed_in(time.monotonic() + self.timeout_s)
        try:
            async with self.http.get(
                self.url + path,
                params={name: _written_out(value) for name, value in query.items() if value is not None},
                headers={"Accept": STREAM, **signed_in},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_S),
                allow_redirects=False,
            ) as response:
                if response.content_type != STREAM:
                    async with asyncio.timeout(self.timeout_s):
                        read_answer(response, await response.text("utf-8", "replace"))
                    raise UnexpectedAnswer(f"status {response.status} that is no stream")
                yield response.content.iter_any()
        except Unauthenticated:
            self.forget(signed_in)
            raise
        except TimeoutError:
            raise Unreachable(f"{self.url} fell silent") from None
        except aiohttp.ClientError as error:
            raise Unreachable(f"{self.url} can't be reached: {type(error).__name__}") from error


def _written_out(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_answer(response: aiohttp.ClientResponse, text: str) -> Answer:
    """Give the answer, or raise the refusal that it is; raises Unreachable and UnexpectedAnswer too."""
    headers = response.headers
    found: Any = None
    if response.content_type in JSON:
        try:
            found = json.loads(text)
        except ValueError:
            raise UnexpectedAnswer(f"status {response.status} with broken JSON") from None
    if response.content_type == PROBLEM and isinstance(found, dict):
        raise refusal(found, response.status, _seconds(headers.get("Retry-After")))
    if response.status >= 300 and response.content_type != "application/json":
        if response.status in REPEATED_STATUSES:
            raise Unreachable(f"status {response.status} from {response.url.origin()}")
        raise UnexpectedAnswer(f"status {response.status} that is no answer of a registry")
    return Answer(
        response.status,
        text,
        found,
        headers.get("Muniment-Position"),
        headers.get("Muniment-As-Of"),
        headers.get("Idempotency-Hit") == "true",
        headers.get("Location"),
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None


def pause_s(error: Refused | Unreachable, attempt: int) -> float | None:
    """Say how long to wait before the next attempt, nothing where another one would change nothing."""
    longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (attempt - 1))
    jittered_s = random.uniform(longest_s / 2, longest_s)  # noqa: S311 - spreads clients out, guards nothing
    if isinstance(error, Unreachable):
        return jittered_s
    if error.status not in REPEATED_STATUSES:
        return None
    return jittered_s if error.retry_after_s is None else error.retry_after_s + jittered_s / 4
