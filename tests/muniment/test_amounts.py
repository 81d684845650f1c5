"""Amounts: whole micro-AVT inside, digits on the wire, AVT with at most six decimals for people."""

import pytest

from muniment.amounts import InvalidAmount, read_amount, read_avt, written_amount, written_avt

MOST = 2**63 - 1

READ = {
    "1": 1_000_000,
    "1.5": 1_500_000,
    "1.50": 1_500_000,
    "0.000001": 1,
    "0.1": 100_000,
    "007.000000": 7_000_000,
    "1.234567": 1_234_567,
    "9223372036854.775807": MOST,
}
REFUSED = {
    "": "plain digits",
    "0": "more than zero",
    "0.0": "more than zero",
    "0.000000": "more than zero",
    "-1": "not negative",
    "-0.5": "not negative",
    "--1": "plain digits",
    "+1": "plain digits",
    " 1": "no spaces",
    "1 ": "no spaces",
    "1 000": "no spaces",
    "1\n": "no spaces",
    "1\u00a0": "no spaces",
    "1e3": "no exponent",
    "1E-3": "no exponent",
    "1.5e+2": "no exponent",
    "1.2345678": "at most 6 decimals",
    "1.0000000": "at most 6 decimals",
    "0.0000001": "at most 6 decimals",
    "0." + "0" * 5_000 + "1": "at most 6 decimals",
    "9223372036854.775808": "at most 9223372036854.775807 AVT",
    "9" * 20: "at most 9223372036854.775807 AVT",
    "9" * 5_000: "at most 9223372036854.775807 AVT",
    ".5": "plain digits",
    "5.": "plain digits",
    "1.2.3": "plain digits",
    "1,5": "plain digits",
    "1_000": "plain digits",
    "0x10": "plain digits",
    "NaN": "plain digits",
    "inf": "plain digits",
    "\u0661": "plain digits",
    "\uff11": "plain digits",
    "1.\u0665": "plain digits",
}


@pytest.mark.parametrize(("text", "micro"), READ.items())
def test_what_people_write_is_read_without_a_float(text: str, micro: int) -> None:
    assert read_avt(text) == micro


@pytest.mark.parametrize(("text", "why"), REFUSED.items(), ids=lambda value: repr(value)[:24])
def test_what_is_no_amount_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidAmount, match=why):
        read_avt(text)


@pytest.mark.parametrize(
    ("micro", "text"),
    [
        (0, "0"), (1, "0.000001"), (1_000_000, "1"), (1_500_000, "1.5"), (-1, "-0.000001"), (-1_500_000, "-1.5"),
        (1_000_000_000, "1000"), (MOST, "9223372036854.775807"),
    ],
)  # fmt: skip
def test_people_see_avt(micro: int, text: str) -> None:
    assert written_avt(micro) == text


@pytest.mark.parametrize("micro", [1, 999_999, 1_000_000, 123_456_789_012, MOST])
def test_what_people_see_is_read_as_the_same_amount(micro: int) -> None:
    assert read_avt(written_avt(micro)) == micro


@pytest.mark.parametrize(("micro", "digits"), [(0, "0"), (1, "1"), (MOST, "9223372036854775807")])
def test_digits_go_over_the_wire(micro: int, digits: str) -> None:
    assert (written_amount(micro), read_amount(digits)) == (digits, micro)


@pytest.mark.parametrize("micro", [-1, MOST + 1, True, 1.0, "1", None])
def test_what_no_amount_can_be_is_not_sent(micro: object) -> None:
    with pytest.raises(InvalidAmount):
        written_amount(micro)  # type: ignore[arg-type]


def test_what_left_an_account_is_read_as_negative() -> None:
    assert read_amount("-1500000") == -1_500_000


@pytest.mark.parametrize("digits", [1, 1.5, None, "", "1.5", "+1", "1e3", " 1", "--1", "1" * 40, "\u0661"])
def test_an_answer_that_is_no_amount_is_named_so(digits: object) -> None:
    with pytest.raises(InvalidAmount):
        read_amount(digits)
