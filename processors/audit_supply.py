"""The supply auditor: each frame's tokens as counted from its postings alone, and all that crosses between frames."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from processors.audit_findings import Findings
from processors.audit_invariants import Invariants
from processors.audit_names import Fault
from processors.audit_reading import LedgerReading
from processors.audit_settlement import Settlement
from processors.audit_verdict import Difference, Source

AMOUNTS: Final = ("tokens_issued", "tokens_destroyed", "transit_net", "tokens_circulating", "in_flight")


@dataclass(frozen=True, slots=True)
class FrameSupply:
    """A frame's tokens in micro-AVT at a position (``ledger/partition/offset``).

    Where it doesn't hold, that is the position of the first event which fails.
    """

    frame_id: str
    tokens_issued: int
    tokens_destroyed: int
    transit_net: int
    tokens_circulating: int
    in_flight: int
    holds: bool
    position: str

    def as_json(self) -> dict[str, Any]:
        """Give it as a JSON object, its amounts as text."""
        return asdict(self) | {name: str(getattr(self, name)) for name in AMOUNTS}


class Supply:
    """Adds up what a reading counted in each frame; what once didn't come out stays so."""

    def __init__(self, reading: LedgerReading) -> None:
        self._reading = reading
        self.findings = Findings(reading)

    def check(self) -> Sequence[FrameSupply]:
        """Add up each frame's accounts, and what crosses frames, and give every frame's supply by the frame's name."""
        reading = self._reading
        if not reading.differences:
            for books in reading.frames.values():
                try:
                    books.check_whole()
                except Fault as fault:
                    self.findings.add(books.frame_id, reading.place(books), fault)
            transit_net = sum(books.transit_net for books in reading.frames.values())
            reading.transits.leave(reading.standing(), reading.frames)
            left = reading.transits.off_balance(transit_net, reading.standing())
            if left is not None:
                self.findings.add(left.frame_id, left.place, Fault("transit", left.detail))
        return self.figures()

    def figures(self) -> Sequence[FrameSupply]:
        """Give every frame's supply as of the last event that was read, by the frame's name."""
        found = []
        for _, books in sorted(self._reading.frames.items()):
            failed = self.findings.of(books.frame_id)
            counted = (books.issued, books.destroyed, books.transit_net, books.circulating)
            in_flight = self._reading.transits.in_flight.get(books.frame_id, 0)
            position = self._reading.place(books) if failed is None else failed.place
            found.append(FrameSupply(books.frame_id, *counted, in_flight, failed is None, position))
        return found


class SupplyAudit:
    """All that is audited of a ledger's money, by one reading: its supply, its settlement, its invariants."""

    def __init__(self, source: Source) -> None:
        self._reading = LedgerReading(source)
        self._supply, self._settlement = Supply(self._reading), Settlement(self._reading)
        self._invariants = Invariants(self._reading)

    @property
    def events(self) -> int:
        """Count the events that were read."""
        return self._reading.events

    @property
    def difference(self) -> Difference | None:
        """Give the first difference: of a transfer before those of sums."""
        return next(filter(None, (each.first() for each in self._findings())), None)

    def difference_of(self, frame_id: str) -> Difference | None:
        """Give the first difference of a frame, or of none in particular."""
        return next(filter(None, (each.of(frame_id) for each in self._findings())), None)

    def _findings(self) -> Sequence[Findings]:
        return self._settlement.findings, self._invariants.findings, self._supply.findings

    async def advance(self) -> Sequence[FrameSupply]:
        """Read on to where the log ends now and give every frame's supply. Raises LogUnavailable."""
        await self._reading.read_on()
        self._settlement.check()
        self._invariants.check()
        return self._supply.check()

    def figures(self) -> Sequence[FrameSupply]:
        """Give every frame's supply as of the last event that was read, by the frame's name."""
        return self._supply.figures()

    def broken(self) -> Difference | None:
        """Find where commands were decided by messages at the end that don't count; a writer may yet mend that."""
        return self._reading.broken()
