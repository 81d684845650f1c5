"""Media: reserved, uploaded, and finalized once what was uploaded is what was reserved."""

import asyncio
import contextlib
import time
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from api.appending import known_outcome
from api.freshness import wait_until_ended
from api.intent import Intent, idempotency_key, request_hash, session_intent
from api.media_depot import (
    Depot,
    depot_of,
    media_id_of,
    not_found,
    storage_asked,
    unavailable,
)
from api.media_results import MediaView
from api.media_streams import Mismatch, Sealing, clear_object
from api.media_tokens import Upload, write_upload
from api.problems import ProblemError
from api.results import write
from api.route import Asked, Route, Who
from api.shapes import Empty, Form, Shape, WriteQuery
from api.times import read_time, rfc3339
from api.vault import check_not_erased, vaults_of
from domain.json_value import JsonObject
from domain.records.media import FinalizeMedia, Media, ReserveMedia, media
from domain.ruling import HALF, ID_PREFIX
from log.scope import command_id
from log.sealed_chunks import sealed_size
from processors.media_place import incoming_path, sealed_path
from processors.media_storage import NotStored, StorageUnavailable

RESERVE, FINALIZE = "POST /media", "POST /media/{id}/finalize"
KEPT_MS: Final = 24 * 60 * 60 * 1000
"""How long what is not finalized stays."""
UPLOAD_S: Final = 60 * 60
"""How long an upload may be begun."""
FINALIZE_TIMEOUT_S: Final = 240.0
MIME: Final = Form(
    r"^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}$",
    "a media type in small letters and without parameters: image/png",
)
SHA256: Final = Form(r"^[0-9a-f]{64}$", "a SHA-256 in 64 small hexadecimal digits")


class MediaRequest(Shape):
    """A file that is to be uploaded: its type, its size in bytes, and its SHA-256."""

    mime: Annotated[str, Field(max_length=129), MIME]
    size: Annotated[int, Field(ge=1, le=(1 << 53) - 1)]
    sha256: Annotated[str, SHA256]


def _check(asked: Asked) -> None:
    bounds, sent = depot_of(asked).bounds, asked.body
    if sent.mime not in bounds.types:
        detail = f"files of this type are not taken here, but {', '.join(sorted(bounds.types))}"
        raise ProblemError("unsupported_media_type", detail, errors=[("/mime", detail)])
    if sent.size > bounds.max_bytes:
        detail = f"a file has at most {bounds.max_bytes} bytes"
        raise ProblemError("payload_too_large", detail, errors=[("/size", detail)])


async def reserve(asked: Asked) -> web.StreamResponse:
    """Reserve a file; its id follows from the idempotency key, so that a repeat meets the first one."""
    sent, did, depot = asked.body, asked.caller.identity, depot_of(asked)
    check_not_erased(asked, did)
    asked_hash, given_key = request_hash(RESERVE, {}, asked.json), idempotency_key(asked.request)
    name = command_id(did, asked_hash, idempotency_key=given_key)
    media_id = f"med_{name[len(ID_PREFIX) : len(ID_PREFIX) + HALF]}"
    bounds, file = depot.bounds, (sent.mime, sent.size, sent.sha256)
    payload = ReserveMedia(media_id, did, *file, KEPT_MS, bounds.quota_files, bounds.quota_bytes)
    dry = asked.query.dry_run
    with storage_asked():
        outside = None if dry else await depot.storage.upload_url(incoming_path(media_id), UPLOAD_S)
    outside_until = int(time.time() * 1000) + UPLOAD_S * 1000

    def with_upload(view: JsonObject) -> JsonObject:
        until = read_time(str(view["reserved_at"])) + UPLOAD_S * 1000 if outside is None else outside_until
        if dry:
            return view
        url = outside
        if url is None:
            token = write_upload(depot.upload_key, Upload(media_id, did, sent.size, sent.sha256, until))
            url = f"{asked.api.sessions.issuer}/media/{media_id}/upload?token={token}"
        headers: JsonObject = {"Content-Type": sent.mime}
        return view | {"upload": {"method": "PUT", "url": url, "headers": headers, "expires_at": rfc3339(until)}}

    intent = session_intent(asked.caller, asked_hash, given_key, did, payload, named=name)
    return await write(asked, intent, with_upload)


async def known_file(asked: Asked, media_id: str) -> Media:
    """Find a file, whatever process reserved it. Raises ``not_found``, ``not_caught_up``, ``log_unavailable``."""
    api = asked.api
    store: Any = api.mirror.store
    found = media(store, media_id)
    if found is None:
        await wait_until_ended(api.mirror, api.record_ends)
        found = media(api.mirror.store, media_id)  # type: ignore[arg-type]  # only asked by key
    if found is None:
        raise not_found()
    return found


async def finalize(asked: Asked) -> web.StreamResponse:
    """Take a file as whole, once what lies there is what was reserved."""
    media_id, depot = media_id_of(asked), depot_of(asked)
    known = await known_file(asked, media_id)
    asked_hash, given_key = request_hash(FINALIZE, {"id": media_id}, None), idempotency_key(asked.request)
    payload = FinalizeMedia(media_id, known.did, known.size, known.sha256)
    intent = session_intent(asked.caller, asked_hash, given_key, known.did, payload)
    await _look_for_it(asked, depot, intent, known)
    try:
        answer = await write(asked, intent)
    except ProblemError as problem:
        if problem.code == "erased":
            # What was kept a moment ago is of no use to anybody: its key is gone.
            await _let_go(depot, sealed_path(media_id), incoming_path(media_id))
        raise
    if depot.storage.takes_uploads and not asked.query.dry_run and answer.status == web.HTTPOk.status_code:
        await _let_go(depot, incoming_path(media_id))
    return answer


async def _let_go(depot: Depot, *paths: str) -> None:
    """Remove objects now, and where that fails leave them to the sweep."""
    with contextlib.suppress(StorageUnavailable):
        await depot.storage.delete(paths)


async def _look_for_it(asked: Asked, depot: Depot, intent: Intent, known: Media) -> None:
    """See that the storage has the file, unless the decider rules without it. Raises ``media_mismatch``."""
    if known.did != asked.caller.identity or known.finalized or await known_outcome(asked.api, intent) is not None:
        return
    check_not_erased(asked, known.did)
    try:
        async with asyncio.timeout(FINALIZE_TIMEOUT_S):
            with storage_asked():
                await _have_sealed(asked, depot, intent.payload.media_id, known)
    except TimeoutError:
        raise unavailable() from None


async def _have_sealed(asked: Asked, depot: Depot, media_id: str, known: Media) -> None:
    storage, path = depot.storage, sealed_path(media_id)
    # Only what had this size and this SHA-256 is ever kept under this name.
    with contextlib.suppress(NotStored):
        if await storage.size(path) == sealed_size(known.size):
            return
    if not storage.takes_uploads:
        raise mismatch("no upload of this size and SHA-256 has come whole")
    sealing = Sealing(await vaults_of(asked).key(known.did), media_id, size=known.size, sha256=known.sha256)
    try:
        found = await storage.size(incoming_path(media_id))
        if found != known.size:
            raise mismatch(f"the upload has {found} bytes, {known.size} were reserved")
        stream = sealing.sealed(clear_object(storage, incoming_path(media_id), found))
        if asked.query.dry_run:
            async for _ in stream:
                pass
        else:
            await storage.put(path, stream)
    except NotStored:
        raise mismatch("there is no upload") from None
    except Mismatch:
        raise mismatch("the upload has another SHA-256 than was reserved") from None


def mismatch(detail: str) -> ProblemError:
    """Make the problem of a file that is not what was reserved."""
    return ProblemError("media_mismatch", detail)


WRITES: Final = ("idempotency_conflict", "log_unavailable", "outcome_unknown", "erased", "storage_unavailable")

ROUTES = [
    Route(
        "POST",
        "/media",
        reserve,
        "Reserve a file; the answer says how it is to be uploaded, within an hour",
        Who.SESSION,
        MediaRequest,
        WriteQuery,
        {201: MediaView},
        (*WRITES, "quota_exceeded", "read_model_unavailable"),
        _check,
    ),
    Route(
        "POST",
        "/media/{id}/finalize",
        finalize,
        "Take an upload as whole, once its size and SHA-256 are those that were reserved",
        Who.SESSION,
        Empty,
        WriteQuery,
        {200: MediaView},
        (*WRITES, "forbidden", "not_found", "already_finalized", "media_mismatch", "not_caught_up",
         "read_model_unavailable"),
        optional_body=True,
    ),
]  # fmt: skip
