"""Sessions: a nonce, a signature over it, a token; and the keys by which anyone checks the token."""

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, Field

from api.fact_requests import Alg, Did, SignatureText, check_algorithm, check_did
from api.route import Asked, Route, json_response
from api.shapes import Maybe, Shape, Text
from api.times import rfc3339
from domain.did import identity

JWKS_MAX_AGE_S = 60


class NonceRequest(Shape):
    """Whose session is to be opened."""

    did: Did


class NonceView(BaseModel):
    """What is to be signed: ``muniment-session-v1``, ``issuer``, the DID and ``nonce``, each on its line."""

    nonce: str
    issuer: str
    expires_at: str


class SessionRequest(Shape):
    """A signed nonce; ``alg`` is ed25519 when absent."""

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


async def open_session(asked: Asked) -> web.StreamResponse:
    """Open a session for whoever signed the nonce."""
    body: SessionRequest = asked.body
    check_did(body.did, "/did")
    check_algorithm(body.alg)
    roles = sorted(asked.api.roles(identity(body.did)))
    token, expires_at = await asked.api.sessions.open(
        body.did, body.nonce, alg=body.alg, key_id=body.key_id, signature=body.signature, roles=roles
    )
    return json_response({"token": token, "token_type": "Bearer", "expires_at": rfc3339(expires_at * 1000)}, 201)


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
        responses={201: SessionView},
        problems=("invalid_signature", "unsupported_algorithm", "read_model_unavailable"),
    ),
    Route("GET", "/.well-known/jwks.json", show_keys, "The keys that sign sessions", responses={200: JwksView}),
]
