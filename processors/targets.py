"""Which addresses a webhook may call: public ones, checked where the socket is made, so that no later lookup counts.

The names of a host are resolved once for a connection; all of its addresses must be public, and the connection goes to
one of them. An address in the URL itself, in whatever spelling, passes the same check before its socket exists.
"""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

Targets = Literal["public", "any"]
SCHEMES: Final = ("http", "https")
MAX_URL_CHARACTERS: Final = 2048

_global_unicast: Final = ip_network("2000::/3")
_carries_ipv4: Final = tuple(
    map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::ffff:0:0/96"))
)
"""NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380), IPv4-mapped: an IPv4 address lies behind each."""
_not_for_calls: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",
            "192.0.0.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
        ),
    )
)
"""Special purposes of the IANA registries (RFC 6890 and later) that Python's ``is_global`` doesn't all know."""


class TargetRefused(OSError):
    """A target that may not be called; the message says why and names no address."""


def is_public(address: str) -> bool:
    """Tell whether an address in text is one that anyone on the Internet could reach, and is not a way to another."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if "%" in address or not parsed.is_global or parsed.is_multicast or parsed.is_reserved:
        return False
    if isinstance(parsed, IPv6Address) and parsed not in _global_unicast:
        return False
    return not any(parsed in each for each in (*_carries_ipv4, *_not_for_calls) if each.version == parsed.version)


def check_url(url: str) -> None:
    """Refuse a URL that no webhook may have, as for another scheme or a password in it. Raises TargetRefused."""
    if len(url) > MAX_URL_CHARACTERS:
        raise TargetRefused(f"the URL has more than {MAX_URL_CHARACTERS} characters")
    if any(character <= " " or character == "\x7f" for character in url):
        raise TargetRefused("the URL has blanks or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TargetRefused("this is not a URL") from error
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0:
        raise TargetRefused("the URL starts with https:// or http:// and names a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise TargetRefused("the URL has no user, password or fragment")


async def check_target(url: str, targets: Targets = "public") -> None:
    """Refuse a URL that could not be called now, as the sender would. Raises TargetRefused.

    A host whose name has no address yet is let through: it may have one when something is due.
    """
    check_url(url)
    if targets == "any":
        return
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(parts.hostname, parts.port or 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    _check_all([str(entry[4][0]) for entry in found])


def _check_all(addresses: Sequence[str]) -> None:
    if not all(map(is_public, addresses)):
        raise TargetRefused("the target is not a public address")


class PublicResolver(AbstractResolver):
    """Resolves a host and refuses it unless every address that it has is public."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give a host's addresses. Raises TargetRefused; OSError where there is none."""
        found = await self._resolver.resolve(host, port, family)
        _check_all([entry["host"] for entry in found])
        return found

    async def close(self) -> None:
        """Let go of the resolver."""
        await self._resolver.close()


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """Make the socket of a connection to a public address; the address given here is the one that is connected to."""
    family, kind, protocol, _, address = info
    _check_all([str(address[0])])
    return socket.socket(family, kind, protocol)
