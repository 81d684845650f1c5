"""Keys of registered DIDs, as the mirror has them: whether one signs now, and where on the log it was seen to."""

import time
from typing import Any, Final, NamedTuple

from api.problems import ProblemError, invalid
from domain.did import identity
from domain.identity.identifier import identifier, windows_of_key
from domain.identity.key import ASSERTION
from log.message import Signature
from log.public_keys import PublicKey
from log.signatures import usable_key
from projections.mirror import Mirror

CONTEXT: Final = "identity"
METHOD: Final = "did:mun:"


class RegisteredKey(NamedTuple):
    """A key that holds now: its text (multibase), itself, and the position (``identity/…``) at which it was seen to."""

    multibase: str
    key: PublicKey
    seen_at: str

    def signature(self, did: str, key_id: str, signed: bytes, signature: str) -> Signature:
        """Give a signature by this key, as a command carries it."""
        return Signature(self.key.type, did, key_id, signed, signature, self.multibase, self.seen_at)


def is_registered(did: str) -> bool:
    """Tell whether a DID's keys stand on the log, rather than in its own text."""
    return did.startswith(METHOD)


def registered_key(mirror: Mirror, did: str, key_id: str, purpose: str) -> RegisteredKey:
    """Find the key of a registered DID that signs for a purpose now.

    Raises ``invalid_signature``: there is no such DID or key, its window is over, or it is for another purpose.
    """
    name = identity(did)
    state: Any = mirror.store  # only asked by key
    # What is seen is what the mirror has up to here: the position is read before the state is.
    seen = mirror.last_of(CONTEXT, name)
    if seen is None or identifier(state, name) is None:
        raise ProblemError("invalid_signature", "this DID is not registered here")
    partition, offset = seen
    windows = windows_of_key(state, name, key_id)
    # A window that is in the mirror has begun on the log, whatever this machine's clock says of it; and one that is
    # over on the log is over, though this clock may be behind.
    now = max(time.time_ns() // 1_000_000, mirror.time_at(CONTEXT, partition))
    window = windows[-1] if windows else None
    if window is None or (window.valid_until is not None and window.valid_until <= now):
        raise ProblemError("invalid_signature", f"the DID has no key {key_id} that holds now")
    if purpose not in window.purposes:
        raise ProblemError("invalid_signature", f"the key {key_id} is not for {purpose}")
    multibase = window.public_key_multibase
    return RegisteredKey(multibase, usable_key(multibase), f"{CONTEXT}/{partition}/{offset}")


def key_named(mirror: Mirror, did: str, key_id: str | None) -> RegisteredKey | None:
    """Find the key by which a registered DID says that it signed something; nothing for a DID that says its key itself.

    Raises ``invalid_request`` where a registered DID names none, and ``invalid_signature`` as above.
    """
    if not is_registered(did):
        return None
    if key_id is None:
        raise invalid("/key_id", "a registered DID names the key that signed")
    return registered_key(mirror, did, key_id, ASSERTION)
