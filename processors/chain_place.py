"""Where a chain is asked: at an https URL, or in clear where it answers on this very machine."""

import base64
import ipaddress
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

MAX_URL_CHARACTERS: Final = 2048


class InvalidChainUrl(ValueError):
    """A URL at which no chain is asked; the message says what it must be and repeats nothing of it."""


class ChainUrl(NamedTuple):
    """Where a chain answers, without a slash at its end, and the ``user:password`` that its URL had."""

    url: str
    credentials: str | None


def read_chain_url(given: str) -> ChainUrl:
    """Read where a chain answers. Raises InvalidChainUrl."""
    try:
        parts = urlsplit(given)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidChainUrl("is no URL") from None
    unprintable = any(each <= " " or each == "\x7f" for each in given)
    if not host or port == 0 or parts.query or parts.fragment or unprintable or len(given) > MAX_URL_CHARACTERS:
        raise InvalidChainUrl("is a URL with a host, without blanks, query and fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise InvalidChainUrl("starts with https://, or with http:// where the chain answers on this very machine")
    user, at, place = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    url = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
    return ChainUrl(url, f"{unquote(name)}:{unquote(password)}" if at else None)


def basic(credentials: str) -> str:
    """Write ``user:password`` as the header Authorization has it (RFC 7617)."""
    return "Basic " + base64.b64encode(credentials.encode()).decode("ascii")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its address or the name that it has for itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
