"""A DID's operations form a chain; each is kept with what it replaced, so that a higher key can take it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from domain.decider import Refusal, State


@dataclass(frozen=True, slots=True)
class SignedOperation:
    """An operation as it was signed: its RFC 8785 text, its hash, the hash before it, and who signed it.

    ``signed_by`` is the rotation key that signed, in multibase, and ``signature`` base64; both are empty where only
    guardians signed.
    """

    hash: str
    prev: str | None
    signed_by: str
    operation: str
    signature: str


class Operation(NamedTuple):
    """An operation's entry in the state.

    ``number`` counts from the genesis; ``rank`` is the place of its signer among the rotation keys before it, 0 the
    highest; ``next`` is the hash of what follows it in the chain. ``rotation_keys``, ``handle``, ``handle_changed_at``
    and ``guardians`` are what stood before it, ``windows`` the earlier form of the windows that it changed, ``added``
    the names of those that it began.
    """

    prev: str | None
    next: str | None
    number: int
    at: int
    rank: int
    nullified: bool
    rotation_keys: tuple[str, ...]
    handle: str | None
    handle_changed_at: int | None
    guardians: tuple[Any, ...] | None
    windows: tuple[Sequence[Any], ...]
    added: tuple[Sequence[Any], ...]


class Fault(StrEnum):
    """Why an operation is invalid, in order of precedence: the ``reason`` of ``invalid_operation``.

    One that is malformed never reaches the log.
    """

    MALFORMED = "malformed"
    GUARDIANS_DECIDED = "guardians_decided"
    TOO_LATE = "too_late"
    NOT_A_ROTATION_KEY = "not_a_rotation_key"
    NOT_HIGHER = "not_higher"
    TOO_MANY_OPERATIONS = "too_many_operations"
    UNKNOWN_KEY = "unknown_key"
    KEY_IN_USE = "key_in_use"
    TOO_MANY_KEYS = "too_many_keys"
    NOT_YET = "not_yet"
    SAME_HANDLE = "same_handle"
    NO_GUARDIANS = "no_guardians"
    RECOVERY_PENDING = "recovery_pending"
    NOT_A_GUARDIAN = "not_a_guardian"
    TOO_FEW_APPROVALS = "too_few_approvals"
    NO_RECOVERY = "no_recovery"


class OperationRefusal(StrEnum):
    """Why a DID stays as it is, in order of precedence."""

    NOT_FOUND = "not_found"
    REPEATED = "repeated"
    STALE_PREV = "stale_prev"
    INVALID_OPERATION = "invalid_operation"
    HANDLE_CHANGE_TOO_SOON = "handle_change_too_soon"
    HANDLE_TAKEN = "handle_taken"
    CLAIM_HOLDS = "claim_holds"
    NOT_DUE = "not_due"


def operation_key(did: str, operation_hash: str) -> str:
    """Give the key of an operation's entry."""
    return f"operation/{did}/{operation_hash}"


def operation(state: State, did: str, operation_hash: str) -> Operation | None:
    """Find an operation of a DID, nullified or not."""
    entry = state.get(operation_key(did, operation_hash))
    return None if entry is None else Operation(*entry)


def rank_of(rotation_keys: Sequence[str], signed_by: str) -> int:
    """Give a signer's place among the rotation keys; behind all of them where it is none, as guardians are."""
    return rotation_keys.index(signed_by) if signed_by in rotation_keys else len(rotation_keys)


def invalid(reason: Fault, detail: str) -> Refusal:
    """Refuse an operation that can't be."""
    return Refusal(OperationRefusal.INVALID_OPERATION, {"reason": reason, "detail": detail})
