"""Server-Sent Events as they come over a connection (WHATWG HTML, 9.2.6), cut into blocks."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from muniment.client.refusals import UnexpectedAnswer

MAX_BLOCK_BYTES: Final = 8 << 20
"""Far above what a registry's largest record takes."""


class Block(NamedTuple):
    """What an empty line ends: an event's name and data, nothing where there was none, and the last id."""

    name: str
    data: str
    last_id: str | None


class Blocks:
    """Takes bytes as they come, and gives the blocks that they complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []
        self._size = 0
        self._last_id: str | None = None

    def feed(self, received: bytes) -> Iterator[Block]:
        """Take bytes. Raises UnexpectedAnswer where they are no text, or have no end."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            yield from self._line(line.removesuffix(b"\r"))
        if self._size + len(self._rest) > MAX_BLOCK_BYTES:
            raise UnexpectedAnswer("an event without an end")

    def _line(self, line: bytes) -> Iterator[Block]:
        if not line:
            block = Block(self._name, "\n".join(self._data), self._last_id)
            self._name, self._data, self._size = "", [], 0
            yield block
            return
        try:
            field, _, value = line.decode().partition(":")
        except UnicodeDecodeError:
            raise UnexpectedAnswer("an event that isn't UTF-8") from None
        value = value.removeprefix(" ")
        self._size += len(line)
        match field:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id":
                self._last_id = value
