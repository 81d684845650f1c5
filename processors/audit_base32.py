"""Whether an id names a digest, without writing the digest out: millions of ids are compared."""

import re
from typing import Final

BITS_PER_LETTER: Final = 5
LETTERS: Final = re.compile(r"[a-z2-7]+")
AS_DIGITS: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz234567", "0123456789abcdefghijklmnopqrstuv")
"""From the letters of base32 (RFC 4648) to those in which Python reads a number of base 32."""


def names(text: str, digest: bytes) -> bool:
    """Tell whether text is the beginning of a digest in lower-case base32, or all of it without padding."""
    if LETTERS.fullmatch(text) is None:
        return False
    spare = BITS_PER_LETTER * len(text) - 8 * len(digest)
    number = int.from_bytes(digest, "big")
    return int(text.translate(AS_DIGITS), 32) == (number << spare if spare >= 0 else number >> -spare)
