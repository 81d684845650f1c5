"""ECDSA signatures in DER, which has one spelling of each: a sequence of the two numbers r and s.

Sources: ITU-T X.690 for the encoding, BIP-66 for the one spelling of each number.
"""

from __future__ import annotations

from typing import Final

_least_bytes: Final = 8
_most_bytes: Final = 72
_number_bytes: Final = 32
_integer: Final = 0x02
_sequence: Final = 0x30


class InvalidDer(ValueError):
    """The bytes are no signature in DER; `detail` is safe to show to whoever sent it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def read_der(signature: bytes) -> bytes:
    """Read a signature: r and s, 32 bytes each. Raises `InvalidDer`."""
    if not _least_bytes <= len(signature) <= _most_bytes or signature[:2] != bytes([_sequence, len(signature) - 2]):
        raise InvalidDer("the signature is no sequence of DER")
    r, rest = _read_number(signature[2:])
    s, rest = _read_number(rest)
    if rest:
        raise InvalidDer("the signature's DER goes on behind s")
    return r + s


def _read_number(content: bytes) -> tuple[bytes, bytes]:
    """Read a positive number of at most 32 bytes as 32, and what comes behind it."""
    size = content[1] if len(content) > 1 else 0
    number, rest = content[2 : 2 + size], content[2 + size :]
    spelled = len(number) == size > 0 and content[0] == _integer and number[0] < 0x80  # no sign
    padded = size > 1 and number[0] == 0 and number[1] < 0x80  # as above
    value = number.lstrip(b"\0")
    if not spelled or padded or len(value) > _number_bytes:
        raise InvalidDer("the signature's DER spells r or s in another way than the shortest")
    return value.rjust(_number_bytes, b"\0"), rest


def write_der(signature: bytes) -> bytes:
    """Write a signature of r and s, 32 bytes each, which are not zero."""
    numbers = b"".join(_written_number(signature[at : at + _number_bytes]) for at in (0, _number_bytes))
    return bytes([_sequence, len(numbers)]) + numbers


def _written_number(number: bytes) -> bytes:
    value = number.lstrip(b"\0")
    spelled = b"\0" + value if value[:1] >= b"\x80" else value  # it would be read as negative
    return bytes([_integer, len(spelled)]) + spelled
