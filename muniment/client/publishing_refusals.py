"""What publishing refuses, as exceptions: one class for each code that a caller may want to tell apart."""

from collections.abc import Mapping, Sequence

from muniment.client.refusals import ClientError, Conflict, Forbidden, InvalidRequest, Refused, Unavailable


class PublishingFailed(ClientError):
    """A job failed: its record is not anchored, and may be published again; ``reason`` is why."""

    def __init__(self, job_id: str, reason: str | None) -> None:
        super().__init__(f"{job_id} failed" + ("" if reason is None else f": {reason}"))
        self.job_id, self.reason = job_id, reason


class StillPublishing(ClientError):
    """A job did not come so far while it was waited for; it goes on, and ``job_id`` tells how."""

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(f"{job_id} is {status} and was waited for long enough; it goes on without being asked again")
        self.job_id, self.status = job_id, status


class TimestampOutOfRange(InvalidRequest):
    """The record's timestamp is more than ten minutes from the log's time."""


class KeyNotRegistered(Forbidden):
    """The public key is not one whose intents are taken."""


class RecordExists(Conflict):
    """The public key has published a record of this id before, as ``job_id``."""

    @property
    def job_id(self) -> str | None:
        """Name the job that published it."""
        found = self.members.get("jobId")
        return found if isinstance(found, str) else None


class AmbiguousRecord(Conflict):
    """Several public keys published a record of this id: one of ``pubkeys`` must be named."""

    @property
    def pubkeys(self) -> Sequence[str]:
        """Name the public keys."""
        found = self.members.get("pubkeys")
        return [str(each) for each in found] if isinstance(found, list) else []


class NotConfirmed(Conflict):
    """The record's transaction is in no block yet, so there is no proof; ``job_status`` is how far it is."""

    @property
    def job_status(self) -> str | None:
        """Say how far the job is."""
        found = self.members.get("job_status")
        return found if isinstance(found, str) else None


class TransactionRefused(Conflict):
    """The chain does not take the transaction."""


class OutputKnown(Conflict):
    """The pool has, or had, this output."""


class OutputNotAvailable(Conflict):
    """The pool's free outputs are not enough."""


class ChainTooLong(Conflict):
    """The output stands on too many transactions that are in no block."""


class ChainUnavailable(Unavailable):
    """The chain can't be reached."""


PUBLISHING_BY_CODE: Mapping[str, type[Refused]] = {
    "timestamp_out_of_range": TimestampOutOfRange,
    "key_not_registered": KeyNotRegistered,
    "record_exists": RecordExists,
    "ambiguous_record": AmbiguousRecord,
    "not_confirmed": NotConfirmed,
    "transaction_refused": TransactionRefused,
    "output_known": OutputKnown,
    "output_not_available": OutputNotAvailable,
    "chain_too_long": ChainTooLong,
    "chain_unavailable": ChainUnavailable,
}
