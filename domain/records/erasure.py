"""Erasure: an owner's key is destroyed, and with it every value that the log holds of theirs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity
from domain.records.vault import Vault, vault, vault_key


@dataclass(frozen=True, slots=True)
class OwnerErased:
    """Nobody reads this owner's values again, and nothing more is kept for them; the events and their hashes stay."""

    did: str


def evolve(_state: State, event: OwnerErased, at: int) -> Iterable[Change]:
    """Fold an erasure."""
    yield vault_key(event.did), Vault(erased_at=at)


@dataclass(frozen=True, slots=True)
class EraseOwner:
    """Erase everything of the one who asks."""

    did: str


class ErasureRefusal(StrEnum):
    """Why nothing is erased, in order of precedence."""

    FORBIDDEN = "forbidden"
    ERASED = "erased"


def decide(state: State, command: EraseOwner, around: Circumstances) -> Sequence[OwnerErased] | Refusal:
    """Rule on an erasure."""
    if identity(command.did) != around.actor:
        return Refusal(ErasureRefusal.FORBIDDEN, {"detail": "only its owner erases a vault"})
    if vault(state, command.did).erased_at is not None:
        return Refusal(ErasureRefusal.ERASED, {"did": command.did})

    return [OwnerErased(command.did)]


ERASURE = Decider(initial={}, decide=decide, evolve=evolve)
