"""Values of records as they lie on the log: sealed with their owners' keys, and what opens them."""

import base64
import hashlib
from typing import Final, Protocol

from domain.records.record import bound_to
from log.sealing import CannotUnseal, unseal_bound

CID_PREFIX: Final = "sha256-"


class Sealed(Protocol):
    """A value as it lies on the log, and what it is bound to."""

    @property
    def did(self) -> str: ...
    @property
    def collection(self) -> str: ...
    @property
    def cid(self) -> str: ...
    @property
    def sealed(self) -> bytes: ...


def cid_of(text: bytes) -> str:
    """Give the cid of a value's RFC 8785 text."""
    return CID_PREFIX + base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode().rstrip("=")


def opened(key: bytes | None, value: Sealed) -> bytes | None:
    """Give the RFC 8785 text of a value; nothing where it doesn't open, or is another than its cid says."""
    if key is None:
        return None
    try:
        text = unseal_bound(key, value.sealed, bound_to(value.did, value.collection, value.cid))
    except CannotUnseal:
        return None
    return text if cid_of(text) == value.cid else None
