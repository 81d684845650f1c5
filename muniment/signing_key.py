"""A signing key: who a client is, kept in one file that only its owner can read."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

from domain.json_value import JsonObject
from log import signatures, statements
from muniment.amounts import written_amount
from muniment.key_files import KeyFileError, KeyFileProblem, read_key_file, write_key_file
from muniment.private_key import PrivateKey

__all__ = ["Algorithm", "KeyFileError", "KeyFileProblem", "SigningKey", "algorithms"]

Algorithm: TypeAlias = Literal["ed25519", "eip191", "secp256k1", "p256"]
algorithms: Final[tuple[Algorithm, ...]] = ("ed25519", "eip191")
"""Those of keys that are their own DID; a registered DID has keys of other types."""

nonce_bytes: Final = 24
mandate_lifetime_s: Final = 300
"""How long what an owner orders may take to reach the log, where no deadline is named."""
_members: Final = {"did", "alg", "private_key_b64"}
_registered: Final = {*_members, "key_id"}


class SigningKey:
    """A private key with the DID that it proves; it signs facts, revocations, sessions and what its accounts do."""

    __slots__ = ("_private_key", "_sign", "alg", "did", "key_id")

    alg: Algorithm
    did: str
    key_id: str | None

    def __init__(
        self, private_key: bytes, alg: Algorithm = "ed25519", *, did: str | None = None, key_id: str | None = None
    ) -> None:
        """Take 32 bytes: the seed of `ed25519`, or the secp256k1 secret of `eip191`. Raises `ValueError`.

        With `did` and `key_id` it is the key that a registered DID has under this id, `secp256k1` and `p256` too.
        """
        if len(private_key) != signatures.seed_bytes:
            raise ValueError(f"a private key has {signatures.seed_bytes} bytes")
        if did is not None and key_id is not None and alg != "eip191":
            self.did, self._sign = did, PrivateKey(alg, private_key).signer
        elif alg == "ed25519":
            self.did = signatures.did_key(signatures.ed25519_public(private_key))
            self._sign = signatures.ed25519_signer(private_key)
        elif alg == "eip191":
            self.did = signatures.did_pkh(signatures.eip191_address(private_key))
            self._sign = signatures.eip191_signer(private_key)
        else:
            raise signatures.UnsupportedAlgorithm(alg)
        self.alg, self.key_id = alg, key_id
        self._private_key = private_key

    @classmethod
    def generate(cls, alg: Algorithm = "ed25519") -> SigningKey:
        """Make a new key from the operating system's randomness."""
        return cls(secrets.token_bytes(signatures.seed_bytes), alg)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SigningKey:
        """Read a key file that none but its owner can read; raises `KeyFileError`."""
        path = Path(path)
        document = read_key_file(path)
        if set(document) == _registered:
            return cls._from_registered(document, path)
        if set(document) != _members:
            detail = "a key file has did, alg and private_key_b64, that of a registered DID key_id too"
            raise KeyFileError(KeyFileProblem.MALFORMED, path, detail)
        key = cls._from_document(document, path)
        if key.did != document["did"]:
            raise KeyFileError(KeyFileProblem.MISMATCH, path, "the private key isn't that of the DID")
        return key

    @classmethod
    def _from_registered(cls, document: JsonObject, path: Path) -> SigningKey:
        did, key_id = document["did"], document["key_id"]
        if not isinstance(did, str) or not isinstance(key_id, str) or not did.startswith("did:mun:"):
            raise KeyFileError(KeyFileProblem.MALFORMED, path, "did or key_id isn't that of a registered DID")
        private = PrivateKey.read(document, path)
        return cls(private.secret, private.type, did=did, key_id=key_id)

    @classmethod
    def _from_document(cls, document: JsonObject, path: Path) -> SigningKey:
        encoded = document["private_key_b64"]
        alg = next((known for known in algorithms if known == document["alg"]), None)
        if alg is None:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, "alg must be ed25519 or eip191")
        try:
            private_key = binascii.a2b_base64(encoded, strict_mode=True) if isinstance(encoded, str) else b""
            return cls(private_key, alg)
        except ValueError:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, "private_key_b64 isn't a key of 32 bytes") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the key file with mode 0600, whole or not at all; an existing one is never replaced.

        Raises `KeyFileError`.
        """
        write_key_file(Path(path), self._document())

    def _document(self) -> JsonObject:
        private_key = base64.b64encode(self._private_key).decode("ascii")
        named: JsonObject = {} if self.key_id is None else {"key_id": self.key_id}
        return {"did": self.did, "alg": self.alg, "private_key_b64": private_key, **named}

    @property
    def _named(self) -> dict[str, object]:
        """Give the member that says which of a registered DID's keys signed."""
        return {} if self.key_id is None else {"key_id": self.key_id}

    def sign(self, message: bytes) -> str:
        """Return the signature of a message in standard base64."""
        return base64.b64encode(self._sign(message)).decode("ascii")

    def sign_fact(self, kind: str, subject: Mapping[str, object], body: Mapping[str, object]) -> dict[str, object]:
        """Return the body of `POST /facts`, signed; raises `NotCanonicalizable`."""
        signed_bytes = statements.fact_signed_bytes(kind=kind, subject=subject, issuer_did=self.did, body=body)
        return {
            "kind": kind,
            "subject": dict(subject),
            "issuer_did": self.did,
            "body": dict(body),
            "alg": self.alg,
            **self._named,
            "signature": self.sign(signed_bytes),
        }

    def sign_revocation(self, fact_id: str, reason: str | None = None) -> dict[str, object]:
        """Return the body of `POST /facts/{id}/revoke`, signed; without a reason it has no member for one."""
        signed_bytes = statements.revocation_signed_bytes(fact_id=fact_id, issuer_did=self.did, reason=reason)
        given = {} if reason is None else {"reason": reason}
        return {"issuer_did": self.did, **given, "alg": self.alg, **self._named, "signature": self.sign(signed_bytes)}

    def sign_session(self, issuer: str, did: str, nonce: str) -> dict[str, object]:
        """Return the body of `POST /auth/session`, signed, for this key's own DID or a registered one that has it."""
        signed_bytes = statements.session_signed_bytes(issuer=issuer, did=did, nonce=nonce)
        return {"did": did, "nonce": nonce, "alg": self.alg, **self._named, "signature": self.sign(signed_bytes)}

    def sign_transfer(
        self,
        sender: str,
        receiver: str,
        amount: int,
        memo: str | None = None,
        *,
        nonce: str | None = None,
        deadline: str | None = None,
    ) -> dict[str, object]:
        """Return the body of `POST /transfers`, signed; `amount` is micro-AVT. Raises `InvalidAmount`.

        Here and below a new nonce is made, and a deadline five minutes ahead (RFC 3339), where none is given.
        """
        members = {"from": sender, "to": receiver, "amount": written_amount(amount), "memo": memo}
        return self._mandate("transfer", members, nonce, deadline)

    def sign_payment(
        self,
        sender: str,
        receiver: str,
        amount: int,
        expires_at: str | None = None,
        *,
        nonce: str | None = None,
        deadline: str | None = None,
    ) -> dict[str, object]:
        """Return the body of `POST /payments`, signed; `amount` is micro-AVT. Raises `InvalidAmount`."""
        members = {"from": sender, "to": receiver, "amount": written_amount(amount), "expires_at": expires_at}
        return self._mandate("payment", members, nonce, deadline)

    def sign_stake(
        self, account: str, amount: int, lock_days: int, *, nonce: str | None = None, deadline: str | None = None
    ) -> dict[str, object]:
        """Return the body of `POST /stakes`, signed; `amount` is micro-AVT. Raises `InvalidAmount`."""
        members = {"account": account, "amount": written_amount(amount), "lock_days": lock_days}
        return self._mandate("stake", members, nonce, deadline)

    def sign_unstake(
        self, stake_id: str, *, nonce: str | None = None, deadline: str | None = None
    ) -> dict[str, object]:
        """Return the body of `POST /stakes/{id}/unstake`, signed."""
        return self._mandate("unstake", {"stake_id": stake_id}, nonce, deadline)

    def sign_vote(
        self, proposal_id: str, choice: str, *, nonce: str | None = None, deadline: str | None = None
    ) -> dict[str, object]:
        """Return the body of `POST /proposals/{id}/votes`, signed; `choice` is yes, no or abstain."""
        return self._mandate("vote", {"proposal_id": proposal_id, "choice": choice}, nonce, deadline)

    def _mandate(
        self, what: str, members: Mapping[str, object], nonce: str | None, deadline: str | None
    ) -> dict[str, object]:
        """Sign what is ordered; a member that is absent is neither signed nor sent, and the type is signed only."""
        given = {name: value for name, value in members.items() if value is not None}
        said: dict[str, object] = {
            **given,
            "nonce": secrets.token_urlsafe(nonce_bytes) if nonce is None else nonce,
            "deadline": _deadline() if deadline is None else deadline,
            **self._named,
        }
        return {**said, "signature": self.sign(statements.mandate_signed_bytes(what, said))}

    def __repr__(self) -> str:
        return f"SigningKey({self.did})"

    def __reduce__(self) -> str:
        raise TypeError("a signing key isn't pickled: that would copy its secret")


def _deadline() -> str:
    ends = datetime.now(UTC) + timedelta(seconds=mandate_lifetime_s)
    return ends.isoformat(timespec="milliseconds").replace("+00:00", "Z")
