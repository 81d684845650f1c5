"""Base58 as Bitcoin writes it: what a key's text in a DID is made of. Source: draft-msporny-base58-03."""

from __future__ import annotations

from typing import Final

max_characters: Final = 128

_alphabet: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_digits: Final = {character: digit for digit, character in enumerate(_alphabet)}


class InvalidBase58(ValueError):
    """The text is no base58; `detail` is safe to show to whoever sent it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def base58_encode(content: bytes) -> str:
    """Return bytes in base58btc; each leading zero byte is a `1`."""
    number = int.from_bytes(content, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_alphabet[digit])
    leading_zeros = len(content) - len(content.lstrip(b"\0"))
    return "1" * leading_zeros + "".join(reversed(digits))


def base58_decode(text: str) -> bytes:
    """Return the bytes that base58btc text stands for; raises `InvalidBase58` on other letters and on over-long text.

    The length is bounded first: the conversion takes time that grows with its square.
    """
    if len(text) > max_characters:
        raise InvalidBase58(f"base58 of more than {max_characters} characters")
    number = 0
    for character in text:
        digit = _digits.get(character)
        if digit is None:
            raise InvalidBase58("not in the base58btc alphabet")
        number = number * 58 + digit
    leading_zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * leading_zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
