"""One payload of each of the records' messages, written for ever."""

from typing import Any

from domain.records import erasure, media, record, schema

DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
AT = 1_760_324_400_000
HERE, SEEN = "facts/1/12", "records/2/34"
POST = "org.muniment.post"
CID, BEFORE = "sha256-RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o", "sha256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
RKEY = record.made_rkey(AT, 34)
SCHEMA = '{"type":"object"}'
SEALED = b"a nonce of 24 bytes, then what only the owner's key opens"
CHECKED = (CID, SEALED, 15, 1, SEEN)
MEDIA, PNG, SHA = "med_" + "a" * 52, "image/png", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

RECORDS_PAYLOADS: tuple[Any, ...] = (
    schema.PutSchema(POST, SCHEMA, breaking=True, authority=HERE),
    schema.SchemaPut(POST, 2, 2, SCHEMA, breaking=True, put_by=DID, authority=HERE),
    record.PutRecord(
        DID,
        POST,
        RKEY,
        *CHECKED,
        must_be_new=False,
        if_match=(BEFORE,),
        if_none_match=False,
        max_records=1_000_000,
        max_bytes=1 << 30,
        key_id="phone",
    ),
    record.DeleteRecord(DID, POST, RKEY, (CID,)),
    record.RecordCreated(DID, POST, RKEY, *CHECKED, "phone"),
    record.RecordUpdated(DID, POST, RKEY, *CHECKED, BEFORE, AT, "phone"),
    record.RecordDeleted(DID, POST, RKEY, CID),
    media.ReserveMedia(MEDIA, DID, PNG, 1_000, SHA, 86_400_000, 10_000, 1 << 34),
    media.FinalizeMedia(MEDIA, DID, 1_000, SHA),
    media.SweepMedia(MEDIA, DID),
    media.MediaReserved(MEDIA, DID, PNG, 1_000, SHA, AT + 86_400_000),
    media.MediaFinalized(MEDIA, DID, PNG, 1_000, SHA),
    media.MediaSwept(MEDIA, DID),
    erasure.EraseOwner(DID),
    erasure.OwnerErased(DID),
)
