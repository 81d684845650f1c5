"""What the catalog says of one type of message: its name, its version, its class, its context, and its decider."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from domain.decider import Decider


@dataclass(frozen=True, slots=True)
class MessageType:
    """A command or an event by the name that lies on the log; ``version`` grows when its meaning changes."""

    name: str
    version: int
    cls: type
    context: str
    role: Literal["command", "event"]
    decider: Decider


def message_types(
    context: str, decider: Decider, commands: Mapping[str, type], events: Mapping[str, type]
) -> Iterable[MessageType]:
    """Give the types of one decider, each in its first version."""
    for name, cls in commands.items():
        yield MessageType(name, 1, cls, context, "command", decider)
    for name, cls in events.items():
        yield MessageType(name, 1, cls, context, "event", decider)
