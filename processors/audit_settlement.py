"""The settlement of transfers across registries: what each side's partition says of them, compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from processors.audit_findings import Findings
from processors.audit_names import Fault
from processors.audit_reading import LedgerReading
from processors.audit_transit import ANSWERS


@dataclass(frozen=True, slots=True)
class Unsettled:
    """The transfers that were prepared and did not end, counted by what their receiving side says.

    ``oldest_at`` is when the oldest was prepared, by the log's time in ms; ``amount`` is what they move, in micro-AVT.
    """

    answers: Mapping[str, int]
    amount: int
    oldest_at: int | None

    @property
    def pending(self) -> int:
        """Count them."""
        return sum(self.answers.values())

    def as_json(self, now: int) -> dict[str, Any]:
        """Give it as a JSON object, as of now (ms)."""
        oldest_s = 0.0 if self.oldest_at is None else max(0, now - self.oldest_at) / 1000
        return {"pending": self.pending, **self.answers, "amount": str(self.amount), "oldest_s": oldest_s}


class Settlement:
    """Compares both sides of each transfer as far as a reading has come; sides that once disagreed stay so.

    Only what both partitions were read far enough for is compared: there is no order between them.
    """

    def __init__(self, reading: LedgerReading) -> None:
        self._reading = reading
        self.findings = Findings(reading)

    def check(self) -> Unsettled:
        """Compare the two sides of each transfer and count those that are pending."""
        reading = self._reading
        if not reading.differences:
            reading.transits.leave(reading.standing(), reading.frames)
            for each in reading.transits.unmatched(reading.standing(), reading.frames):
                self.findings.add(each.frame_id, each.place, Fault("transit", each.detail))
        answers, amount, oldest_at = dict.fromkeys(ANSWERS, 0), 0, None
        for pending in reading.transits.pending.values():
            answers[pending.answer] += 1
            amount += pending.amount
            oldest_at = pending.at if oldest_at is None else min(oldest_at, pending.at)
        return Unsettled(answers, amount, oldest_at)
