"""The retry schedule, for every chance and every target."""

import random
from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from processors.webhook_retrying import (
    FIRST_RETRY_WITHIN_MS,
    RETRY_AT_LEAST_MS,
    RETRY_AT_MOST_MS,
    RETRY_FOR_MS,
    asked_wait_ms,
    backoff_ms,
    retry_at,
)

NOW = 1_760_000_000_000
chances = st.floats(0, 1, exclude_max=True)


@given(chances)
def test_the_first_retry_comes_within_five_seconds(chance: float) -> None:
    at = retry_at(1, NOW, None, None, lambda: chance)
    assert at is not None
    assert RETRY_AT_LEAST_MS <= at - NOW <= FIRST_RETRY_WITHIN_MS


@given(st.integers(1, 10_000), chances)
def test_no_wait_is_longer_than_an_hour_and_each_is_spread_over_all_of_its_span(attempt: int, chance: float) -> None:
    assert RETRY_AT_LEAST_MS <= backoff_ms(attempt, lambda: chance) <= RETRY_AT_MOST_MS
    assert backoff_ms(attempt, lambda: 0.999) >= backoff_ms(attempt, lambda: chance) - RETRY_AT_MOST_MS // 500


@given(st.integers(0, 1 << 32))
def test_attempts_go_on_for_24_hours_and_then_end(seed: int) -> None:
    chance = random.Random(seed).random  # noqa: S311  # chance, not a secret
    now, attempt = NOW, 1
    at = retry_at(attempt, now, None, None, chance)
    while at is not None:
        now, attempt = at, attempt + 1
        at = retry_at(attempt, now, NOW, None, chance)
    assert now == NOW + RETRY_FOR_MS
    assert 20 < attempt < 200


@given(st.text(max_size=40) | st.integers(-5, 10**12).map(str))
def test_any_retry_after_is_read_or_passed_over(text: str) -> None:
    wait = asked_wait_ms(text, NOW)
    assert wait is None or wait >= 0
    at = retry_at(3, NOW, NOW - 1000, wait, lambda: 0.5)
    assert at is not None
    assert at - NOW <= RETRY_AT_MOST_MS


def test_retry_after_is_seconds_or_a_date() -> None:
    assert asked_wait_ms("120", NOW) == 120_000
    assert asked_wait_ms(formatdate(NOW // 1000 + 60, usegmt=True), NOW) == 60_000
    assert asked_wait_ms(formatdate(NOW // 1000 - 60, usegmt=True), NOW) == 0
    assert asked_wait_ms(None, NOW) is None
