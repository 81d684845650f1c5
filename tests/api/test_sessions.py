"""Sessions: a nonce is used once by whom it was given to, and a token is checked in every part."""

import base64
import json
import os
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api import session_tokens
from api.session_tokens import UsedNoncesInProcess
from tests.api.serving import ISSUER, Registry, key, star


async def opened(registry: Registry, **change: Any) -> Any:
    curator = key(1)
    given = await registry.ask("POST", "/auth/nonce", {"did": curator.did})
    body = curator.sign_session(given.json["issuer"], curator.did, given.json["nonce"])
    return await registry.ask("POST", "/auth/session", body | change)


async def test_a_session_is_opened_by_a_signed_nonce_and_anyone_can_check_its_token(registry: Registry) -> None:
    answer = await opened(registry)
    assert (answer.status, answer.json["token_type"]) == (201, "Bearer")
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.json["token"]
    (found,) = (await registry.ask("GET", "/.well-known/jwks.json")).json["keys"]
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["kid"]) == ("EdDSA", found["kid"])
    claims = jwt.decode(token, jwt.PyJWK(found), algorithms=["EdDSA"], audience="muniment", issuer=ISSUER)
    assert claims["sub"] == key(1).did
    assert claims["exp"] - claims["iat"] == 900
    assert claims["roles"] == []
    assert claims["jti"]
    assert "d" not in found


async def test_a_nonce_is_used_once_and_only_for_its_did(registry: Registry) -> None:
    curator, other = key(1), key(2)
    given = (await registry.ask("POST", "/auth/nonce", {"did": curator.did})).json
    for by in (other, other):
        stolen = by.sign_session(given["issuer"], by.did, given["nonce"])
        assert (await registry.ask("POST", "/auth/session", stolen)).code == "invalid_signature"
    body = curator.sign_session(given["issuer"], curator.did, given["nonce"])
    assert (await registry.ask("POST", "/auth/session", body)).status == 201
    again = await registry.ask("POST", "/auth/session", body)
    assert (again.status, again.code) == (401, "invalid_signature")


async def test_a_session_statement_is_bound_to_its_issuer_and_algorithm(registry: Registry) -> None:
    curator = key(1)
    given = (await registry.ask("POST", "/auth/nonce", {"did": curator.did})).json
    elsewhere = curator.sign_session("http://evil.test", curator.did, given["nonce"])
    assert (await registry.ask("POST", "/auth/session", elsewhere)).code == "invalid_signature"
    assert (await opened(registry, alg="none")).code == "unsupported_algorithm"
    assert (await opened(registry, alg="eip191")).code == "invalid_signature"
    assert (await opened(registry, nonce="x")).code == "invalid_signature"
    assert (await opened(registry, signature="x")).code == "invalid_signature"
    assert (await opened(registry, did="x")).code == "invalid_request"
    assert (await opened(registry, extra=1)).code == "invalid_request"
    made_up = base64.urlsafe_b64encode(os.urandom(40)).decode().rstrip("=")
    assert (await opened(registry, nonce=made_up)).code == "invalid_signature"


async def test_a_nonce_ends_after_five_minutes(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_tokens, "NONCE_LIFETIME_S", -1)
    answer = await opened(registry)
    assert (answer.code, answer.json["detail"]) == ("invalid_signature", "the nonce has expired")


async def test_an_ethereum_address_opens_a_session_in_any_case(registry: Registry) -> None:
    curator = await registry.signer(3, "curator", alg="eip191")
    assert (await registry.ask("POST", "/facts", star(curator), by=curator)).status == 201
    lower = curator.did.lower()
    given = (await registry.ask("POST", "/auth/nonce", {"did": lower})).json
    answer = await registry.ask("POST", "/auth/session", curator.sign_session(given["issuer"], lower, given["nonce"]))
    assert answer.status == 201, answer.text
    headers = {"Authorization": f"Bearer {answer.json['token']}"}
    assert (await registry.ask("POST", "/facts", star(curator, "pl_2"), headers=headers)).status == 201


def forged(
    registry: Registry, *, alg: str = "EdDSA", private: Any = None, kid: str | None = None, **claims: Any
) -> str:
    own = registry.keys.valid()[-1]
    now = int(time.time())
    given = {"iss": ISSUER, "aud": "muniment", "sub": key(1).did, "iat": now, "exp": now + 60, "jti": "j"} | claims
    given = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(given, own.private if private is None else private, alg, headers={"kid": kid or own.kid})


async def test_a_token_counts_only_if_every_part_of_it_holds(registry: Registry) -> None:
    sent = star(key(1))

    async def code(token: str) -> str | None:
        answer = await registry.ask("POST", "/facts", sent, headers={"Authorization": f"Bearer {token}"})
        return answer.code

    assert await code(forged(registry)) == "signer_not_authorized"
    now = int(time.time())
    public = json.dumps(registry.keys.jwks()).encode()
    whole = forged(registry)
    header, claims, signature = whole.split(".")
    other = jwt.encode({**jwt.decode(whole, options={"verify_signature": False}), "sub": key(2).did}, "k" * 32)
    for token in (
        f"{header}.{other.split('.')[1]}.{signature}",
        f"{header}.{claims}.",
        f"{whole}.",
        f"{whole}.{whole}",
        "." * 4_000,
        jwt.encode(jwt.decode(whole, options={"verify_signature": False}), registry.keys.valid()[-1].private, "EdDSA"),
        forged(registry, nbf=now + 600),
        forged(registry, exp=now - 60),
        forged(registry, exp=None),
        forged(registry, iat=now + 600),
        forged(registry, aud="other"),
        forged(registry, aud=None),
        forged(registry, iss="http://evil.test"),
        forged(registry, sub=None),
        forged(registry, sub=7),
        forged(registry, jti=None),
        forged(registry, kid="other"),
        forged(registry, private=Ed25519PrivateKey.generate()),
        forged(registry, alg="none", private=""),
        forged(registry, alg="HS256", private=base64.b64encode(public)),
        whole[:-4] + ("AAAA" if whole[-4:] != "AAAA" else "BBBB"),
        "x",
        "",
        "a.b.c",
        "é",
        "a" * 9000,
    ):
        if token.isascii() and len(token) < 8000:
            assert await code(token) == "unauthenticated", token
        else:
            assert registry.api.sessions.caller(token) is None


async def test_a_token_that_was_seen_still_ends(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    token = forged(registry)
    assert registry.api.sessions.caller(token) is not None
    later = time.time() + 120
    monkeypatch.setattr(session_tokens.time, "time", lambda: later)
    assert registry.api.sessions.caller(token) is None


async def test_what_can_not_be_remembered_is_refused_not_let_through() -> None:
    used = UsedNoncesInProcess(limit=2)
    soon = int(time.time()) + 60
    assert [await used.use(name, soon) for name in ("a", "a", "b", "c")] == [True, False, True, False]
    old = UsedNoncesInProcess(limit=1)
    assert await old.use("a", int(time.time()) - 1)
    assert await old.use("b", soon)
