"""Canonical JSON (RFC 8785) and the ids made from digests; rfc8785 has its only door here.

What is signed and what is hashed is always these bytes, so two writers of the same value agree on every byte of it.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

import rfc8785

from log import strict_json
from log.strict_json import largest_safe_number

max_depth_levels: Final = 128

_containers: Final = (dict, list, tuple)


class NotCanonicalizable(ValueError):
    """The value has no canonical form: not finite, beyond 2^53 - 1, not Unicode, too deep, or no JSON at all."""


def canonical_json(value: object) -> bytes:
    """Return the canonical form of a JSON value, in UTF-8.

    Integers beyond 2^53 - 1, NaN, infinities, lone surrogates and nesting deeper than 128 raise `NotCanonicalizable`.
    Standard: RFC 8785 (JSON Canonicalization Scheme).
    """
    try:
        if _is_plain(value, max_depth_levels):
            return strict_json.dump_sorted(value)
        _refuse_depth(value)
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except NotCanonicalizable:
        raise
    except UnicodeEncodeError:
        raise NotCanonicalizable("a member's name has a lone surrogate") from None
    except ValueError as error:
        raise NotCanonicalizable(str(error)) from None


def _is_plain(value: object, levels_left: int) -> bool:
    """Tell whether sorting by code point and plain digits give the canonical form: ASCII names and no fractions.

    Outside of that, RFC 8785 orders names by UTF-16 code units (section 3.2.3) and writes numbers as ECMAScript does
    (section 3.2.2.3), which is the slower writer's work.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return -largest_safe_number <= value <= largest_safe_number  # type: ignore[operator]
    if levels_left == 0:
        return False
    if kind is dict:
        for name, member in value.items():  # type: ignore[attr-defined]
            if type(name) is not str or not name.isascii():
                return False
            if type(member) is not str and not _is_plain(member, levels_left - 1):
                return False
        return True
    if kind is list:
        for item in value:  # type: ignore[attr-defined]  # noqa: SIM110 - a generator would take a frame per level
            if not _is_plain(item, levels_left - 1):
                return False
        return True
    return False


def _refuse_depth(value: object) -> None:
    level: list[Any] = [(value,)]
    for _ in range(max_depth_levels + 1):
        items = [item for container in level for item in container]
        level = [item.values() if isinstance(item, dict) else item for item in items if isinstance(item, _containers)]
        if not level:
            return
    raise NotCanonicalizable(f"nested deeper than {max_depth_levels}")


def sha256_base64(content: bytes) -> str:
    """Return the SHA-256 of some bytes in base64, padded: 44 characters."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode("ascii")


def base32_id(prefix: str, digest: bytes, length: int | None = None) -> str:
    """Return an id: the prefix, then the digest in lower-case base32 without padding, cut to `length` characters.

    Standard: RFC 4648 section 6.
    """
    return prefix + base64.b32encode(digest).decode("ascii").rstrip("=").lower()[:length]


def canonical_hash(value: object) -> str:
    """Return base64(SHA-256(RFC 8785(value))), the hash under which a fact's body is known."""
    return sha256_base64(canonical_json(value))
