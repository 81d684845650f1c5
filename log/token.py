"""A token is an opaque, URL-safe set of positions."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from domain.decider import Position

Positions = Mapping[tuple[str, int], int]
"""For each (context, partition) the offset of a decision: all up to it is meant."""

MAX_LENGTH = 4096
REMEMBERED = 4096
ENTRY = re.compile(r"^([a-z]{1,32})/(0|[1-9][0-9]{0,4})/(0|[1-9][0-9]{0,18})$")


class InvalidToken(ValueError):
    """Text that is no token of ours."""


def write_token(positions: Positions) -> str:
    """Write a token; the same positions always give the same one."""
    text = ",".join(f"{context}/{part}/{offset}" for (context, part), offset in sorted(positions.items()))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def token_of(position: Position) -> str:
    """Write the token of one position."""
    return token_at(position.context, position.partition, position.offset)


@lru_cache(maxsize=REMEMBERED)
def token_at(context: str, partition: int, offset: int) -> str:
    """Write the token of one position; a decision is named several times soon after it passes."""
    return write_token({(context, partition): offset})


def read_token(token: str) -> dict[tuple[str, int], int]:
    """Read a token. Raises InvalidToken for anything that write_token wouldn't give."""
    if not token or len(token) > MAX_LENGTH:
        raise InvalidToken("a token is 1 to 4096 characters")
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise InvalidToken("this is not a token of this registry") from error
    positions = {}
    for entry in text.split(","):
        found = ENTRY.match(entry)
        if found is None:
            raise InvalidToken("this is not a token of this registry")
        positions[found[1], int(found[2])] = int(found[3])
    if write_token(positions) != token:
        raise InvalidToken("this is not a token of this registry")
    return positions


def later(tokens: Iterable[Positions]) -> dict[tuple[str, int], int]:
    """Give the positions by which all that these mean was reached."""
    reached: dict[tuple[str, int], int] = {}
    for positions in tokens:
        for where, offset in positions.items():
            reached[where] = max(offset, reached.get(where, offset))
    return reached
