"""Signers: an admin gives a DID roles, and takes them."""

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from api.fact_requests import Did, check_did
from api.intent import idempotency_key, request_hash, session_intent
from api.problems import ProblemError, invalid
from api.results import SignerView, write
from api.route import Asked, Route, Who
from api.shapes import Shape, WriteQuery
from domain.did import identity
from domain.facts.signer import ROLES, AddSigner, RevokeSigner
from log.dids import InvalidDid, parse_did

Role = Literal["curator", "institution", "publisher", "admin", "operator", "auditor"]


class SignerRequest(Shape):
    """A DID and all the roles that it is to have."""

    did: Did
    roles: Annotated[list[Role], Field(min_length=1, max_length=len(ROLES))]


def _check(asked: Asked) -> None:
    check_did(asked.body.did, "/did")
    if len(set(asked.body.roles)) != len(asked.body.roles):
        raise invalid("/roles", "a role is named twice")


async def add(asked: Asked) -> web.StreamResponse:
    """Give a DID these roles."""
    did = asked.body.did
    roles = tuple(role for role in ROLES if role in asked.body.roles)
    payload = AddSigner(did, roles, asked.api.authority(asked.caller.identity))
    asked_hash = request_hash("POST /signers", {}, asked.json)
    return await write(
        asked, session_intent(asked.caller, asked_hash, idempotency_key(asked.request), identity(did), payload)
    )


async def revoke(asked: Asked) -> web.StreamResponse:
    """Take a signer's right to issue."""
    did = asked.path("did")
    try:
        parse_did(did)
    except InvalidDid:
        raise ProblemError("not_found", "there is no signer of this DID") from None
    payload = RevokeSigner(did, asked.api.authority(asked.caller.identity))
    asked_hash = request_hash("DELETE /signers/{did}", {"did": did}, None)
    return await write(
        asked, session_intent(asked.caller, asked_hash, idempotency_key(asked.request), identity(did), payload)
    )


WRITES = ("idempotency_conflict", "log_unavailable", "outcome_unknown")

ROUTES = [
    Route(
        "POST",
        "/signers",
        add,
        "Add a signer, set a signer's roles, or reinstate one",
        Who.ADMIN,
        SignerRequest,
        WriteQuery,
        {201: SignerView, 200: SignerView},
        WRITES,
        _check,
    ),
    Route(
        "DELETE",
        "/signers/{did}",
        revoke,
        "Revoke a signer: it can issue nothing more, its facts stay",
        Who.ADMIN,
        None,
        WriteQuery,
        {200: SignerView},
        (*WRITES, "not_found", "already_revoked"),
    ),
]
