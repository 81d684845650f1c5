"""Media as everybody reads them: what a file is, and its bytes, whole or in part."""

import asyncio
import logging
from typing import Any, Final

from aiohttp import web

from api.byte_ranges import Span, asked_span, matches
from api.freshness import as_of, wait_until_fresh
from api.media_depot import depot_of, media_id_of, not_found, storage_asked, unavailable
from api.media_results import MediaView, view_of
from api.media_streams import Opening
from api.problems import ProblemError
from api.route import Asked, Route, json_response
from api.shapes import FreshQuery
from api.times import rfc3339
from api.vault import check_not_erased, vaults_of
from domain.records.media import Media, media
from processors.media_place import sealed_path
from processors.media_storage import NotStored, StorageUnavailable

RECORDS: Final = ("records",)
PIECE_BYTES: Final = 256 << 10
STALLED_S: Final = 30.0
"""How long a piece may take to be taken: whoever reads slower is let go."""
INLINE: Final = frozenset({
    "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif",
    "audio/mpeg", "audio/ogg", "audio/wav", "audio/mp4", "audio/flac", "audio/webm",
    "video/mp4", "video/webm", "video/ogg", "video/quicktime", "text/plain",
})  # fmt: skip
"""Types that run no script; every other one is an attachment."""
POLICY: Final = "default-src 'none'; sandbox"

journal = logging.getLogger("muniment.media")


async def _file(asked: Asked) -> tuple[str, Media, dict[str, str]]:
    """Find the file of a request, and the header that says how fresh that is. Raises ``not_found``, ``erased``.

    What isn't finalized is shown to its owner alone.
    """
    media_id, mirror = media_id_of(asked), asked.api.mirror
    await wait_until_fresh(mirror, asked.query, RECORDS)
    headers = as_of(mirror)
    store: Any = mirror.store
    found = media(store, media_id)
    session = asked.session
    if found is None or not (found.finalized or (session is not None and session.identity == found.did)):
        raise not_found()
    check_not_erased(asked, found.did)
    return media_id, found, headers


async def show(asked: Asked) -> web.StreamResponse:
    """Show what a file is."""
    media_id, found, headers = await _file(asked)
    if found.finalized:
        return json_response(view_of(media_id, found, "finalized"), headers=headers)
    view = view_of(media_id, found, "reserved") | {"expires_at": rfc3339(found.expires_at)}
    return json_response(view, headers=headers)


async def content(asked: Asked) -> web.StreamResponse:
    """Send a file's bytes."""
    media_id, found, headers = await _file(asked)
    if not found.finalized:
        raise not_found()
    request, etag = asked.request, f'"{found.sha256}"'
    headers |= {"ETag": etag, "Cache-Control": "no-cache", "Accept-Ranges": "bytes"}
    if matches(request.headers.get("If-None-Match"), etag):
        return web.Response(status=304, headers=headers)
    wanted = request.headers.get("Range")
    span = asked_span(wanted if request.headers.get("If-Range", etag) == etag else None, found.size)
    key = (await vaults_of(asked).keys_to_read([found.did])).get(found.did)
    if key is None:
        check_not_erased(asked, found.did)
        raise ProblemError("read_model_unavailable", headers={"Retry-After": "1"})
    opening = Opening(depot_of(asked).storage, sealed_path(media_id), key, media_id, found.size)
    headers |= {
        "Content-Type": found.mime,
        "Content-Disposition": "inline" if found.mime in INLINE else "attachment",
        "Content-Security-Policy": POLICY,
    }
    return await _send(asked, opening, headers, span, found.size)


async def _send(
    asked: Asked, opening: Opening, headers: dict[str, str], span: Span | None, size: int
) -> web.StreamResponse:
    """Send the bytes, once the first of them are there: until then a problem can be told."""
    start, end = span or Span(0, size)
    answer = web.StreamResponse(status=200 if span is None else 206, headers={**headers, **asked.headers})
    answer.content_length = end - start
    if span is not None:
        answer.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    if asked.request.method == "HEAD":
        await answer.prepare(asked.request)
        return answer
    pieces = opening.opened(start, end)
    try:
        try:
            with storage_asked():
                first = await anext(pieces)
        except NotStored:
            journal.error("media_missing", extra={"media_id": asked.path("id")})
            raise unavailable() from None
        await answer.prepare(asked.request)
        try:
            await _write(answer, first)
            async for piece in pieces:
                await _write(answer, piece)
            await answer.write_eof()
        except (StorageUnavailable, NotStored, ConnectionError, TimeoutError) as error:
            # The length was promised: whoever reads sees by the connection's end that this isn't all.
            journal.info("media_not_sent_whole", extra={"error": type(error).__name__})
            if asked.request.transport is not None:
                asked.request.transport.abort()
    finally:
        await pieces.aclose()
    return answer


async def _write(answer: web.StreamResponse, data: bytearray) -> None:
    view = memoryview(data)
    for start in range(0, len(view), PIECE_BYTES):
        async with asyncio.timeout(STALLED_S):
            await answer.write(view[start : start + PIECE_BYTES])


PROBLEMS: Final = ("not_found", "erased", "not_caught_up", "read_model_unavailable")

ROUTES = [
    Route("GET", "/media/{id}", show, "A file", query_model=FreshQuery, responses={200: MediaView}, problems=PROBLEMS),
    Route(
        "GET",
        "/media/{id}/content",
        content,
        "A file's bytes",
        query_model=FreshQuery,
        responses={200: None, 206: None, 304: None},
        problems=(*PROBLEMS, "range_not_satisfiable", "storage_unavailable"),
        response_type="application/octet-stream",
        header_parameters={
            "Range": "One span of bytes: `bytes=0-1023`, `bytes=1024-` or `bytes=-512`.",
            "If-Range": "The entity tag that the range is of; with another one all is sent.",
            "If-None-Match": "Entity tags; the file is not sent where one is its own.",
        },
    ),
]
