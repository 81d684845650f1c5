"""The reading rule: a decision counts if its ``prev`` is the chain value of the last one that counted."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from log.message import PREV_AT, Message

PREV = slice(PREV_AT, PREV_AT + 32)


def chain_value(value: bytes) -> bytes:
    """Give the chain value of a decision: SHA-256 of its message's value, byte for byte."""
    return hashlib.sha256(value).digest()


def chain_start(topic: str, partition: int) -> bytes:
    """Give what the first decision of a partition names as its ``prev``."""
    return hashlib.sha256(f"muniment:{topic}:{partition}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a reader is in one events partition: all below ``next`` was read, ``chain`` is the last that counted.

    ``last`` is the offset of that last counted decision, -1 before the first.
    """

    next: int
    chain: bytes
    last: int = -1

    @staticmethod
    def start(topic: str, partition: int) -> "Mark":
        """Give the mark of a reader that has read nothing."""
        return Mark(0, chain_start(topic, partition))


class Chain:
    """Follows one events partition by the reading rule."""

    __slots__ = ("_last", "_next", "value")

    def __init__(self, mark: Mark) -> None:
        self._next, self.value, self._last = mark.next, mark.chain, mark.last

    def admit(self, message: Message) -> bool:
        """Tell whether a message counts, and stand behind it; one read before is skipped."""
        if message.offset < self._next:
            return False
        self._next = message.offset + 1
        value = message.value
        if value is None or value[PREV] != self.value:
            return False
        self.value = hashlib.sha256(value).digest()
        self._last = message.offset
        return True

    def counted(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Give those messages that count."""
        return (message for message in messages if self.admit(message))

    @property
    def mark(self) -> Mark:
        """Say how far this reader is."""
        return Mark(self._next, self.value, self._last)
