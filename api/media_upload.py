"""The upload of a file to us, where the storage is our own disk: sealed while it comes, and kept if it is the one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from api.media_depot import Depot, depot_of, media_id_of, storage_asked
from api.media_streams import Mismatch, Sealing
from api.media_tokens import Upload, read_upload
from api.problems import ProblemError
from api.route import Asked, Route, json_response
from api.shapes import Query
from api.vault import erased, erased_at, vaults_of
from domain.records.media import media
from processors.media_place import sealed_path

SILENCE_S: Final = 30.0
"""How long an upload may send nothing."""
UPLOAD_TIMEOUT_S: Final = 60.0 * 60
TOKEN_MAX: Final = 1024


class UploadQuery(Query):
    """What authorises the upload, as the URL that was given has it."""

    token: Annotated[str, Field(min_length=1, max_length=TOKEN_MAX)]


class ReceivedView(BaseModel):
    """How many bytes came; a file that does not match what was reserved is not kept."""

    model_config = ConfigDict(title="Received")

    id: str
    size: int
    matches: bool


class CutOff(Exception):
    """The upload stopped before its end."""


class Body:
    """The bytes of an upload as they come, at most so many."""

    def __init__(self, request: web.Request, limit: int) -> None:
        self._request, self._limit = request, limit
        self.size = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give what comes until the end; whoever stopped early goes on where that was. Raises CutOff."""
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    piece = await self._request.content.readany()
            except (ConnectionError, TimeoutError, web.RequestPayloadError):
                raise CutOff from None
            if not piece:
                return
            self.size += len(piece)
            if self.size > self._limit:
                raise too_large(self._limit)
            yield piece

    async def drain(self) -> None:
        """Let the rest pass, so that whoever sends it hears the answer. Raises CutOff."""
        async for _ in self.pieces():
            pass


def too_large(limit: int) -> ProblemError:
    """Make the problem of an upload that is larger than any may be."""
    return ProblemError("payload_too_large", f"a file has at most {limit} bytes", headers={"Connection": "close"})


async def upload(asked: Asked) -> web.StreamResponse:
    """Take a file; another try starts over, and what was whole before stays until the new one is."""
    media_id, depot, request = media_id_of(asked), depot_of(asked), asked.request
    allowed = read_upload(depot.upload_key, asked.query.token, media_id)
    store: Any = asked.api.mirror.store
    known = media(store, media_id)
    if known is not None and known.finalized:
        raise ProblemError("already_finalized")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProblemError("unsupported_media_type", "the body must not be compressed")
    if (request.content_length or 0) > depot.bounds.max_bytes:
        raise too_large(depot.bounds.max_bytes)
    body = Body(request, depot.bounds.max_bytes)
    try:
        async with asyncio.timeout(UPLOAD_TIMEOUT_S):
            kept = await _keep(asked, depot, allowed, body)
    except (CutOff, TimeoutError):
        detail = "the upload did not come whole; send it again from the start"
        raise ProblemError("invalid_request", detail, headers={"Connection": "close"}) from None
    if erased_at(asked.api.mirror, allowed.did) is not None:
        with storage_asked():
            await depot.storage.delete([sealed_path(media_id)])
        raise erased()
    return json_response({"id": media_id, "size": body.size, "matches": kept})


async def _keep(asked: Asked, depot: Depot, allowed: Upload, body: Body) -> bool:
    """Seal and keep what comes; say whether it was what was reserved."""
    key = await vaults_of(asked).key(allowed.did)
    sealing = Sealing(key, allowed.media_id, size=allowed.size, sha256=allowed.sha256)
    try:
        with storage_asked():
            await depot.storage.put(sealed_path(allowed.media_id), sealing.sealed(body.pieces()))
    except Mismatch:
        await body.drain()
        return False
    # Durable from here: a whole file. A crash before leaves what was there, and what is half written is removed.
    return True


ROUTES = [
    Route(
        "PUT",
        "/media/{id}/upload",
        upload,
        "Upload a file to the URL that was given for it",
        query_model=UploadQuery,
        responses={200: ReceivedView},
        problems=(
            "forbidden", "not_found", "already_finalized", "erased", "read_model_unavailable", "storage_unavailable"
        ),
        raw_body=True,
        media_type="application/octet-stream",
    ),
]  # fmt: skip
