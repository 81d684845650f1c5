"""When a failed delivery is tried again: exponential backoff with full jitter, over 24 hours, then it is parked."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_RETRY_WITHIN_MS: Final = 5_000
RETRY_AT_LEAST_MS: Final = 250
RETRY_AT_MOST_MS: Final = 60 * 60 * 1000
RETRY_FOR_MS: Final = 24 * 60 * 60 * 1000


def backoff_ms(attempt: int, chance: Callable[[], float]) -> int:
    """Give the wait after an attempt (the first is 1); ``chance`` gives a number from 0 up to 1."""
    ceiling = min(RETRY_AT_MOST_MS, FIRST_RETRY_WITHIN_MS << min(attempt - 1, 16))
    return max(RETRY_AT_LEAST_MS, int(ceiling * chance()))


def retry_at(
    attempt: int, now: int, first_failed_at: int | None, asked_wait_ms: int | None, chance: Callable[[], float]
) -> int | None:
    """Say when (ms) to try again after an attempt that failed now, or nothing when its 24 hours are over.

    They begin with the first failure, so that a delivery which had to wait for its turn has all of them, and the last
    attempt falls on their end. What the target asked for (``Retry-After``) is kept to, up to an hour.
    """
    over_at = (now if first_failed_at is None else first_failed_at) + RETRY_FOR_MS
    if now >= over_at:
        return None
    wait = backoff_ms(attempt, chance)
    if asked_wait_ms is not None:
        wait = max(wait, min(asked_wait_ms, RETRY_AT_MOST_MS))
    return min(now + wait, over_at)


def asked_wait_ms(retry_after: str | None, now: int) -> int | None:
    """Read a ``Retry-After`` (RFC 9110: seconds or a date); what can't be read asks for nothing."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9]) * 1000
    try:
        return max(0, int(parsedate_to_datetime(text).timestamp() * 1000) - now)
    except (ValueError, OverflowError, TypeError):
        return None
