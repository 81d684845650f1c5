"""Who asks: the DID of a session, and the signature that opened it."""

from dataclasses import dataclass

from log.message import Signature


@dataclass(frozen=True, slots=True)
class Caller:
    """The DID of a session as sent; ``identity`` is the same for each of its spellings.

    ``proof`` is the signature that opened the session, for the commands that it authorises.
    """

    did: str
    identity: str
    proof: Signature | None
    expires_at: int
