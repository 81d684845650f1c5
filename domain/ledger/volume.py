"""What moved in a frame, by the hour: the last 24 hours of it make the velocity that fees may go by."""

from collections.abc import Iterable
from typing import Final

from domain.decider import Change, State

BPS: Final = 10_000
HOUR_MS: Final = 3_600_000
HOURS: Final = 24


def volume_key(frame_id: str, hour: int) -> str:
    """Give the key of what moved in one hour (counted from 1970): (hour, micro-AVT), in a slot that comes round."""
    return f"volume/{frame_id}/{hour % HOURS}"


def volume_of(state: State, frame_id: str, hour: int) -> int:
    """Give what moved in one hour, if its slot is not another hour's."""
    entry = state.get(volume_key(frame_id, hour))
    return 0 if entry is None or entry[0] != hour else int(entry[1])


def count_volume(state: State, frame_id: str, amount: int, at: int) -> Iterable[Change]:
    """Count an amount that moved."""
    hour = at // HOUR_MS
    yield volume_key(frame_id, hour), (hour, volume_of(state, frame_id, hour) + amount)


def volume_of_a_day(state: State, frame_id: str, at: int) -> int:
    """Give what moved in the 24 hours that end with the current one."""
    hour = at // HOUR_MS
    return sum(volume_of(state, frame_id, each) for each in range(hour - HOURS + 1, hour + 1))
