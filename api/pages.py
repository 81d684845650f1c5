"""Cursors: opaque, exclusive, and bound to the list and the filters for which they were given."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence

from api.problems import ProblemError
from domain.json_value import JsonObject, JsonValue
from log import strict_json

BINDING_BYTES = 9
CURSOR_MAX = 4096
LARGEST_PLACE = 1 << 62
LARGEST_INDEX = 10**9
"""More than a decision can have of anything."""


def _binding(filters: Mapping[str, JsonValue], content: bytes) -> bytes:
    return hashlib.sha256(strict_json.dump_sorted(dict(filters)) + b"\x00" + content).digest()[:BINDING_BYTES]


def write_cursor(filters: Mapping[str, JsonValue], after: Sequence[JsonValue]) -> str:
    """Write the cursor behind an item; ``filters`` names the list and what it was filtered and ordered by."""
    content = strict_json.dump(list(after))
    return base64.urlsafe_b64encode(_binding(filters, content) + content).decode().rstrip("=")


def read_cursor(cursor: str, filters: Mapping[str, JsonValue], types: Sequence[type]) -> list[JsonValue]:
    """Read a cursor of this list with these filters, its parts of these types; raises ``invalid_cursor``."""
    try:
        if len(cursor) > CURSOR_MAX:
            raise ProblemError("invalid_cursor")
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        content = raw[BINDING_BYTES:]
        if base64.urlsafe_b64encode(raw).decode().rstrip("=") != cursor or raw != _binding(filters, content) + content:
            raise ProblemError("invalid_cursor")
        after = strict_json.parse(content)
    except (binascii.Error, ValueError):
        raise ProblemError("invalid_cursor") from None
    if not isinstance(after, list) or [type(part) for part in after] != list(types):
        raise ProblemError("invalid_cursor")
    return after


def place_in(cursor: str, filters: Mapping[str, JsonValue]) -> tuple[int, int]:
    """Read an offset and an index within its decision from a cursor; raises ``invalid_cursor``."""
    numbers = [each for each in read_cursor(cursor, filters, (int, int)) if type(each) is int]
    if not 0 <= numbers[0] <= LARGEST_PLACE or not 0 <= numbers[1] <= LARGEST_INDEX:
        raise ProblemError("invalid_cursor")
    return numbers[0], numbers[1]


def page(items: list[JsonObject], next_cursor: str | None) -> JsonObject:
    """Give the body of a page."""
    return {"items": list(items), "next_cursor": next_cursor}
