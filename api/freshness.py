"""How fresh an answer is: ``min_position`` is waited for, ``Muniment-As-Of`` says what was reached."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from api.log_ends import LogEnds
from api.problems import ProblemError, invalid
from api.shapes import FreshQuery
from api.wiring import CONTEXT
from log.log import LogUnavailable
from log.token import InvalidToken, read_token, write_token

AS_OF = "Muniment-As-Of"
POSITION = "Muniment-Position"
RETRY_AFTER_S = 1
CATCH_UP_S = 2.0
"""How long a request that must see all that was decided before it waits for that."""


class ReadModel(Protocol):
    """What is read: it says how far it is and can be waited for; the mirror is one."""

    @property
    def reached(self) -> Mapping[tuple[str, int], int]:
        """Give for each (context, partition) that has any the offset of the last decision that is in it."""

    async def wait_for(self, positions: Mapping[tuple[str, int], int], timeout_s: float) -> bool:
        """Wait until these positions are in it; say whether they are."""


def read_position(text: str, name: str = "min_position") -> dict[tuple[str, int], int]:
    """Read a position token that a client sent; raises ``invalid_request``."""
    try:
        return read_token(text)
    except InvalidToken as error:
        raise invalid(f"/{name}", str(error)) from None


async def wait_until_reached(
    model: ReadModel, positions: Mapping[tuple[str, int], int], wait_ms: int, contexts: Sequence[str] = (CONTEXT,)
) -> None:
    """Wait until a read model has these positions of these contexts; raises ``not_caught_up``.

    Positions of contexts that are not read are ignored.
    """
    wanted = {where: offset for where, offset in positions.items() if where[0] in contexts}
    if wanted and not await model.wait_for(wanted, wait_ms / 1000):
        raise not_caught_up()


def not_caught_up() -> ProblemError:
    """Make the problem of a position that was not reached in time."""
    return ProblemError("not_caught_up", headers={"Retry-After": str(RETRY_AFTER_S)})


async def wait_until_ended(model: ReadModel, ends: LogEnds, partition: int | None = None) -> None:
    """Wait until a read model has all that was decided of a context before this was called, or of one partition of it.

    Raises ``log_unavailable``, ``not_caught_up``.
    """
    try:
        found = await ends.now()
    except LogUnavailable:
        raise ProblemError("log_unavailable", headers={"Retry-After": str(RETRY_AFTER_S)}) from None
    partitions = found if partition is None else [partition]
    wanted = {(ends.context, each): found[each] - 1 for each in partitions if found[each]}
    if wanted and not await model.wait_for(wanted, CATCH_UP_S):
        raise not_caught_up()


async def wait_until_fresh(model: ReadModel, query: FreshQuery, contexts: Sequence[str] = (CONTEXT,)) -> None:
    """Wait for the ``min_position`` of a request, as long as its ``wait_ms`` allows."""
    if query.min_position is not None:
        await wait_until_reached(model, read_position(query.min_position), query.wait_ms, contexts)


def as_of(model: ReadModel) -> dict[str, str]:
    """Give the header that says what a read model has; to be taken before the model is read."""
    reached = model.reached
    return {AS_OF: write_token(reached)} if reached else {}
