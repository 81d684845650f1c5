"""Where another registry's webhooks come in: checked, put onto the feed's queue, and answered once they lie there.

``X-Signature`` is ``sha256=<base64(HMAC-SHA256(body, the secret's text))>``; while a sender rotates its secret, one
such value per secret, separated by commas.
"""

import base64
import hashlib
import hmac
import time
from email.utils import parsedate_to_datetime

from aiohttp import web

from api.feed import Feed
from api.problems import ProblemError
from api.request_bodies import check_media_type, read_bytes
from api.route import Asked, Route
from api.shapes import Query
from log import strict_json
from log.log import AppendUnknown, LogUnavailable
from log.topic import FACTS_INGEST
from projections.feed_messages import InvalidMessage, hook_message, is_idempotency_key, read_hook

DATE_TOLERANCE_S = 5 * 60
SIGNATURES_MAX = 8


def _header(request: web.Request, name: str) -> str:
    """Give a header that is there once; raises ``invalid_request``."""
    values = request.headers.getall(name, [])
    if len(values) != 1:
        raise ProblemError("invalid_request", f"{name} is one header")
    return values[0]


def _refused(detail: str) -> ProblemError:
    return ProblemError("invalid_signature", detail)


def check_signature(request: web.Request, body: bytes, secrets: str | None) -> None:
    """Refuse a body that no secret of ours signed; ``secrets`` may be several, separated by commas."""
    values = request.headers.getall("X-Signature", [])
    if not secrets or len(values) != 1:
        raise _refused("X-Signature is missing" if secrets else "this hook has no secret and is closed")
    given = [value.strip().encode(errors="replace") for value in values[0].split(",")[:SIGNATURES_MAX]]
    wanted = [
        b"sha256=" + base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256))
        for secret in {secrets, *secrets.split(",")}
        if secret
    ]
    # Every pair is compared, so that the time taken tells nothing of which one held.
    held = [hmac.compare_digest(ours, theirs) for ours in wanted for theirs in given]
    if not any(held):
        raise _refused("X-Signature is not that of this body")


def check_date(request: web.Request) -> None:
    """Refuse what was sent more than five minutes ago or hence."""
    try:
        sent = parsedate_to_datetime(_header(request, "Date")).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ProblemError("invalid_request", "Date is no date as RFC 9110 writes it") from None
    if abs(time.time() - sent) > DATE_TOLERANCE_S:
        raise _refused("Date is more than 5 minutes from now")


def _check_body(raw: bytes) -> None:
    try:
        read_hook(strict_json.parse(raw))
    except strict_json.MalformedJson as error:
        raise ProblemError("malformed_json", error.detail) from None
    except InvalidMessage as error:
        raise ProblemError("invalid_request", str(error), errors=[(error.pointer, error.detail)]) from None


async def take(asked: Asked) -> web.StreamResponse:
    """Take a webhook of another registry."""
    request, api = asked.request, asked.api
    raw = await read_bytes(request)
    check_signature(request, raw, api.settings.hook_secret)
    check_date(request)
    check_media_type(request, "application/json")
    key = _header(request, "X-Idempotency-Key")
    if not is_idempotency_key(key):
        raise ProblemError("invalid_request", "X-Idempotency-Key is 1 to 255 printable ASCII characters")
    feed: Feed | None = api.feed
    if feed is not None and feed.view.has_seen(key):
        return web.Response(status=204)
    _check_body(raw)
    try:
        # Durable once this answers; the sender repeats what was not answered, and the consumer drops the repetition.
        await (await api.log.append(FACTS_INGEST, 0, [hook_message(key, raw)]))
    except (LogUnavailable, AppendUnknown):
        raise ProblemError("log_unavailable", headers={"Retry-After": "1"}) from None
    return web.Response(status=204)


ROUTES = [
    Route(
        "POST",
        "/registry-hook",
        take,
        "Take a webhook of another registry",
        query_model=Query,
        responses={204: None},
        problems=(
            "invalid_signature",
            "malformed_json",
            "payload_too_large",
            "unsupported_media_type",
            "log_unavailable",
        ),
        raw_body=True,
        limited=False,  # a sender proves itself by its signature, and a refusal would only delay the feed
    ),
]
