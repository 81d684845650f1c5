"""The delta feed's cursor: the token of all that was read, and what binds it to its filters.

A cursor of the feed of all facts is a position token and nothing else, so a webhook's replay can start at one.
"""

import base64
import hashlib
from collections.abc import Mapping

from api.problems import ProblemError
from api.wiring import CONTEXT
from domain.json_value import JsonValue
from log import strict_json
from log.token import InvalidToken, read_token, write_token

START = "0"
BINDING_BYTES = 9
LARGEST_OFFSET = 1 << 62


def _bound(filters: Mapping[str, JsonValue]) -> str:
    """Write what binds a feed's cursor to its filters; nothing where all facts are meant."""
    if not filters:
        return ""
    digest = hashlib.sha256(strict_json.dump_sorted(dict(filters))).digest()
    return "." + base64.urlsafe_b64encode(digest[:BINDING_BYTES]).decode()


def write_since(reached: Mapping[int, int], filters: Mapping[str, JsonValue]) -> str:
    """Write a feed's cursor: the token of all that was read, and what binds it to its filters."""
    positions = {(CONTEXT, partition): offset for partition, offset in reached.items() if offset >= 0}
    return write_token(positions) + _bound(filters) if positions else START


def read_since(cursor: str, filters: Mapping[str, JsonValue]) -> dict[int, int]:
    """Read a feed's cursor; raises ``invalid_cursor``."""
    if cursor == START:
        return {}
    text, dot, binding = cursor.partition(".")
    try:
        positions = read_token(text)
    except InvalidToken:
        raise ProblemError("invalid_cursor") from None
    if dot + binding != _bound(filters) or any(offset > LARGEST_OFFSET for offset in positions.values()):
        raise ProblemError("invalid_cursor")
    return {partition: offset for (context, partition), offset in positions.items() if context == CONTEXT}
