"""Rows as the lines of a COPY in Postgres's text format, made and sent in blocks."""

from collections.abc import Sequence

from projections.postgres import CopyIn, Transaction

NULL = "\x1e"
"""Stands for null; a member that holds this character is escaped, so it is never mistaken."""
ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", NULL: "\\x1e", "\0": "\ufffd"}
)  # Postgres's text can't hold the character NUL; no request can hold it either


def line(members: Sequence[str | None]) -> str:
    """Write one row, escaped only where a member needs it, which is rare."""
    plain = "\t".join([NULL if member is None else member for member in members])
    if (
        "\\" in plain
        or "\n" in plain
        or "\r" in plain
        or "\0" in plain
        or plain.count("\t") != len(members) - 1
        or plain.count(NULL) != members.count(None)
    ):
        return "\t".join([NULL if member is None else member.translate(ESCAPES) for member in members]) + "\n"
    return plain + "\n"


class Copying:
    """Rows on their way into one table."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._lines: list[str] = []
        self._copy: CopyIn | None = None

    def add(self, row: str) -> None:
        """Add one line."""
        self._lines.append(row)

    async def send(self, transaction: Transaction) -> None:
        """Send what was added; from the first row to ``end`` the transaction can do nothing else."""
        if self._lines:
            if self._copy is None:
                self._copy = transaction.copy(self._target, NULL)
            block = "".join(self._lines).encode()
            self._lines.clear()
            await self._copy.write(block)

    async def end(self, transaction: Transaction) -> None:
        """Send the rest and wait until Postgres has taken it in."""
        await self.send(transaction)
        if self._copy is not None:
            await self._copy.close()
            self._copy = None
