"""Records: kept, changed and let go of by their owner's session; what the log gets of a value is sealed."""

from typing import Any

from aiohttp import web

from api.appending import known_outcome
from api.intent import Intent, idempotency_key, request_hash, session_intent
from api.problems import ProblemError, invalid
from api.record_requests import (
    NOT_RKEYS,
    VALUED,
    WAITING,
    WRITES,
    Checked,
    Conditions,
    NewRecord,
    RecordName,
    RecordValue,
    Value,
    check_value,
    conditions,
    named,
    value_of,
)
from api.record_results import RecordView
from api.results import write
from api.route import Asked, Route, Who
from api.shapes import WriteQuery
from api.vault import check_not_erased, vaults_of
from domain.json_value import JsonObject
from domain.records.record import DeleteRecord, PutRecord
from log.scope import command_id

CREATE = "POST /records"
PUT = "PUT /records/{did}/{collection}/{rkey}"
DELETE = "DELETE /records/{did}/{collection}/{rkey}"
UNSEALED = Checked(0, "")
"""Stands for what no schema was asked about: such a command is never appended."""
CONDITIONAL = {"If-Match": "The cid that the record has, as an entity tag, or *."}


def _read_value(asked: Asked) -> None:
    asked.statement = value_of(asked.json["value"])  # type: ignore[index, call-overload]  # the model has fitted
    if getattr(asked.body, "rkey", None) in NOT_RKEYS:
        raise invalid("/rkey", "a key isn't a step of a path")


def check_owner(asked: Asked, did: str) -> None:
    """Refuse whoever isn't the owner. Raises ``forbidden``, ``erased``."""
    if asked.caller.identity != did:
        raise ProblemError("forbidden", "only its owner writes into a vault")
    check_not_erased(asked, did)


async def create(asked: Asked) -> web.StreamResponse:
    """Keep a value under a key that is not taken, or under one that is made."""
    sent: NewRecord = asked.body
    value: Value = asked.statement
    did = asked.caller.identity
    check_owner(asked, did)
    told: JsonObject = {"collection": sent.collection, "cid": value.cid}
    told |= {} if sent.rkey is None else {"rkey": sent.rkey}
    name = RecordName(did, sent.collection, sent.rkey or "")
    return await _keep(asked, name, Conditions(), request_hash(CREATE, {}, told), must_be_new=True)


async def put(asked: Asked) -> web.StreamResponse:
    """Keep a value under a key, whatever is there, on the conditions that the headers name."""
    name, value, wanted = named(asked), asked.statement, conditions(asked, may_be_new=True)
    check_owner(asked, name.did)
    asked_hash = request_hash(PUT, name.path, {"cid": value.cid, **wanted.told()})
    return await _keep(asked, name, wanted, asked_hash, must_be_new=False)


async def _keep(
    asked: Asked, name: RecordName, wanted: Conditions, asked_hash: bytes, *, must_be_new: bool
) -> web.StreamResponse:
    """Check a value, seal it and write; a request that was ruled on is answered with that, whatever the schema says.

    The hash of what is asked has the value's cid in its place, so that whoever has the log can tell it for ever.
    """
    value: Value = asked.statement
    given_key = idempotency_key(asked.request)
    command = command_id(name.did, asked_hash, idempotency_key=given_key)

    def intent(checked: Checked, sealed: bytes) -> Intent:
        settings = asked.api.settings
        payload = PutRecord(
            name.did,
            name.collection,
            name.rkey or None,
            value.cid,
            sealed,
            len(value.text),
            checked.version,
            checked.seen_at,
            must_be_new=must_be_new,
            if_match=wanted.if_match,
            if_none_match=wanted.if_none_match,
            max_records=settings.records_per_owner,
            max_bytes=settings.record_bytes_per_owner,
            key_id=asked.caller.key_id,
        )
        return session_intent(asked.caller, asked_hash, given_key, name.did, payload, named=command)

    def with_value(view: JsonObject) -> JsonObject:
        shown: JsonObject = {part: view.pop(part) for part in ("uri", "cid") if part in view}
        sent: Any = asked.json
        return shown | {"value": sent["value"]} | view

    first = intent(UNSEALED, b"")
    if await known_outcome(asked.api, first) is not None:
        return await write(asked, first, with_value)
    checked = await check_value(asked, name.collection, asked.json["value"])  # type: ignore[index, call-overload]
    if asked.query.dry_run:
        return await write(asked, intent(checked, b""), with_value)
    sealed = await vaults_of(asked).seal(name.did, name.collection, value.cid, value.text)
    return await write(asked, intent(checked, sealed), with_value)


async def delete(asked: Asked) -> web.StreamResponse:
    """Let go of a record."""
    name, wanted = named(asked), conditions(asked, may_be_new=False)
    check_owner(asked, name.did)
    payload = DeleteRecord(name.did, name.collection, name.rkey, wanted.if_match)
    asked_hash = request_hash(DELETE, name.path, wanted.told() or None)
    return await write(
        asked, session_intent(asked.caller, asked_hash, idempotency_key(asked.request), name.did, payload)
    )


ROUTES = [
    Route(
        "POST",
        "/records",
        create,
        "Keep a value in one's vault",
        Who.SESSION,
        NewRecord,
        WriteQuery,
        {201: RecordView},
        (*VALUED, *WAITING, "rkey_taken"),
        _read_value,
    ),
    Route(
        "PUT",
        "/records/{did}/{collection}/{rkey}",
        put,
        "Keep a value under a key, on conditions",
        Who.SESSION,
        RecordValue,
        WriteQuery,
        {201: RecordView, 200: RecordView},
        (*VALUED, *WAITING, "not_found", "cid_mismatch"),
        _read_value,
        header_parameters=CONDITIONAL | {"If-None-Match": "`*`: only where there is no such record."},
    ),
    Route(
        "DELETE",
        "/records/{did}/{collection}/{rkey}",
        delete,
        "Let go of a record",
        Who.SESSION,
        None,
        WriteQuery,
        {204: None},
        (*WRITES, "forbidden", "erased", "not_found", "cid_mismatch", "read_model_unavailable"),
        header_parameters=CONDITIONAL,
    ),
]
