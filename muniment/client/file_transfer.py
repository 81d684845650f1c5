"""The bytes of files over the wire: sent where the registry says, received span by span over broken connections."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Final

import aiohttp
from yarl import URL

from muniment.client.local_files import Source
from muniment.client.noun import path_of
from muniment.client.record_refusals import FileChanged
from muniment.client.record_shapes import Media, Upload
from muniment.client.refusals import Refused, Unauthenticated, UnexpectedAnswer, Unreachable
from muniment.client.transport import ATTEMPTS, CONNECT_TIMEOUT_S, Transport, pause_s, read_answer
from muniment.client.upload_target import headers_of

SILENCE_S: Final = 60.0
"""How long nothing may move, and how long the answer to a file may take."""
ANSWER_BYTES: Final = 64 << 10
TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_S)


async def sent(transport: Transport, upload: Upload, target: URL, source: Source, size: int) -> None:
    """Send a file, again from its start where the connection broke.

    Raises Refused, Unreachable, UnexpectedAnswer, FileChanged and OSError.
    """
    attempt = 0
    while True:
        try:
            return await _sent_once(transport, upload, target, source, size)
        except (Refused, Unreachable) as error:
            attempt += 1
            waits_s = pause_s(error, attempt)
            if waits_s is None or attempt >= ATTEMPTS:
                raise
            await asyncio.sleep(waits_s)


async def _sent_once(transport: Transport, upload: Upload, target: URL, source: Source, size: int) -> None:
    now, headers = asyncio.get_running_loop().time, headers_of(upload, size)
    try:
        async with asyncio.timeout(SILENCE_S) as patience:

            def moved() -> None:
                if not patience.expired():
                    patience.reschedule(now() + SILENCE_S)

            async with transport.http.request(
                upload.method,
                target,
                data=source.pieces(size, moved),
                headers=headers,
                timeout=TIMEOUT,
                # A redirect would take the file to wherever it points.
                allow_redirects=False,
            ) as response:
                text = await _start_of(response)
                if 200 <= response.status < 300:
                    return
                read_answer(response, text)
                raise UnexpectedAnswer(f"status {response.status} to an upload")
    except TimeoutError:
        raise Unreachable(f"{target.origin()} took nothing more of the file") from None
    except aiohttp.ClientError as error:
        if source.changed:
            raise FileChanged("the file became shorter while it was sent") from None
        raise Unreachable(f"{target.origin()} can't be reached: {type(error).__name__}") from error


async def received(transport: Transport, media: Media, start: int, end: int) -> AsyncGenerator[bytes, None]:
    """Give the bytes of a file from ``start`` up to ``end``, going on by itself where the connection broke.

    Raises Refused, Unreachable and UnexpectedAnswer.
    """
    at, attempt, let_in = start, 0, True
    while at < end:
        try:
            async with contextlib.aclosing(_span(transport, media, at, end)) as pieces:
                async for piece in pieces:
                    at, attempt, let_in = at + len(piece), 0, True
                    yield piece
        except Unauthenticated:
            # The session that it came with is over; it comes back with another, once.
            if not let_in:
                raise
            let_in = False
        except (Refused, Unreachable) as error:
            attempt += 1
            waits_s = pause_s(error, attempt)
            if waits_s is None or attempt >= ATTEMPTS:
                raise
            await asyncio.sleep(waits_s)


async def _span(transport: Transport, media: Media, at: int, end: int) -> AsyncGenerator[bytes, None]:
    signed_in, etag = await transport.signed_in(time.monotonic() + transport.timeout_s), f'"{media.sha256}"'
    asked = {"Range": f"bytes={at}-{end - 1}", "If-Range": etag, "Accept-Encoding": "identity"}
    written = transport.written
    try:
        async with transport.http.get(
            f"{transport.url}{path_of('media', media.id, 'content')}",
            params={} if written is None else {"min_position": written},
            headers={**asked, **signed_in},
            timeout=TIMEOUT,
            allow_redirects=False,
        ) as response:
            if response.status != 206:
                read_answer(response, await _start_of(response))
            _check_span(response, at, end, media.size, etag)
            async for piece in response.content.iter_any():
                at += len(piece)
                if at > end:
                    raise UnexpectedAnswer("more bytes than were asked for")
                yield piece
            if at < end:
                raise Unreachable("a file stopped before its end")
    except Unauthenticated:
        transport.forget(signed_in)
        raise
    except TimeoutError:
        raise Unreachable(f"{transport.url} fell silent") from None
    except aiohttp.ClientError as error:
        raise Unreachable(f"{transport.url} can't be reached: {type(error).__name__}") from error


def _check_span(response: aiohttp.ClientResponse, at: int, end: int, size: int, etag: str) -> None:
    headers = response.headers
    is_it = response.status == 206 and headers.get("Content-Range") == f"bytes {at}-{end - 1}/{size}"
    if not is_it or headers.get("ETag", etag) != etag or "Content-Encoding" in headers:
        raise UnexpectedAnswer(f"status {response.status} with other bytes than were asked for")


async def _start_of(response: aiohttp.ClientResponse) -> str:
    """Read an answer that is no file, of which what is too long for one is left."""
    found = bytearray()
    async for piece in response.content.iter_any():
        found += piece
        if len(found) >= ANSWER_BYTES:
            break
    return found[:ANSWER_BYTES].decode("utf-8", "replace")
