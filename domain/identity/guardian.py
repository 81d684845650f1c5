"""Guardians recover a DID together; it takes effect after a delay in which a rotation key can cancel it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity
from domain.identity.completion import GuardianRecoveryCompleted, check_daily, check_signer, turn
from domain.identity.identifier import (
    Guardians,
    Pending,
    advance,
    guardians_of,
    identifier,
)
from domain.identity.key import Key
from domain.identity.operation import Fault, SignedOperation, invalid, operation, operation_key

SECOND_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Approval:
    """A guardian's word for a recovery: which key signed, and the position of `identity` where the key was seen.

    ``seen_at`` (``context/partition/offset``) is empty where the guardian's DID names its key by itself.
    """

    did: str
    key_id: str
    public_key_multibase: str
    signature: str
    seen_at: str


@dataclass(frozen=True, slots=True)
class GuardiansSet:
    """A DID has these guardians from now on."""

    did: str
    signed: SignedOperation
    guardians: Guardians


@dataclass(frozen=True, slots=True)
class GuardianRecoveryBegun:
    """Guardians recover a DID: it takes effect at ``effective_at`` (ms), unless it is cancelled before."""

    did: str
    signed: SignedOperation
    rotation_keys: tuple[str, ...]
    keys: tuple[Key, ...]
    approvals: tuple[Approval, ...]
    effective_at: int


@dataclass(frozen=True, slots=True)
class RecoveryCancelled:
    """A rotation key cancelled the guardians' recovery of this hash, which is nullified."""

    did: str
    signed: SignedOperation
    operation: str


GuardianEvent = GuardiansSet | GuardianRecoveryBegun | RecoveryCancelled


def evolve(state: State, event: GuardianEvent, at: int) -> Iterable[Change]:
    """Fold what guardians are, do, and what is done about it."""
    known = identifier(state, event.did)
    if known is None:
        return
    signed = event.signed
    match event:
        case GuardiansSet():
            after = known._replace(guardians=event.guardians.entry)
        case GuardianRecoveryBegun():
            keys = tuple((key.id, key.type, key.public_key_multibase, key.purposes) for key in event.keys)
            pending = Pending(signed.hash, known.number + 1, event.effective_at, event.rotation_keys, keys)
            after = known._replace(pending=tuple(pending))
            # Whoever carried it here is no authority for it: every rotation key is higher than guardians are.
            signed = replace(signed, signed_by="")
        case RecoveryCancelled():
            after = known._replace(pending=None)
            cancelled = operation(state, event.did, event.operation)
            if cancelled is not None:
                yield operation_key(event.did, event.operation), cancelled._replace(nullified=True)
    yield from advance(state, event.did, signed, after, windows=(), at=at)


@dataclass(frozen=True, slots=True)
class SetGuardians:
    """Name guardians."""

    did: str
    signed: SignedOperation
    guardians: Guardians


@dataclass(frozen=True, slots=True)
class RecoverByGuardians:
    """Recover as guardians; each approval was checked before the log."""

    did: str
    signed: SignedOperation
    rotation_keys: tuple[str, ...]
    keys: tuple[Key, ...]
    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class CancelRecovery:
    """Cancel the guardians' recovery of this hash."""

    did: str
    signed: SignedOperation
    operation: str


def decide(
    state: State, command: SetGuardians | RecoverByGuardians | CancelRecovery, around: Circumstances
) -> Sequence[GuardianEvent | GuardianRecoveryCompleted] | Refusal:
    """Rule on guardians."""
    did, signed = command.did, command.signed
    found = turn(state, did, signed, around)
    if isinstance(found, Refusal):
        return found
    known = found.known
    if isinstance(command, RecoverByGuardians):
        guardians = guardians_of(known.guardians)
        refusal = check_approvals(guardians, known.recovery, command.approvals)
        refusal = check_daily(known, around.now, len(command.keys)) or refusal
        if guardians is None or refusal is not None:
            return refusal or invalid(Fault.NO_GUARDIANS, "the DID has no guardians")

        # Never in the millisecond of another operation: what is due comes before all that is decided then.
        effective_at = around.now + max(guardians.delay_s * SECOND_MS, 1)
        said = (command.rotation_keys, command.keys, command.approvals)
        return [*found.due, GuardianRecoveryBegun(did, signed, *said, effective_at)]
    if isinstance(command, SetGuardians):
        refusal = check_signer(known, signed, around.now)
        if refusal is not None:
            return refusal

        return [*found.due, GuardiansSet(did, signed, command.guardians)]
    if signed.signed_by not in known.rotation_keys:
        return invalid(Fault.NOT_A_ROTATION_KEY, "no rotation key that the DID has now signed this")
    if known.recovery is None or known.recovery.operation != command.operation:
        return invalid(Fault.NO_RECOVERY, "no guardians' recovery of this hash is under way")

    return [*found.due, RecoveryCancelled(did, signed, command.operation)]


def check_approvals(
    guardians: Guardians | None, pending: Pending | None, approvals: Sequence[Approval]
) -> Refusal | None:
    """Refuse a recovery that isn't the guardians' own, or too few of theirs."""
    if guardians is None:
        return invalid(Fault.NO_GUARDIANS, "the DID has no guardians")
    if pending is not None:
        return invalid(Fault.RECOVERY_PENDING, "a guardians' recovery is under way: it takes effect or is cancelled")
    named = {identity(did) for did in guardians.dids}
    approving = {identity(approval.did) for approval in approvals}
    if not approving <= named:
        return invalid(Fault.NOT_A_GUARDIAN, "an approval is by a DID that is no guardian")
    if len(approving) < guardians.threshold:
        return invalid(Fault.TOO_FEW_APPROVALS, f"{guardians.threshold} guardians must approve")
    return None


GUARDIAN = Decider(initial={}, decide=decide, evolve=evolve)
