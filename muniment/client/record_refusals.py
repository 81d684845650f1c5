"""What vaults refuse, as exceptions: one class for each code that a caller may want to tell apart."""

from collections.abc import Mapping

from muniment.client.refusals import (
    ClientError,
    Conflict,
    Gone,
    PreconditionFailed,
    Refused,
    Unavailable,
    Unprocessable,
)


class FileChanged(ClientError):
    """A file was written to while it was sent."""


class UnknownCollection(Conflict):
    """The collection has no schema."""


class IncompatibleSchema(Conflict):
    """Records that are valid may not be under this schema, which isn't declared breaking."""


class RkeyTaken(Conflict):
    """The collection has a record under this key."""


class QuotaExceeded(Conflict):
    """The vault has no room for this."""


class AlreadyFinalized(Conflict):
    """The file is whole, and takes no further upload."""


class Erased(Gone):
    """Its owner had it erased: nobody reads it again, and nothing is written there."""


class CidMismatch(PreconditionFailed):
    """The record is not the one that the condition names."""


class SchemaViolation(Unprocessable):
    """The value is not as its collection's schema says; ``errors`` point into it."""


class MediaMismatch(Unprocessable):
    """What was uploaded has another size or SHA-256 than was reserved, or didn't come whole."""


class StorageUnavailable(Unavailable):
    """The media storage can't be reached, or has no room."""


RECORDS_BY_CODE: Mapping[str, type[Refused]] = {
    "unknown_collection": UnknownCollection,
    "incompatible_schema": IncompatibleSchema,
    "rkey_taken": RkeyTaken,
    "quota_exceeded": QuotaExceeded,
    "already_finalized": AlreadyFinalized,
    "erased": Erased,
    "cid_mismatch": CidMismatch,
    "schema_violation": SchemaViolation,
    "media_mismatch": MediaMismatch,
    "storage_unavailable": StorageUnavailable,
}
