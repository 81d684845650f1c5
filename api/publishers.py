"""Publishers: public keys whose intents are taken, let in by an admin or by who shows that it signs by them."""

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, Field

from api.intent import idempotency_key, request_hash, session_intent
from api.pages import page, read_cursor, write_cursor
from api.postgres_reads import PROBLEMS, offsets_in, read
from api.problems import ProblemError, invalid
from api.publish_requests import BASE64, CONTEXT, SIGNATURE_TEXT_MAX, PubkeyText
from api.publish_results import PublisherView
from api.results import write
from api.route import Asked, Route, Who, json_response
from api.shapes import NO_CONTROL, Maybe, PageQuery, Shape, WriteQuery
from api.times import rfc3339
from domain.json_value import JsonObject, JsonValue
from domain.publishing.output import POOL_ID
from domain.publishing.publisher import RegisterPublisher, RemovePublisher
from log import intents
from log.canonical import NotCanonicalizable
from log.public_keys import InvalidKey
from log.signatures import InvalidSignature
from log.statements import publisher_signed_bytes
from log.token import Positions
from projections import publishing_queries
from projections.generations import Generation
from projections.pages import Behind
from projections.postgres import Transaction
from projections.publishing_queries import StoredPublisher
from projections.reads import vector

ADMIN = "admin"
LABEL_MAX = 128
WRITES = ("idempotency_conflict", "log_unavailable", "outcome_unknown", "not_caught_up")


class PublisherRequest(Shape):
    """A public key and what it is called.

    ``signature`` is base64, by that key, over RFC 8785 of ``{"label", "pubkey", "registered_by", "type":
    "muniment.publisher.v1"}``, ``registered_by`` being the session's DID; an admin needs none.
    """

    pubkey: PubkeyText
    label: Annotated[str, Field(min_length=1, max_length=LABEL_MAX), NO_CONTROL]
    signature: Maybe[Annotated[str, Field(min_length=1, max_length=SIGNATURE_TEXT_MAX), BASE64]] = None


class PublisherPage(BaseModel):
    """Public keys, the one that was registered last first."""

    items: list[PublisherView]
    next_cursor: str | None


def _authority(asked: Asked) -> str | None:
    return asked.api.authority(asked.caller.identity) if ADMIN in asked.roles else None


def _check_possession(asked: Asked) -> None:
    """Check that the key signed for who asks; raises ``invalid_request``, ``invalid_signature``."""
    sent: PublisherRequest = asked.body
    try:
        key = intents.publisher(sent.pubkey)
    except InvalidKey as error:
        raise invalid("/pubkey", str(error)) from None
    if sent.signature is None:
        return
    try:
        signed = publisher_signed_bytes(pubkey=sent.pubkey, label=sent.label, registered_by=asked.caller.identity)
        intents.verify_intent(key, signed, sent.signature)
    except NotCanonicalizable as error:
        raise invalid("/label", str(error)) from None
    except InvalidSignature as error:
        raise ProblemError("invalid_signature", error.detail) from None


async def register(asked: Asked) -> web.StreamResponse:
    """Let a public key publish."""
    _check_possession(asked)
    sent: PublisherRequest = asked.body
    payload = RegisterPublisher(POOL_ID, sent.pubkey, sent.label, _authority(asked), sent.signature)
    asked_hash = request_hash("POST /v1/keys", {}, asked.json)
    return await write(
        asked, session_intent(asked.caller, asked_hash, idempotency_key(asked.request), POOL_ID, payload)
    )


async def remove(asked: Asked) -> web.StreamResponse:
    """Let a public key publish no more."""
    pubkey = asked.path("pubkey")
    try:
        intents.publisher(pubkey)
    except InvalidKey:
        raise ProblemError("not_found", "there is no such public key") from None
    payload = RemovePublisher(POOL_ID, pubkey, _authority(asked))
    asked_hash = request_hash("DELETE /v1/keys/{pubkey}", {"pubkey": pubkey}, None)
    return await write(
        asked, session_intent(asked.caller, asked_hash, idempotency_key(asked.request), POOL_ID, payload)
    )


def shown(known: StoredPublisher) -> JsonObject:
    """Show a public key."""
    view: JsonObject = {"pubkey": known.pubkey, "label": known.label, "registered_by": known.registered_by}
    view |= {"registered_at": rfc3339(known.at)}
    if known.removed_at is not None:
        view |= {"removed_by": known.removed_by, "removed_at": rfc3339(known.removed_at)}
    return view


async def browse(asked: Asked) -> web.StreamResponse:
    """List public keys, newest first: an admin is shown all of them, anybody else those that are its own."""
    query: PageQuery = asked.query
    mine = None if ADMIN in asked.roles else asked.caller.identity
    filters: dict[str, JsonValue] = {"of": "publishers", "registered_by": mine}
    after: Behind | None = None
    held: list[int] | None = None
    wanted: Positions = {}
    if query.cursor is not None:
        last, there = read_cursor(query.cursor, filters, (list, list))
        at, part, pos = (*offsets_in(last), 0, 0, 0)[:3]
        after, held = (at, part, pos), offsets_in(there)
        wanted = {(CONTEXT, partition): offset for partition, offset in enumerate(held) if offset >= 0}

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[StoredPublisher], list[int]]:
        offsets = vector(generation) if held is None else held
        found = await publishing_queries.publishers(
            transaction, generation, registered_by=mine, limit=query.limit + 1, offsets=offsets, after=after
        )
        return found, offsets

    (found, offsets), headers = await read(asked, CONTEXT, ask, wanted)
    items = found[: query.limit]
    cursor = None
    if len(found) > query.limit:
        last_shown = items[-1]
        cursor = write_cursor(filters, [[last_shown.at, last_shown.part, last_shown.pos], list(offsets)])
    return json_response(page([shown(each) for each in items], cursor), headers=headers)


ROUTES = [
    Route(
        "POST",
        "/v1/keys",
        register,
        "Let a public key publish",
        Who.SESSION,
        PublisherRequest,
        WriteQuery,
        {201: PublisherView, 200: PublisherView},
        (*WRITES, "forbidden", "invalid_signature", "already_registered"),
    ),
    Route(
        "DELETE",
        "/v1/keys/{pubkey}",
        remove,
        "Let a public key publish no more",
        Who.SESSION,
        None,
        WriteQuery,
        {200: PublisherView},
        (*WRITES, "forbidden", "not_found"),
    ),
    Route(
        "GET",
        "/v1/keys",
        browse,
        "The public keys that may publish: one's own, an admin's all",
        Who.SESSION,
        query_model=PageQuery,
        responses={200: PublisherPage},
        problems=(*PROBLEMS, "invalid_cursor"),
    ),
]
