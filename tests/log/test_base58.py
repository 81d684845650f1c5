"""Base58 gives back what it was made of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log.base58 import InvalidBase58, base58_decode, base58_encode, max_characters


@settings(deadline=None)
@given(st.binary(max_size=90))
def test_base58_gives_back_the_bytes_with_their_leading_zeros(content: bytes) -> None:
    assert base58_decode(base58_encode(content)) == content


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"Hello World!", "2NEpo7TZRRrLZSi2U"), (bytes.fromhex("0000287fb4cd"), "11233QC4"), (b"", ""), (b"\0", "1")],
)
def test_base58_is_that_of_its_draft_standard(content: bytes, text: str) -> None:
    # draft-msporny-base58-03 section 5.
    assert base58_encode(content) == text
    assert base58_decode(text) == content


def test_base58_of_great_length_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidBase58):
        base58_decode("z" * (max_characters + 1))


@pytest.mark.parametrize("letter", ["0", "O", "I", "l", "+", "é", " "])
def test_letters_that_look_alike_are_refused(letter: str) -> None:
    with pytest.raises(InvalidBase58):
        base58_decode("2NEpo7" + letter)
