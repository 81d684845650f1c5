"""An amount of tokens: an integer of micro-AVT in Python, its decimal digits on the wire, AVT for people."""

import re
from typing import Final

from domain.ledger.posting import MAX_AMOUNT
from domain.ledger.registry import AVT

DECIMALS: Final = 6
_WIRE: Final = re.compile(r"-?[0-9]{1,39}")
_AVT: Final = re.compile(r"([0-9]{1,39})(?:\.([0-9]{1,39}))?")


class InvalidAmount(ValueError):
    """No amount, or one that can't be; the message says why and not how it was written."""


def written_amount(micro: int) -> str:
    """Write an amount as it is sent and signed: the digits of micro-AVT. Raises InvalidAmount."""
    if isinstance(micro, bool) or not isinstance(micro, int):
        raise InvalidAmount("an amount is an integer of micro-AVT")
    if not 0 <= micro <= MAX_AMOUNT:
        raise InvalidAmount(f"an amount is from 0 to {MAX_AMOUNT} micro-AVT")
    return str(micro)


def read_amount(digits: object) -> int:
    """Read an amount as it is answered; what left an account is negative. Raises InvalidAmount."""
    if not isinstance(digits, str) or _WIRE.fullmatch(digits) is None:
        raise InvalidAmount("an amount is decimal digits of micro-AVT")
    return int(digits)


def read_avt(text: str) -> int:
    """Read what a person writes, ``1.5``, and give micro-AVT. Raises InvalidAmount."""
    found = _AVT.fullmatch(text)
    if found is None:
        raise InvalidAmount(_why_not(text))
    whole, fraction = found[1], found[2] or ""
    if len(fraction) > DECIMALS:
        raise InvalidAmount(f"an amount has at most {DECIMALS} decimals")
    micro = int(whole) * AVT + int(fraction.ljust(DECIMALS, "0"))
    if not micro:
        raise InvalidAmount("an amount is more than zero")
    if micro > MAX_AMOUNT:
        raise InvalidAmount(f"an amount is at most {written_avt(MAX_AMOUNT)} AVT")
    return micro


def _why_not(text: str) -> str:
    if text.startswith("-") and _AVT.fullmatch(text[1:]):
        return "an amount is not negative"
    if text != text.strip() or " " in text:
        return "an amount has no spaces"
    if re.fullmatch(r"[0-9.]+[eE][+-]?[0-9]+", text):
        return "an amount has no exponent"
    if re.fullmatch(r"[0-9]{40,}(\.[0-9]*)?", text):
        return f"an amount is at most {written_avt(MAX_AMOUNT)} AVT"
    if re.fullmatch(r"[0-9]+\.[0-9]{40,}", text):
        return f"an amount has at most {DECIMALS} decimals"
    return f"an amount is AVT in plain digits with at most {DECIMALS} decimals, such as 1.5"


def written_avt(micro: int) -> str:
    """Write an amount for people, in AVT without zeros that say nothing."""
    whole, rest = divmod(abs(micro), AVT)
    fraction = f"{rest:0{DECIMALS}}".rstrip("0")
    return ("-" if micro < 0 else "") + str(whole) + (f".{fraction}" if fraction else "")
