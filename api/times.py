"""Times: RFC 3339 on the wire, whole milliseconds since 1970 UTC inside."""

import re
from datetime import UTC, datetime
from functools import lru_cache

FORM = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,18}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))", re.ASCII
)
REMEMBERED = 4_096
"""Times seen lately: a fact's is read twice, and those that were decided together are the same."""
EARLIEST_MS = -62_135_596_800_000
LATEST_MS = 253_402_300_799_999


class InvalidTime(ValueError):
    """Text that is no RFC 3339 date-time between the years 1 and 9999."""


@lru_cache(maxsize=REMEMBERED)
def rfc3339(at: int) -> str:
    """Write a time with milliseconds in UTC: ``2025-10-13T03:00:00.000Z``."""
    seconds, millis = divmod(at, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{millis:03}Z"


@lru_cache(maxsize=REMEMBERED)
def read_time(text: str) -> int:
    """Read an RFC 3339 date-time (section 5.6); what is finer than a millisecond is cut. Raises InvalidTime."""
    found = FORM.fullmatch(text)
    if found is None:
        raise InvalidTime("this is no RFC 3339 date-time")
    try:
        parts = (int(part) for part in found.groups()[:6])
        seconds = int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]  # six numbers
    except ValueError:
        raise InvalidTime("this is no date-time of the calendar") from None
    if found[8] is not None:
        hours, minutes = int(found[9]), int(found[10])
        if hours > 23 or minutes > 59:
            raise InvalidTime("this is no offset from UTC")
        seconds += (-1 if found[8] == "+" else 1) * (hours * 60 + minutes) * 60
    at = seconds * 1000 + int(((found[7] or "") + "000")[:3])
    if not EARLIEST_MS <= at <= LATEST_MS:
        raise InvalidTime("this time is not between the years 1 and 9999")
    return at


def is_time(text: str) -> bool:
    """Tell whether text is an RFC 3339 date-time."""
    try:
        read_time(text)
    except InvalidTime:
        return False
    return True
