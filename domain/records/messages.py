"""The messages of the records by their names on the log."""

from collections.abc import Sequence

from domain.message_type import MessageType, message_types
from domain.records import erasure, media, record, schema

MESSAGES: Sequence[MessageType] = (
    *message_types("records", schema.SCHEMA, {"PutSchema": schema.PutSchema}, {"SchemaPut": schema.SchemaPut}),
    *message_types(
        "records",
        record.RECORD,
        {"PutRecord": record.PutRecord, "DeleteRecord": record.DeleteRecord},
        {
            "RecordCreated": record.RecordCreated,
            "RecordUpdated": record.RecordUpdated,
            "RecordDeleted": record.RecordDeleted,
        },
    ),
    *message_types(
        "records",
        media.MEDIA,
        {
            "ReserveMedia": media.ReserveMedia,
            "FinalizeMedia": media.FinalizeMedia,
            "SweepMedia": media.SweepMedia,
        },
        {
            "MediaReserved": media.MediaReserved,
            "MediaFinalized": media.MediaFinalized,
            "MediaSwept": media.MediaSwept,
        },
    ),
    *message_types(
        "records", erasure.ERASURE, {"EraseOwner": erasure.EraseOwner}, {"OwnerErased": erasure.OwnerErased}
    ),
)
