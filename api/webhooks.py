"""Webhooks: an admin registers endpoints, rotates their secrets, has changes sent again, removes them."""

import base64
import binascii
import secrets
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from api.intent import Intent, idempotency_key, request_hash, session_intent
from api.problems import ProblemError, invalid
from api.results import WebhookView, write
from api.route import Asked, Route, Who
from api.shapes import Maybe, Shape, WriteQuery
from api.webhook_reads import known_form
from domain.facts.kinds import KINDS
from domain.facts.webhook import DeleteWebhook, RegisterWebhook, ReplayWebhook, RotateWebhookSecret
from domain.ruling import HALF, ID_PREFIX
from log.scope import command_id
from log.sealing import seal
from log.token import InvalidToken, read_token
from processors.targets import MAX_URL_CHARACTERS, TargetRefused, check_target, check_url

SECRET_PREFIX = "whsec_"  # noqa: S105  # a prefix that all secrets share
SECRET_BYTES = 32
SECRET_MIN_BYTES, SECRET_MAX_BYTES = 24, 64
OVERLAP_MS = 24 * 60 * 60 * 1000
"""How long both secrets sign after a rotation."""
FROM_THE_START = "0"
Secret = Annotated[str, Field(min_length=1, max_length=128)]


class WebhookRequest(Shape):
    """An endpoint to tell of changes; without ``kinds`` of all, without ``secret`` one is made."""

    url: Annotated[str, Field(min_length=1, max_length=MAX_URL_CHARACTERS)]
    kinds: Maybe[Annotated[list[str], Field(min_length=1, max_length=64)]] = None
    secret: Maybe[Secret] = None


class RotationRequest(Shape):
    """Another secret; one is made where none is given."""

    secret: Maybe[Secret] = None


class ReplayRequest(Shape):
    """From which cursor of the delta feed on; ``0`` from the start."""

    from_: Annotated[str, Field(alias="from", min_length=1, max_length=4096)]


def new_secret() -> str:
    """Make a secret: ``whsec_`` and the base64 of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _check_secret(secret: str | None) -> None:
    if secret is None:
        return
    try:
        raw = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    sized = SECRET_MIN_BYTES <= len(raw) <= SECRET_MAX_BYTES
    if not sized or SECRET_PREFIX + base64.b64encode(raw).decode() != secret:
        raise invalid("/secret", "a secret is whsec_ and the base64 of 24 to 64 bytes")


def _check_new(asked: Asked) -> None:
    try:
        check_url(asked.body.url)
    except TargetRefused as error:
        raise invalid("/url", str(error)) from None
    kinds = asked.body.kinds or []
    for index, kind in enumerate(kinds):
        if kind not in KINDS:
            raise invalid(f"/kinds/{index}", f"a kind is one of {', '.join(KINDS)}")
    if len(set(kinds)) != len(kinds):
        raise invalid("/kinds", "a kind is named twice")
    _check_secret(asked.body.secret)


def _check_rotation(asked: Asked) -> None:
    _check_secret(asked.body.secret)


def _check_replay(asked: Asked) -> None:
    if asked.body.from_ != FROM_THE_START:
        try:
            read_token(asked.body.from_)
        except InvalidToken:
            raise ProblemError("invalid_cursor", "from is a cursor of GET /facts?since=, or 0") from None


def _name(asked: Asked, path: dict[str, str]) -> tuple[str, bytes, str | None]:
    """Give the id of the command, the hash of what is asked, and the idempotency key."""
    asked_hash = request_hash(f"{asked.route.method} {asked.route.path}", path, asked.json)
    given_key = idempotency_key(asked.request)
    return command_id(asked.caller.identity, asked_hash, idempotency_key=given_key), asked_hash, given_key


def _scope(command: str) -> str:
    """Give the half of a command's id that a repeat under the same key has too."""
    return command[len(ID_PREFIX) : len(ID_PREFIX) + HALF]


async def register(asked: Asked) -> web.StreamResponse:
    """Register an endpoint; its id follows from the idempotency key, so that a repeat meets the first one."""
    api, body = asked.api, asked.body
    try:
        await check_target(body.url, "any" if api.settings.any_webhook_target else "public")
    except TargetRefused as error:
        raise invalid("/url", str(error)) from None
    name, asked_hash, given_key = _name(asked, {})
    webhook_id = f"whk_{_scope(name)}"
    payload = RegisterWebhook(
        webhook_id,
        body.url,
        tuple(body.kinds or ()),
        seal(api.sealing_key, body.secret or new_secret()),
        api.authority(asked.caller.identity),
    )
    return await write(asked, session_intent(asked.caller, asked_hash, given_key, webhook_id, payload, named=name))


def _change(asked: Asked, webhook_id: str, payload: Any) -> Intent:
    name, asked_hash, given_key = _name(asked, {"id": webhook_id})
    return session_intent(asked.caller, asked_hash, given_key, webhook_id, payload, named=name)


async def remove(asked: Asked) -> web.StreamResponse:
    """Remove an endpoint."""
    webhook_id = known_form(asked)
    return await write(
        asked, _change(asked, webhook_id, DeleteWebhook(webhook_id, asked.api.authority(asked.caller.identity)))
    )


async def rotate(asked: Asked) -> web.StreamResponse:
    """Give an endpoint another secret; for a day both sign."""
    webhook_id = known_form(asked)
    sealed = seal(asked.api.sealing_key, asked.body.secret or new_secret())
    payload = RotateWebhookSecret(webhook_id, sealed, OVERLAP_MS, asked.api.authority(asked.caller.identity))
    return await write(asked, _change(asked, webhook_id, payload))


async def replay(asked: Asked) -> web.StreamResponse:
    """Have every change after a cursor sent again, under the replay's own name."""
    webhook_id = known_form(asked)
    name, asked_hash, given_key = _name(asked, {"id": webhook_id})
    authority = asked.api.authority(asked.caller.identity)
    payload = ReplayWebhook(webhook_id, f"rpl_{_scope(name)}", asked.body.from_, authority)
    return await write(asked, session_intent(asked.caller, asked_hash, given_key, webhook_id, payload, named=name))


WRITES = ("idempotency_conflict", "log_unavailable", "outcome_unknown")

ROUTES = [
    Route(
        "POST",
        "/webhooks",
        register,
        "Register an endpoint; the answer shows its secret, once",
        Who.ADMIN,
        WebhookRequest,
        WriteQuery,
        {201: WebhookView},
        (*WRITES, "already_registered"),
        _check_new,
    ),
    Route(
        "DELETE",
        "/webhooks/{id}",
        remove,
        "Remove an endpoint",
        Who.ADMIN,
        None,
        WriteQuery,
        {200: WebhookView},
        (*WRITES, "not_found"),
    ),
    Route(
        "POST",
        "/webhooks/{id}/rotate-secret",
        rotate,
        "Give an endpoint another secret; for a day both sign",
        Who.ADMIN,
        RotationRequest,
        WriteQuery,
        {200: WebhookView},
        (*WRITES, "not_found"),
        _check_rotation,
    ),
    Route(
        "POST",
        "/webhooks/{id}/replay",
        replay,
        "Send every change after a cursor of the delta feed again",
        Who.ADMIN,
        ReplayRequest,
        WriteQuery,
        {200: WebhookView},
        (*WRITES, "not_found", "invalid_cursor"),
        _check_replay,
    ),
]
