"""A DID takes a handle by its operation, and says for good when it didn't take the one that was claimed for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.identity.completion import GuardianRecoveryCompleted, check_signer, turn
from domain.identity.handle import Claim, check_claim
from domain.identity.identifier import advance, identifier
from domain.identity.operation import Fault, OperationRefusal, SignedOperation, invalid

CHANGE_EVERY_MS: Final = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class HandleSet:
    """A DID has this handle from now on, and ``former`` no more."""

    did: str
    signed: SignedOperation
    handle: str
    former: str | None


@dataclass(frozen=True, slots=True)
class ClaimLapsed:
    """The claim until ``until`` (ms) is over, and the DID didn't take the handle: it never will by that claim."""

    did: str
    handle: str
    until: int


def evolve(state: State, event: HandleSet | ClaimLapsed, at: int) -> Iterable[Change]:
    """Fold a change of handle; a claim that lapsed changes nothing of a DID."""
    known = identifier(state, event.did)
    if isinstance(event, HandleSet) and known is not None:
        after = known._replace(handle=event.handle, handle_changed_at=at)
        yield from advance(state, event.did, event.signed, after, windows=(), at=at)


@dataclass(frozen=True, slots=True)
class SetHandle:
    """Take the handle that was claimed."""

    did: str
    signed: SignedOperation
    handle: str
    claim: Claim | None


@dataclass(frozen=True, slots=True)
class LapseClaim:
    """Give up a claim whose time is over."""

    did: str
    handle: str
    until: int


def decide(
    state: State, command: SetHandle | LapseClaim, around: Circumstances
) -> Sequence[HandleSet | ClaimLapsed | GuardianRecoveryCompleted] | Refusal:
    """Rule on the handle of a DID."""
    if isinstance(command, LapseClaim):
        return decide_lapse(state, command, around.now)
    found = turn(state, command.did, command.signed, around)
    if isinstance(found, Refusal):
        return found
    known = found.known
    refusal = check_signer(known, command.signed, around.now)
    if refusal is not None:
        return refusal
    if known.handle == command.handle:
        return invalid(Fault.SAME_HANDLE, "the DID has this handle")
    if known.handle_changed_at is not None and around.now < known.handle_changed_at + CHANGE_EVERY_MS:
        details = {"allowed_at": str(known.handle_changed_at + CHANGE_EVERY_MS)}
        return Refusal(OperationRefusal.HANDLE_CHANGE_TOO_SOON, details)
    refusal = check_claim(command.handle, command.claim, around.now)
    if refusal is not None:
        return refusal

    return [*found.due, HandleSet(command.did, command.signed, command.handle, known.handle)]


def decide_lapse(state: State, command: LapseClaim, now: int) -> Sequence[ClaimLapsed] | Refusal:
    """Rule on the end of a claim: from here on no operation can take the handle by it."""
    known = identifier(state, command.did)
    if now < command.until:
        return Refusal(OperationRefusal.NOT_DUE, {"handle": command.handle})
    if known is not None and known.handle == command.handle:
        return Refusal(OperationRefusal.CLAIM_HOLDS, {"handle": command.handle})

    return [ClaimLapsed(command.did, command.handle, command.until)]


NAMING = Decider(initial={}, decide=decide, evolve=evolve)
