"""A DID is created by its genesis, of which its own name is the hash; it takes the handle that was claimed for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.identity.handle import Claim, check_claim
from domain.identity.identifier import Identifier, advance, identifier
from domain.identity.key import Key, KeyWindow, opened
from domain.identity.operation import OperationRefusal, SignedOperation


@dataclass(frozen=True, slots=True)
class DidCreated:
    """A DID exists, with these rotation keys (the highest first), keys and handle."""

    did: str
    signed: SignedOperation
    rotation_keys: tuple[str, ...]
    handle: str | None
    windows: tuple[KeyWindow, ...]


def evolve(state: State, event: DidCreated, at: int) -> Iterable[Change]:
    """Fold a genesis."""
    changed_at = None if event.handle is None else at
    created = Identifier(event.signed.hash, 0, event.rotation_keys, (), event.handle, changed_at, None, None, 0, 0, 0)
    yield from advance(state, event.did, event.signed, created, windows=event.windows, at=at)


@dataclass(frozen=True, slots=True)
class CreateDid:
    """Create a DID; its operation was checked before the log, and ``claim`` is that of its handle."""

    did: str
    signed: SignedOperation
    rotation_keys: tuple[str, ...]
    keys: tuple[Key, ...]
    handle: str | None
    claim: Claim | None


def decide(state: State, command: CreateDid, around: Circumstances) -> Sequence[DidCreated] | Refusal:
    """Rule on a genesis."""
    if identifier(state, command.did) is not None:
        return Refusal(OperationRefusal.REPEATED, {"operation": command.signed.hash})
    refusal = None if command.handle is None else check_claim(command.handle, command.claim, around.now)
    if refusal is not None:
        return refusal

    windows = opened(command.keys, around.now)
    return [DidCreated(command.did, command.signed, command.rotation_keys, command.handle, windows)]


CREATION = Decider(initial={}, decide=decide, evolve=evolve)
