"""Which bytes of a file a request asks for (RFC 9110, section 14)."""

import re
from typing import Final, NamedTuple

from api.problems import ProblemError

UNIT: Final = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


class Span(NamedTuple):
    """The bytes from ``start`` up to ``end``."""

    start: int
    end: int


def asked_span(header: str | None, size: int) -> Span | None:
    """Read a Range header; nothing where all is to be sent: without one, and for what isn't one span of bytes.

    Raises ``range_not_satisfiable``.
    """
    found = None if header is None else UNIT.fullmatch(header)
    if found is None or not (found[1] or found[2]):
        return None
    first, last = found[1], found[2]
    if not first:
        span = Span(max(size - int(last), 0), size)
    elif last and int(last) < int(first):
        return None
    else:
        span = Span(int(first), min(int(last) + 1, size) if last else size)
    if span.start >= span.end:
        raise ProblemError(
            "range_not_satisfiable", f"the file has {size} bytes", headers={"Content-Range": f"bytes */{size}"}
        )
    return span


def matches(header: str | None, etag: str) -> bool:
    """Tell whether an If-None-Match header names an entity tag; by weak comparison, as a cache asks."""
    if header is None:
        return False
    return any(part.strip().removeprefix("W/") in {etag, "*"} for part in header.split(","))
