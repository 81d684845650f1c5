"""Sessions: a nonce, a signature over it, a token; and the keys by which anyone checks the token.

A registered DID names the key that signs (``key_id``), which must be for authentication and hold now; its session is
over once that key's window is. Logging out ends the session with every token that it was given.
"""

import time
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, Field

from api.fact_requests import Alg, Did, SignatureText, check_did
from api.freshness import not_caught_up, wait_until_fresh
from api.intent import idempotency_key, request_hash, session_intent
from api.problems import ProblemError, invalid
from api.record_requests import WRITES
from api.registered_keys import CONTEXT, RegisteredKey, is_registered, registered_key
from api.results import write
from api.route import Asked, Route, Who, json_response
from api.service_keys import JWKS_MAX_AGE_S
from api.session_tokens import SESSION_LIFETIME_S
from api.shapes import FreshQuery, Maybe, Shape, Text, WriteQuery
from api.times import rfc3339
from domain.did import identity
from domain.identity.key import AUTHENTICATION
from domain.identity.session import EndSession
from log.public_keys import key_types

ALGORITHMS: Final = (*key_types, "eip191")
LOGOUT: Final = "POST /auth/logout"
ENDED_FOR_MS: Final = 2 * SESSION_LIFETIME_S * 1000
"""How long the end of a session is remembered: longer than the tokens last that it was given before all heard of it."""


class NonceRequest(Shape):
    """Whose session is to be opened."""

    did: Did


class NonceView(BaseModel):
    """What is to be signed: ``muniment-session-v1``, ``issuer``, the DID and ``nonce``, each on its line."""

    nonce: str
    issuer: str
    expires_at: str


class SessionRequest(Shape):
    """A signed nonce; ``alg`` is ed25519 when absent, and ``key_id`` names the key of a registered DID."""

    did: Did
    nonce: Annotated[str, Field(min_length=1, max_length=256)]
    signature: SignatureText
    alg: Alg = "ed25519"
    key_id: Maybe[Text] = None


class SessionView(BaseModel):
    """A session's token, to be sent as ``Authorization: Bearer``."""

    token: str
    token_type: str
    expires_at: str


class StandingView(BaseModel):
    """Whose session it is, with the roles of now; ``expires_at`` is its token's end."""

    did: str
    roles: list[str]
    expires_at: str


class JwksView(BaseModel):
    """The public keys that are valid now (RFC 7517)."""

    keys: list[dict[str, str]]


async def give_nonce(asked: Asked) -> web.StreamResponse:
    """Give a nonce."""
    check_did(asked.body.did, "/did")
    nonce, expires_at = asked.api.sessions.nonce(asked.body.did)
    return json_response(
        {"nonce": nonce, "issuer": asked.api.sessions.issuer, "expires_at": rfc3339(expires_at * 1000)}, 201
    )


def _opened(token: str, expires_at: int) -> web.StreamResponse:
    return json_response({"token": token, "token_type": "Bearer", "expires_at": rfc3339(expires_at * 1000)}, 201)


async def open_session(asked: Asked) -> web.StreamResponse:
    """Open a session for whoever signed the nonce."""
    body: SessionRequest = asked.body
    check_did(body.did, "/did")
    if body.alg not in ALGORITHMS:
        raise ProblemError("unsupported_algorithm", f"alg is one of {', '.join(ALGORITHMS)}")
    registered = await _registered(asked, body)
    roles = sorted(asked.api.roles(identity(body.did)))
    token, expires_at = await asked.api.sessions.open(
        body.did,
        body.nonce,
        alg=body.alg,
        key_id=body.key_id,
        signature=body.signature,
        roles=roles,
        registered=registered,
    )
    return _opened(token, expires_at)


async def _registered(asked: Asked, body: SessionRequest) -> RegisteredKey | None:
    """Find the key that a registered DID says it signs with; other DIDs say their key themselves."""
    if not is_registered(body.did):
        return None
    if body.key_id is None:
        raise invalid("/key_id", "a registered DID names the key that signs")
    if not asked.api.caught_up:
        raise not_caught_up()
    await wait_until_fresh(asked.api.mirror, asked.query, (CONTEXT,))
    return registered_key(asked.api.mirror, body.did, body.key_id, AUTHENTICATION)


async def show_session(asked: Asked) -> web.StreamResponse:
    """Say whose session this is: a service elsewhere sees from the token alone no session that was ended."""
    caller = asked.caller
    expires_at = rfc3339(caller.expires_at * 1000)
    return json_response({"did": caller.did, "roles": sorted(asked.roles), "expires_at": expires_at})


async def refresh(asked: Asked) -> web.StreamResponse:
    """Give another token of the session; the one that asks stays as good as it was."""
    return _opened(*asked.api.sessions.refresh(asked.caller, sorted(asked.roles)))


async def log_out(asked: Asked) -> web.StreamResponse:
    """End the session, with every token that it was given."""
    caller = asked.caller
    forgotten_at = time.time_ns() // 1_000_000 + ENDED_FOR_MS
    payload = EndSession(caller.identity, caller.session_id, forgotten_at)
    # One key is one outcome: of two sessions that use the same one, only the first would end.
    asked_hash = request_hash(LOGOUT, {}, {"session": caller.session_id})
    intent = session_intent(caller, asked_hash, idempotency_key(asked.request), caller.identity, payload)
    return await write(asked, intent)


async def show_keys(asked: Asked) -> web.StreamResponse:
    """Show the keys that are valid now."""
    return json_response(asked.api.sessions.keys.jwks(), headers={"Cache-Control": f"public, max-age={JWKS_MAX_AGE_S}"})


ROUTES = [
    Route(
        "POST",
        "/auth/nonce",
        give_nonce,
        "Get a nonce to sign",
        request_model=NonceRequest,
        responses={201: NonceView},
    ),
    Route(
        "POST",
        "/auth/session",
        open_session,
        "Open a session with a signed nonce",
        request_model=SessionRequest,
        query_model=FreshQuery,
        responses={201: SessionView},
        problems=("invalid_signature", "unsupported_algorithm", "not_caught_up", "read_model_unavailable"),
    ),
    Route(
        "GET",
        "/auth/session",
        show_session,
        "Ask whether a session stands",
        Who.SESSION,
        responses={200: StandingView},
    ),
    Route(
        "POST",
        "/auth/refresh",
        refresh,
        "Get another token of a session before its own expires",
        Who.SESSION,
        responses={201: SessionView},
    ),
    Route(
        "POST",
        "/auth/logout",
        log_out,
        "End a session",
        Who.SESSION,
        query_model=WriteQuery,
        responses={204: None},
        problems=WRITES,
    ),
    Route("GET", "/.well-known/jwks.json", show_keys, "The keys that sign sessions", responses={200: JwksView}),
]
