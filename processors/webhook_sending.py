"""One attempt to deliver: a POST, bounded in time and size, that follows nothing and never calls where it may not."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

import aiohttp

from processors.targets import PublicResolver, TargetRefused, Targets, check_url, public_socket

WEBHOOK_CONNECT_TIMEOUT_S: Final = 3.0
WEBHOOK_TIMEOUT_S: Final = 10.0
WEBHOOK_ANSWER_BYTES: Final = 64 << 10
WEBHOOK_ANSWER_TIMEOUT_S: Final = 1.0
"""How long an answer's body is read, only so that the connection can serve again; the status counts without it."""
KEEP_ALIVE_S: Final = 15.0


class Answer(NamedTuple):
    """What came of a POST: a status, or in ``detail`` why there is none."""

    status: int | None
    detail: str
    retry_after: str | None = None

    @property
    def delivered(self) -> bool:
        """Tell whether the endpoint took it."""
        return self.status is not None and 200 <= self.status < 300


class Sender:
    """Posts to endpoints through one pool of connections; used as an async context manager."""

    def __init__(self, targets: Targets = "public", *, timeout_s: float = WEBHOOK_TIMEOUT_S) -> None:
        self._targets, self._timeout_s = targets, timeout_s
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        guarded = self._targets == "public"
        connector = aiohttp.TCPConnector(
            limit=0,
            use_dns_cache=False,
            keepalive_timeout=KEEP_ALIVE_S,
            resolver=PublicResolver() if guarded else aiohttp.ThreadedResolver(),
            socket_factory=public_socket if guarded else None,
            ssl=ssl.create_default_context(),
        )
        self._client = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=WEBHOOK_CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_failure: object) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post once. Nothing that the target does raises; the details are a closed list and repeat nothing of it."""
        if self._client is None:
            raise RuntimeError("the sender is not open")
        try:
            check_url(url)
            async with self._client.post(url, data=body, headers=headers, allow_redirects=False) as response:
                await _drain(response)
                return Answer(response.status, f"status {response.status}", response.headers.get("Retry-After"))
        except TargetRefused:
            return Answer(None, "target_not_public")
        except (TimeoutError, aiohttp.ServerTimeoutError):
            return Answer(None, "timeout")
        except aiohttp.ClientConnectorDNSError as error:
            refused = isinstance(error.os_error, TargetRefused)
            return Answer(None, "target_not_public" if refused else "name_not_resolved")
        except (aiohttp.ClientConnectorSSLError, aiohttp.ClientConnectorCertificateError, ssl.SSLError):
            return Answer(None, "tls_failed")
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, TargetRefused)
            return Answer(None, "target_not_public" if refused else "connection_failed")
        except aiohttp.InvalidURL:
            return Answer(None, "url_not_usable")
        except (aiohttp.ClientError, OSError):
            return Answer(None, "connection_lost")
        except (ValueError, UnicodeError):
            return Answer(None, "url_not_usable")


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a short answer to its end; a long or slow one costs its connection."""
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(WEBHOOK_ANSWER_TIMEOUT_S):
            left = WEBHOOK_ANSWER_BYTES
            while left > 0 and (piece := await response.content.read(left)):
                left -= len(piece)
            if left > 0:
                return
    response.close()
