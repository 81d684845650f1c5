"""What identity refuses, as exceptions: one class for each code that a caller may want to tell apart."""

from collections.abc import Mapping

from muniment.client.refusals import Conflict, InvalidRequest, Refused


class InvalidOperation(InvalidRequest):
    """The operation can't be; ``reason`` is one of a closed list."""

    @property
    def reason(self) -> str | None:
        """Say why."""
        found = self.members.get("reason")
        return found if isinstance(found, str) else None


class HandleTaken(Conflict):
    """The handle is another's, or held for whoever had it."""


class StalePrev(Conflict):
    """The operation doesn't follow the DID's latest one, whose hash is ``head``."""

    @property
    def head(self) -> str | None:
        """Give the hash of the latest operation."""
        found = self.members.get("head")
        return found if isinstance(found, str) else None


class HandleChangeTooSoon(Conflict):
    """The handle changed less than 30 days ago."""


IDENTITY_BY_CODE: Mapping[str, type[Refused]] = {
    "invalid_operation": InvalidOperation,
    "handle_taken": HandleTaken,
    "stale_prev": StalePrev,
    "handle_change_too_soon": HandleChangeTooSoon,
}
