"""Rate limits: one token bucket per caller, by the session's DID or else by the peer's address."""

import ipaddress
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.caller import Caller
from api.problems import ProblemError
from domain.facts.signer import ROLES

ANONYMOUS = "anonymous"
SESSION = "session"
PUBLIC_KEY = "public_key"
"""A tier of its own: how many intents of a public key are taken in a minute, whoever sends them."""
UNLIMITED = 10**9
BUCKETS_MAX = 50_000
WINDOW_S = 60
IPV6_NETWORK_BITS = 64


class InvalidRateLimits(ValueError):
    """A file that sets no rate limits; the message says why."""


@dataclass(frozen=True, slots=True)
class Tier:
    """How many requests a caller may send in a minute; as many at once."""

    name: str
    per_minute: int


DEFAULT_TIERS: Mapping[str, Tier] = {
    ANONYMOUS: Tier(ANONYMOUS, 60),
    SESSION: Tier(SESSION, 300),
    PUBLIC_KEY: Tier(PUBLIC_KEY, 60),
}


def read_tiers(path: Path) -> Mapping[str, Tier]:
    """Read tiers from a JSON file ``{"anonymous": 60, "session": 300, "curator": 6000}``: requests per minute.

    Names are ``anonymous``, ``session``, ``public_key`` (intents of a key) and the roles; a caller with several roles
    gets the largest. Raises InvalidRateLimits.
    """
    try:
        given = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidRateLimits(f"{path}: {error}") from None
    names = {ANONYMOUS, SESSION, PUBLIC_KEY, *ROLES}
    if not isinstance(given, dict) or not set(given) <= names:
        raise InvalidRateLimits(f"{path}: its members are requests per minute for {', '.join(sorted(names))}")
    if any(type(number) is not int or not 1 <= number <= 10**9 for number in given.values()):
        raise InvalidRateLimits(f"{path}: requests per minute are whole numbers from 1")
    return {**DEFAULT_TIERS, **{name: Tier(name, number) for name, number in given.items()}}


@dataclass(slots=True)
class RateLimits:
    """The buckets; no tiers: no limits. Those that were not asked for longest are dropped when there are too many."""

    tiers: Mapping[str, Tier] = field(default_factory=lambda: DEFAULT_TIERS)
    buckets_max: int = BUCKETS_MAX
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    @classmethod
    def of_setting(cls, setting: str) -> "RateLimits":
        """Read ``off``, ``default`` or the path of a file. Raises InvalidRateLimits."""
        if setting == "off":
            return cls(tiers={})
        return cls() if setting == "default" else cls(read_tiers(Path(setting)))

    @property
    def intents_per_minute(self) -> int:
        """Say how many intents of one public key are taken in a minute."""
        return self.tiers[PUBLIC_KEY].per_minute if self.tiers else UNLIMITED

    def admit(
        self, caller: Caller | None, remote: str | None, roles: Callable[[str], frozenset[str]]
    ) -> dict[str, str]:
        """Take a token for a request and give the headers that say so; raises ``rate_limited``.

        Headers: draft-ietf-httpapi-ratelimit-headers-10.
        """
        counted = self.counted_under(caller, remote, roles)
        if counted is None:
            return {}
        name, tier = counted
        left, wait_s = self._take(name, tier.per_minute)
        headers = {
            "RateLimit-Policy": f'"{tier.name}";q={tier.per_minute};w={WINDOW_S}',
            "RateLimit": f'"{tier.name}";r={left};t={math.ceil(wait_s)}',
        }
        if left < 0:
            headers["RateLimit"] = f'"{tier.name}";r=0;t={math.ceil(wait_s)}'
            raise ProblemError("rate_limited", headers={**headers, "Retry-After": str(max(1, math.ceil(wait_s)))})
        return headers

    def counted_under(
        self, caller: Caller | None, remote: str | None, roles: Callable[[str], frozenset[str]]
    ) -> tuple[str, Tier] | None:
        """Name what a caller is counted under, and give its tier; nothing where there are no limits."""
        if not self.tiers:
            return None
        if caller is None:
            return f"peer/{network_of(remote)}", self.tiers[ANONYMOUS]
        return f"did/{caller.identity}", self._tier(roles(caller.identity))

    def _tier(self, roles: frozenset[str]) -> Tier:
        own = [self.tiers[role] for role in roles if role in self.tiers]
        return max([self.tiers[SESSION], *own], key=lambda tier: tier.per_minute)

    def _take(self, name: str, per_minute: int) -> tuple[int, float]:
        """Give how many tokens are left after this one (-1: there was none), and in how many seconds one more is."""
        now, rate = self.clock(), per_minute / WINDOW_S
        tokens, at = self._buckets.get(name, (float(per_minute), now))
        tokens = min(float(per_minute), tokens + (now - at) * rate)
        taken = tokens >= 1
        tokens -= taken
        self._buckets[name] = (tokens, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > self.buckets_max:
            self._buckets.popitem(last=False)
        return (int(tokens) if taken else -1), (1 - tokens % 1) / rate


def network_of(remote: str | None) -> str:
    """Give what an address is counted under: an IPv6 customer has a whole /64 of them."""
    try:
        address = ipaddress.ip_address((remote or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
    return str(address)
