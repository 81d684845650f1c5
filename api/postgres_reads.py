"""Reads that Postgres answers: waited for, as of one snapshot, with the header that says which."""

from collections.abc import Mapping
from typing import TypeVar, cast

from api.freshness import AS_OF, RETRY_AFTER_S, not_caught_up, read_position
from api.problems import ProblemError
from api.route import Asked
from domain.json_value import JsonValue
from log.token import Positions, later, write_token
from projections.postgres import PostgresUnavailable
from projections.reads import NotCaughtUp, Query, Reads

T = TypeVar("T")

PROBLEMS = ("not_caught_up", "read_model_unavailable")
"""What every one of these reads may meet."""
LARGEST_OFFSET = (1 << 53) - 1


def reads_of(asked: Asked) -> Reads:
    """Give what the read routes ask. Raises ``read_model_unavailable`` where this process has none."""
    if asked.api.reads is None:
        raise unavailable()
    return cast("Reads", asked.api.reads)


def unavailable() -> ProblemError:
    """Make the problem of Postgres being away."""
    return ProblemError("read_model_unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})


async def read(asked: Asked, projection: str, query: Query[T], *wanted: Positions) -> tuple[T, Mapping[str, str]]:
    """Run a query once ``min_position`` and these positions are reached, and give its answer and the header."""
    sent = asked.query.min_position
    positions = later([*wanted, read_position(sent)] if sent is not None else wanted)
    try:
        found, reached = await reads_of(asked).read(projection, query, positions, asked.query.wait_ms / 1000)
    except NotCaughtUp:
        raise not_caught_up() from None
    except PostgresUnavailable:
        raise unavailable() from None
    return found, {AS_OF: write_token(reached)} if reached else {}


def offsets_in(part: JsonValue) -> list[int]:
    """Read the numbers of a cursor, which anybody could have made; raises ``invalid_cursor``."""
    if not isinstance(part, list):
        raise ProblemError("invalid_cursor")
    found = []
    for number in part:
        if type(number) is not int or not -1 <= number <= LARGEST_OFFSET:
            raise ProblemError("invalid_cursor")
        found.append(number)
    return found
