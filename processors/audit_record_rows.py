"""The rows of the records projection as an auditor folds them from events, by code that shares none with it.

Events hold values sealed. What lies in clear in Postgres is held against the cid that its event names, so an auditor
needs no owner's key to find a value that was changed.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from domain.did import identity
from domain.records.erasure import OwnerErased
from domain.records.media import MediaFinalized, MediaReserved, MediaSwept
from domain.records.record import RecordCreated, RecordDeleted, RecordUpdated
from log.strict_json import parse_own
from processors.audit_row_keys import row_key
from processors.audit_rows import AUXILIARY, Change, Get, RowRules

RECORDS, MEDIA, ERASED = "records", "media", "erased_owners"
NOW: Final = AUXILIARY + "now/"
"""Where the auditor notes which version of a record is its newest."""


class RecordRows(RowRules):
    """The records projection: each version of a record, media, and who was erased."""

    def change(self, get: Get, event: Any, place: tuple[int, int], at: int) -> Iterable[Change]:
        """Give the rows that an event changes; a collection's schemas have none."""
        part, pos = place
        match event:
            case RecordCreated() | RecordUpdated() | RecordDeleted():
                yield from _version(get, event, place, at)
            case MediaReserved():
                reserved = {name: getattr(event, name) for name in ("media_id", "mime", "size", "sha256", "expires_at")}
                standing = {"status": "reserved", "status_pos": pos, "status_at": at}
                yield _row(MEDIA, **reserved, did=identity(event.did), part=part, pos=pos, at=at, **standing)
            case MediaFinalized() | MediaSwept():
                key = f"{MEDIA}/{event.media_id}"
                status = "finalized" if isinstance(event, MediaFinalized) else "swept"
                known = get(key)
                if known is not None:
                    yield key, {**known, "status": status, "status_pos": pos, "status_at": at}
            case OwnerErased():
                yield _row(ERASED, did=identity(event.did), part=part, pos=pos, at=at)

    def finish(self, scan: Callable[[str], Iterator[tuple[str, Any]]]) -> Iterable[Change]:
        """Take away what was an erased owner's: nothing of it is kept, and the log takes nothing more of theirs."""
        erased = {row["did"] for _, row in scan(f"{ERASED}/")}
        for table in (RECORDS, MEDIA):
            for key, row in scan(f"{table}/"):
                if row["did"] in erased:
                    yield key, None

    def found(self, row: Any) -> Any:
        """Give a row with the cid of its value in the value's place, and without what follows from the value.

        What a row says of its value, and the value doesn't, stays: then the row isn't what the log says.
        """
        if "value" not in row:
            return row
        text, derived = row["value"], _about(row)
        kept = {name: member for name, member in row.items() if name not in derived or member != derived[name]}
        return kept if text is None else {**kept, "value": _cid(text)}


def _row(table: str, **columns: Any) -> Change:
    return row_key(table, columns), columns


def _about(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Derive the DID that a row's value is about, and the first 10,000 characters of what it says to people.

    Of a value that isn't the row's anything follows: that it is another is what is told.
    """
    text = row["value"]
    if text is None:
        return {"subject": None, "said": None}
    if _cid(text) != row["cid"]:
        return {"subject": row["subject"], "said": row["said"]}
    value = parse_own(text)
    members = value if isinstance(value, dict) else {}
    subject = members.get("subject")
    is_did = isinstance(subject, str) and subject[:4] == "did:" and len(subject) <= 512 and "\0" not in subject
    texts = (members.get(name) for name in ("text", "display_name", "description"))
    said = "\n".join(text for text in texts if isinstance(text, str))[:10_000].replace("\0", "\ufffd")
    return {"subject": identity(str(subject)) if is_did else None, "said": said or None}


def _cid(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256-" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _version(
    get: Get, event: RecordCreated | RecordUpdated | RecordDeleted, place: tuple[int, int], at: int
) -> Iterable[Change]:
    part, pos = place
    owner = identity(event.did)
    name = f"{owner}/{event.collection}/{event.rkey}"
    before = get(NOW + name)
    if before is not None:
        key = f"{RECORDS}/{name}/{before}"
        yield key, {**(get(key) or {}), "until_pos": pos, "until_at": at}
    if isinstance(event, RecordDeleted):
        yield NOW + name, None
        return
    yield NOW + name, pos
    yield _row(
        RECORDS,
        did=owner,
        collection=event.collection,
        rkey=event.rkey,
        part=part,
        pos=pos,
        at=at,
        indexed_at=event.indexed_at if isinstance(event, RecordUpdated) else at,
        cid=event.cid,
        value=event.cid,
        schema_version=event.schema_version,
        size=event.size,
        until_pos=None,
        until_at=None,
        key_id=event.key_id,
    )
