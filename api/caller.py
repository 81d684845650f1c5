"""Who asks: the DID of a session, and the signature that opened it."""

from dataclasses import dataclass

from log.message import Signature


@dataclass(frozen=True, slots=True)
class Caller:
    """The DID of a session as sent; ``identity`` is the same for each of its spellings.

    ``proof`` is the signature that opened the session, for the commands that it authorises. ``session_id`` is the same
    in every token that the session was given, ``signed_in_at`` when its nonce was signed; times in s since 1970 UTC.
    """

    did: str
    identity: str
    proof: Signature | None
    expires_at: int
    session_id: str = ""
    signed_in_at: int = 0

    @property
    def key_id(self) -> str | None:
        """Name the registered DID's key that opened the session; a DID that says its key itself has none."""
        return None if self.proof is None or self.proof.public_key is None else self.proof.key_id
