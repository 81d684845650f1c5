"""Reading a request: its query once each, its body bounded while it streams, strict JSON, and of the route's shape."""

import asyncio

from aiohttp import web

from api.problems import ProblemError
from api.route import Asked
from api.shapes import fit
from log import strict_json

BODY_MAX_BYTES = 1 << 20
BODY_TIMEOUT_S = 15.0
"""How long a body may take; whoever sends no more, or chunks that are none, must not hold a request for ever."""


def read_query(asked: Asked) -> None:
    """Check the query parameters against the route's model."""
    given = asked.request.query
    if not given:
        asked.query = fit(asked.route.query_model, {})
        return
    values = dict(given)
    if len(values) != len(given):
        twice = next(name for name in values if len(given.getall(name)) > 1)
        raise ProblemError("invalid_request", f"{twice} is given twice", errors=[(f"/{twice}", "this is given twice")])
    asked.query = fit(asked.route.query_model, values)


async def read_bytes(request: web.Request, limit: int = BODY_MAX_BYTES) -> bytes:
    """Read a body of at most so many bytes; more is refused as soon as it is seen. Raises ``payload_too_large``."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProblemError("unsupported_media_type", "the body must not be compressed")
    too_large = ProblemError("payload_too_large", f"a body has at most {limit} bytes", headers={"Connection": "close"})
    if (request.content_length or 0) > limit:
        raise too_large
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            if request.content_length is not None:
                return await request.content.read()
            async for chunk in request.content.iter_any():
                content += chunk
                if len(content) > limit:
                    raise too_large
    except (ConnectionError, TimeoutError, web.RequestPayloadError):
        # Whoever sent it is gone, or what was sent is not cut into chunks as it must be.
        raise ProblemError("invalid_request", "the body did not come whole", headers={"Connection": "close"}) from None
    return bytes(content)


def check_media_type(request: web.Request, media_type: str) -> None:
    """Refuse a body that doesn't say it is JSON in UTF-8. Raises ``unsupported_media_type``."""
    if request.content_type != media_type or (request.charset or "utf-8").lower() != "utf-8":
        raise ProblemError("unsupported_media_type", f"the body must be {media_type} in UTF-8")


async def read_body(asked: Asked) -> None:
    """Read the body and check it against the route's model; a route without one takes no body."""
    route, request = asked.route, asked.request
    limit = route.max_body_bytes or BODY_MAX_BYTES
    if route.request_model is None:
        if request.can_read_body and await read_bytes(request, limit):
            raise ProblemError("invalid_request", "this route takes no body")
        return
    if route.optional_body and not request.can_read_body:
        asked.body = fit(route.request_model, {})
        return
    check_media_type(request, route.media_type)
    raw = await read_bytes(request, limit)
    try:
        asked.json = strict_json.parse(raw)
    except strict_json.MalformedJson as error:
        raise ProblemError("malformed_json", error.detail) from None
    asked.body = fit(route.request_model, asked.json)
