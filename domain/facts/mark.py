"""A key may turn out to have been in other hands when it signed a fact: which keeps its status, and counts no more.

A process manager compares facts with the windows of their issuers' keys, and asks. Whose word it is is told as the
event of ``identity`` and its position: ``KeyRevoked identity/3/17``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.facts.fact import (
    Fact,
    FactExpired,
    FactIssued,
    FactQuarantined,
    FactRefusal,
    FactReleased,
    FactRevoked,
    fact,
    fact_key,
)


@dataclass(frozen=True, slots=True)
class FactKeyCompromised:
    """The key that signed a fact was in other hands then, by the word of ``compromised_by``."""

    fact_id: str
    status: str
    compromised_by: str


@dataclass(frozen=True, slots=True)
class FactKeyCleared:
    """What was said of the key that signed a fact was taken back, by the word of ``cleared_by``."""

    fact_id: str
    status: str
    cleared_by: str


MarkEvent = FactKeyCompromised | FactKeyCleared
FACT_EVENTS: Final = (
    FactIssued,
    FactRevoked,
    FactExpired,
    FactQuarantined,
    FactReleased,
    FactKeyCompromised,
    FactKeyCleared,
)
"""All that happens to facts."""


def evolve(state: State, event: MarkEvent, _at: int) -> Iterable[Change]:
    """Fold what is said of a fact's key."""
    known = Fact(*state[fact_key(event.fact_id)])
    said_by = event.compromised_by if isinstance(event, FactKeyCompromised) else None
    yield fact_key(event.fact_id), known._replace(compromised_by=said_by)


@dataclass(frozen=True, slots=True)
class MarkFactKey:
    """Say that the key which signed a fact was in other hands then."""

    fact_id: str
    compromised_by: str


@dataclass(frozen=True, slots=True)
class ClearFactKey:
    """Take that back."""

    fact_id: str
    cleared_by: str


def decide(state: State, command: MarkFactKey | ClearFactKey, _around: Circumstances) -> Sequence[MarkEvent] | Refusal:
    """Rule on what is said of a fact's key; said twice it is said once."""
    known = fact(state, command.fact_id)
    if known is None:
        return Refusal(FactRefusal.NOT_FOUND, {"fact_id": command.fact_id})
    if (known.compromised_by is not None) == isinstance(command, MarkFactKey):
        return Refusal(FactRefusal.REPEATED, {"fact_id": command.fact_id})

    if isinstance(command, MarkFactKey):
        return [FactKeyCompromised(command.fact_id, known.status, command.compromised_by)]
    return [FactKeyCleared(command.fact_id, known.status, command.cleared_by)]


MARK = Decider(initial={}, decide=decide, evolve=evolve)
