"""The one table of message types: stable name, version, class, context, and the decider that rules on it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from domain.decider import Change, Circumstances, Refusal, State
from domain.facts.messages import MESSAGES as FACTS
from domain.identity.messages import MESSAGES as IDENTITY
from domain.ledger.messages import MESSAGES as LEDGER
from domain.message_type import MessageType
from domain.publishing.messages import MESSAGES as PUBLISHING
from domain.records.messages import MESSAGES as RECORDS

CATALOG: Sequence[MessageType] = (*FACTS, *IDENTITY, *LEDGER, *RECORDS, *PUBLISHING)
"""Names are chosen, never taken from a Python path: a class may be renamed, its name on the log may not."""

NAMES: Mapping[type, str] = {entry.cls: entry.name for entry in CATALOG}
CONTEXTS: Sequence[str] = tuple(dict.fromkeys(entry.context for entry in CATALOG))
BY_CLASS: Mapping[type, MessageType] = {entry.cls: entry for entry in CATALOG}
BY_NAME: Mapping[str, MessageType] = {entry.name: entry for entry in CATALOG}


def decide(state: State, command: Any, around: Circumstances) -> Sequence[Any] | Refusal:
    """Rule on a command by the decider that the catalog names for it."""
    return BY_CLASS[type(command)].decider.decide(state, command, around)


def evolve(state: State, event: Any, at: int) -> Iterable[Change]:
    """Fold an event by the decider that the catalog names for it."""
    return BY_CLASS[type(event)].decider.evolve(state, event, at)
