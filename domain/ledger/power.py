"""Voting power is what an owner had staked in a registry when a proposal was made, whatever was staked since."""

from collections.abc import Iterable
from typing import Final, TypeAlias

from domain.decider import Change, State
from domain.did import identity

REMEMBERED_MS: Final = 91 * 86_400_000
"""No vote is open for longer, so what was before the newest checkpoint of that age is asked for by nobody."""

Checkpoint: TypeAlias = tuple[int, int, int]
"""How many proposals the registry had when it changed, what was staked from then on (micro-AVT), and when (ms)."""


def power_key(registry_id: str, owner: str) -> str:
    """Give the key of an owner's checkpoints in a registry, oldest first."""
    return f"power/{registry_id}/{identity(owner)}"


def change_power(state: State, key: str, amount: int, proposals: int, at: int) -> Iterable[Change]:
    """Fold a change of what an owner has staked, and forget the checkpoints that nobody can ask for any more."""
    before: tuple[Checkpoint, ...] = state.get(key, ())
    staked = amount + (before[-1][1] if before else 0)
    kept = [each for each in before if each[0] != proposals]
    while len(kept) > 1 and kept[1][2] < at - REMEMBERED_MS:
        kept.pop(0)
    yield key, (*kept, (proposals, staked, at))


def power_at(state: State, registry_id: str, owner: str, number: int) -> int:
    """Give what an owner had staked when the registry's proposal of this number (from 1) was made."""
    power = 0
    for proposals, staked, _ in state.get(power_key(registry_id, owner), ()):
        if proposals >= number:
            break
        power = int(staked)
    return power
