"""Times as rows write them for readers: RFC 3339 in UTC, to the millisecond."""

from datetime import UTC, datetime
from typing import Final

LAST_TIME_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, which is where RFC 3339 ends."""


def written_time(at: int) -> str:
    """Write a time (ms since 1970 UTC) as RFC 3339; one that is past the year 9999 as that year's end."""
    seconds, milliseconds = divmod(min(max(at, 0), LAST_TIME_MS), 1000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds:03d}Z"
