"""The financial invariants: what lies in treasuries, in stakes and in escrow, against the postings of every event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from processors.audit_books import HELD, STAKED
from processors.audit_findings import Findings
from processors.audit_names import Fault
from processors.audit_reading import LedgerReading


@dataclass(frozen=True, slots=True)
class FrameReserves:
    """What a frame's accounts hold for a reason, and whether it is what events say lies there.

    ``treasuries`` maps each registry to its treasury's parts; ``staked`` and ``held`` are sums, all in micro-AVT; then
    how many stakes, payments and reward days they are for.
    """

    frame_id: str
    treasuries: Mapping[str, Mapping[str, int]]
    staked: int
    held: int
    stakes: int
    payments: int
    days: int
    holds: bool


class Invariants:
    """Compares a reading's accounts with what lies there for a reason; what once didn't agree stays so."""

    def __init__(self, reading: LedgerReading) -> None:
        self._reading = reading
        self.findings = Findings(reading)

    def check(self) -> Sequence[FrameReserves]:
        """Compare every frame, and give what its accounts hold for a reason, by the frame's name."""
        found = []
        for name, books in sorted(self._reading.frames.items()):
            if self.findings.of(name) is None:
                try:
                    books.check_reasons()
                except Fault as fault:
                    self.findings.add(name, self._reading.place(books), fault)
            counts = (len(books.stakes), len(books.payments), len(books.days))
            found.append(
                FrameReserves(
                    name,
                    {of: books.balance(treasury) for of, treasury in sorted(books.treasuries.items())},
                    books.total(STAKED),
                    books.total(HELD),
                    *counts,
                    holds=self.findings.of(name) is None,
                )
            )
        return found
