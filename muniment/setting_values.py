"""How a setting is described, and what its text may be: each reads one, or raises ValueError with what it must be."""

import re
from collections.abc import Callable
from dataclasses import field
from typing import Any
from urllib.parse import urlsplit


def text(given: str) -> str:
    """Take any text but none. Raises ValueError."""
    if not given:
        raise ValueError("is empty")
    return given


def setting(
    default: Any, doc: str, *, read: Callable[[str], Any] = text, secret: bool = False, metavar: str | None = None
) -> Any:
    """Describe one setting; without a ``metavar`` it has no flag, because every user of a machine sees its flags."""
    return field(default=default, repr=not secret, metadata={"doc": doc, "read": read, "secret": secret, "of": metavar})


def port(given: str) -> int:
    """Read a port. Raises ValueError."""
    if not given.isdecimal() or not 1 <= int(given) <= 65_535:
        raise ValueError("is a number from 1 to 65535")
    return int(given)


def up_to(most: int) -> Callable[[str], int]:
    """Make what reads a number from 1 to this."""

    def read(given: str) -> int:
        if not given.isdecimal() or not 1 <= int(given) <= most:
            raise ValueError(f"is a number from 1 to {most}")
        return int(given)

    return read


def url(given: str) -> str:
    """Read a URL of the web, without the slash at its end. Raises ValueError."""
    parts = urlsplit(given)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is a URL that starts with http:// or https://")
    return given.rstrip("/")


def webhook_targets(given: str) -> str:
    """Read which targets of webhooks are allowed. Raises ValueError."""
    if given not in {"public", "any"}:
        raise ValueError("is public or any")
    return given


def words(given: str) -> tuple[str, ...]:
    """Read words separated by commas. Raises ValueError."""
    words = tuple(word.strip() for word in given.split(","))
    if not all(words):
        raise ValueError("is words separated by commas")
    return words


def name(given: str) -> str:
    """Read the name of a process. Raises ValueError."""
    if not given or len(given) > 128 or not all(each.isalnum() or each in "._-" for each in given):
        raise ValueError("is up to 128 letters, digits, dots, dashes and underscores")
    return given


def frame(given: str) -> str:
    """Read the id of a frame. Raises ValueError."""
    if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", given) is None:
        raise ValueError("is up to 63 small letters, digits and dashes")
    return given


def level(given: str) -> str:
    """Read how much the journal tells. Raises ValueError."""
    if given not in {"debug", "info", "warning", "error"}:
        raise ValueError("is debug, info, warning or error")
    return given
