"""What an auditor of a reading found: the first difference of each frame, which stays."""

from processors.audit_names import Fault
from processors.audit_reading import NO_FRAME, LedgerReading
from processors.audit_verdict import Difference


class Findings:
    """One auditor's differences, behind those of its reading.

    A frame isn't followed behind an event that fails. What an auditor says of it is that difference, whatever the rule:
    it can't vouch for what it didn't hear.
    """

    def __init__(self, reading: LedgerReading) -> None:
        self._reading = reading
        self._found: dict[str, Difference] = {}

    def add(self, frame_id: str, place: str, fault: Fault) -> None:
        """Keep a difference of a frame, or of ``NO_FRAME``, unless it has one."""
        self._found.setdefault(frame_id, Difference(place, fault.rule, fault.detail))

    def first(self) -> Difference | None:
        """Give the first difference that was found."""
        return next(iter([*self._reading.differences.values(), *self._found.values()]), None)

    def of(self, frame_id: str) -> Difference | None:
        """Give the first difference of a frame, or of none in particular."""
        read = self._reading.differences
        return read.get(frame_id) or self._found.get(frame_id) or read.get(NO_FRAME) or self._found.get(NO_FRAME)
