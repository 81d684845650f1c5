"""A signing key: who a client is, kept in one file that only its owner can read."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, TypeAlias

from domain.json_value import JsonObject
from log import signatures, statements, strict_json
from muniment.amounts import written_amount

Algorithm: TypeAlias = Literal["ed25519", "eip191"]
algorithms: Final[tuple[Algorithm, ...]] = ("ed25519", "eip191")

max_key_file_bytes: Final = 4096
nonce_bytes: Final = 24
mandate_lifetime_s: Final = 300
"""How long what an owner orders may take to reach the log, where no deadline is named."""
_members: Final = {"did", "alg", "private_key_b64"}


class KeyFileProblem(StrEnum):
    """Why a key file is refused; the values are stable."""

    MISSING = "key_file_missing"
    UNREADABLE = "key_file_unreadable"
    UNWRITABLE = "key_file_unwritable"
    EXPOSED = "key_file_exposed"
    MALFORMED = "key_file_malformed"
    MISMATCH = "key_file_mismatch"
    EXISTS = "key_file_exists"


class KeyFileError(Exception):
    """A key file can't be loaded or saved; `code` is stable, the message names the path and never the key."""

    def __init__(self, code: KeyFileProblem, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.code = code
        self.path = path
        self.detail = detail


class SigningKey:
    """A private key with the DID that it proves; it signs facts, revocations, sessions and what its accounts do."""

    __slots__ = ("_private_key", "_sign", "alg", "did")

    alg: Algorithm
    did: str

    def __init__(self, private_key: bytes, alg: Algorithm = "ed25519") -> None:
        """Take 32 bytes: the seed of `ed25519`, or the secp256k1 secret of `eip191`. Raises `ValueError`."""
        if len(private_key) != signatures.seed_bytes:
            raise ValueError(f"a private key has {signatures.seed_bytes} bytes")
        if alg == "ed25519":
            self.did = signatures.did_key(signatures.ed25519_public(private_key))
            self._sign = signatures.ed25519_signer(private_key)
        elif alg == "eip191":
            self.did = signatures.did_pkh(signatures.eip191_address(private_key))
            self._sign = signatures.eip191_signer(private_key)
        else:
            raise signatures.UnsupportedAlgorithm(alg)
        self.alg = alg
        self._private_key = private_key

    @classmethod
    def generate(cls, alg: Algorithm = "ed25519") -> SigningKey:
        """Make a new key from the operating system's randomness."""
        return cls(secrets.token_bytes(signatures.seed_bytes), alg)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SigningKey:
        """Read a key file that none but its owner can read; raises `KeyFileError`."""
        path = Path(path)
        content = _read_private_file(path)
        try:
            document = strict_json.parse(content)
        except strict_json.MalformedJson as error:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, error.detail) from None
        if not isinstance(document, dict) or set(document) != _members:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, "a key file has did, alg and private_key_b64")
        key = cls._from_document(document, path)
        if key.did != document["did"]:
            raise KeyFileError(KeyFileProblem.MISMATCH, path, "the private key isn't that of the DID")
        return key

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
        path = Path(path)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            try:
                _write_private_file(draft, self._document())
                # A link fails if the name is taken, where a rename would replace: two that save at once can't both win.
                os.link(draft, path)
            finally:
                draft.unlink(missing_ok=True)
            _sync_directory(path.parent)
        except FileExistsError:
            raise KeyFileError(KeyFileProblem.EXISTS, path, "exists already and is left as it is") from None
        except OSError as error:
            raise KeyFileError(KeyFileProblem.UNWRITABLE, path, f"can't be written: {error.strerror}") from None

    def _document(self) -> bytes:
        private_key = base64.b64encode(self._private_key).decode("ascii")
        return strict_json.dump({"did": self.did, "alg": self.alg, "private_key_b64": private_key}) + b"\n"

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
            "signature": self.sign(signed_bytes),
        }

    def sign_revocation(self, fact_id: str, reason: str | None = None) -> dict[str, object]:
        """Return the body of `POST /facts/{id}/revoke`, signed; without a reason it has no member for one."""
        signed_bytes = statements.revocation_signed_bytes(fact_id=fact_id, issuer_did=self.did, reason=reason)
        given = {} if reason is None else {"reason": reason}
        return {"issuer_did": self.did, **given, "alg": self.alg, "signature": self.sign(signed_bytes)}

    def sign_session(self, issuer: str, did: str, nonce: str) -> dict[str, object]:
        """Return the body of `POST /auth/session`, signed, for this key's own DID or a registered one that has it."""
        signed_bytes = statements.session_signed_bytes(issuer=issuer, did=did, nonce=nonce)
        return {"did": did, "nonce": nonce, "alg": self.alg, "signature": self.sign(signed_bytes)}

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
        }
        return {**said, "signature": self.sign(statements.mandate_signed_bytes(what, said))}

    def __repr__(self) -> str:
        return f"SigningKey({self.did})"

    def __reduce__(self) -> str:
        raise TypeError("a signing key isn't pickled: that would copy its secret")


def _deadline() -> str:
    ends = datetime.now(UTC) + timedelta(seconds=mandate_lifetime_s)
    return ends.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_private_file(path: Path) -> bytes:
    try:
        # Not blocking: the path may name a pipe that nobody writes to.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyFileError(KeyFileProblem.MISSING, path, "there is no such file") from None
    except OSError as error:
        raise KeyFileError(KeyFileProblem.UNREADABLE, path, f"can't be read: {error.strerror}") from None
    try:
        # The open file is asked, not the path, which may name another file by now.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_key_file_bytes:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, "isn't a key file")
        if status.st_mode & 0o077:
            detail = f"is open to others (mode {stat.S_IMODE(status.st_mode):04o}); run chmod 600 on it"
            raise KeyFileError(KeyFileProblem.EXPOSED, path, detail)
        return os.read(descriptor, max_key_file_bytes)
    finally:
        os.close(descriptor)


def _write_private_file(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
