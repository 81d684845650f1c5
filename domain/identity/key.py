"""A key of a DID holds for a window of the log's time; what was signed in it stays signed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

AUTHENTICATION: Final = "authentication"
ASSERTION: Final = "assertion"
MAX_KEYS: Final = 20
"""How many keys without an end a DID has at most."""
MAX_HOLDING: Final = 100
"""How many keys hold at once at most, those included whose end is ahead."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as an operation names it; ``type`` is ed25519, secp256k1 or p256, ``purposes`` of what it may sign."""

    id: str
    type: str
    public_key_multibase: str
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyWindow:
    """A key and when it holds: from ``valid_from`` until before ``valid_until``, in ms of the log's time.

    What it signed from ``compromised_since`` on is marked. An id names one key at a time, and may name another later:
    a window is known by its id and ``valid_from``.
    """

    id: str
    type: str
    public_key_multibase: str
    purposes: tuple[str, ...]
    valid_from: int
    valid_until: int | None
    compromised_since: int | None

    def holds(self, at: int) -> bool:
        """Tell whether the key holds at a time."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)

    def compromised(self, at: int) -> bool:
        """Tell whether what it signed at a time is marked."""
        return self.compromised_since is not None and at >= self.compromised_since

    def ended(self, at: int) -> "KeyWindow":
        """Give the window with this end, or with the earlier one that it has."""
        return replace(self, valid_until=at if self.valid_until is None else min(self.valid_until, at))

    def marked(self, since: int) -> "KeyWindow":
        """Give the window compromised since this moment, or since the earlier one that it has."""
        known = self.compromised_since
        return replace(self, compromised_since=since if known is None else min(known, since))

    @property
    def name(self) -> tuple[str, int]:
        """Give what no other window of the DID has."""
        return self.id, self.valid_from

    @property
    def entry(self) -> tuple[Any, ...]:
        """Give the window as a state holds it."""
        public = (self.id, self.type, self.public_key_multibase, self.purposes)
        return *public, self.valid_from, self.valid_until, self.compromised_since


def window_of(entry: Sequence[Any]) -> KeyWindow:
    """Read a window as a state holds it."""
    key_id, kind, public_key, purposes, *times = entry
    return KeyWindow(key_id, kind, public_key, tuple(purposes), *times)


def opened(keys: Sequence[Key], at: int) -> tuple[KeyWindow, ...]:
    """Give the windows of keys that hold from a moment on."""
    return tuple(KeyWindow(key.id, key.type, key.public_key_multibase, key.purposes, at, None, None) for key in keys)
