"""What moved in a frame, by the hour: the last 24 hours of it make the velocity that fees may go by."""

from collections.abc import Iterable
from typing import Final

from domain.decider import Change, State

BPS: Final = 10_000
HOUR_MS: Final = 3_600_000
HOURS: Final = 24


def volume_key(frame_id: str, hour: int) -> str:
    """Give the key of what moved in one hour (counted from 1970)."""
    return f"volume/{frame_id}/{hour}"


def count_volume(state: State, frame_id: str, amount: int, at: int) -> Iterable[Change]:
    """Count an amount that moved, and forget the hour that is too old by now."""
    hour = at // HOUR_MS
    key = volume_key(frame_id, hour)
    entry = state.get(key)
    if entry is None and state.get(old := volume_key(frame_id, hour - HOURS)) is not None:
        yield old, None
    yield key, (amount + (0 if entry is None else entry[0]),)


def volume_of_a_day(state: State, frame_id: str, at: int) -> int:
    """Give what moved in the 24 hours that end with the current one."""
    hour = at // HOUR_MS
    entries = (state.get(volume_key(frame_id, each)) for each in range(hour - HOURS + 1, hour + 1))
    return sum(entry[0] for entry in entries if entry is not None)
