"""Who asks how far the log is gets an answer that is not from before they asked, and the log is asked seldom."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from api.log_ends import LogEnds
from log.log import LogUnavailable
from log.memory import MemoryLog


class Slow(MemoryLog):
    """Says how far it is, a moment later."""

    def __init__(self) -> None:
        super().__init__()
        self.end, self.asked = 0, 0

    async def ends(self, topic: str, partitions: Sequence[int]) -> Mapping[int, int]:  # noqa: ARG002  # as every log
        """Give the end as it is when the question arrives."""
        self.asked += 1
        found = self.end
        await asyncio.sleep(0.005)
        if not self.reachable:
            raise LogUnavailable("away")
        return dict.fromkeys(partitions, found)


async def test_whoever_asks_while_the_log_is_asked_waits_for_the_next_answer() -> None:
    log = Slow()
    ends = LogEnds(log, "records", 1)
    first = asyncio.create_task(ends.now())
    await asyncio.sleep(0.001)
    log.end = 7
    assert await ends.now() == {0: 7}
    assert await first == {0: 0}


async def test_many_who_ask_at_once_share_a_question() -> None:
    log = Slow()
    ends = LogEnds(log, "records", 1)
    first = asyncio.create_task(ends.now())
    await asyncio.sleep(0.001)
    await asyncio.gather(first, *(ends.now() for _ in range(50)))
    assert log.asked == 2


async def test_no_answer_is_older_than_its_question_whoever_asks_when() -> None:
    log = Slow()
    ends = LogEnds(log, "records", 1)

    async def ask(number: int) -> None:
        await asyncio.sleep(number % 7 / 1000)
        log.end += 1
        mine = log.end
        assert (await ends.now())[0] >= mine

    await asyncio.gather(*(ask(number) for number in range(100)))


async def test_a_log_that_is_away_is_told_and_asked_again() -> None:
    log = Slow()
    ends = LogEnds(log, "records", 1)
    log.reachable = False
    for answer in await asyncio.gather(*(ends.now() for _ in range(3)), return_exceptions=True):
        assert isinstance(answer, LogUnavailable)
    log.reachable = True
    log.end = 3
    assert await ends.now() == {0: 3}


async def test_one_who_gives_up_leaves_the_others_their_answer() -> None:
    log = Slow()
    ends = LogEnds(log, "records", 1)
    gone, other = asyncio.create_task(ends.now()), asyncio.create_task(ends.now())
    await asyncio.sleep(0.001)
    gone.cancel()
    assert await other == {0: 0}
    with pytest.raises(asyncio.CancelledError):
        await gone
