"""Tokens as a service elsewhere checks them: by published keys that it fetches seldom, and by every part of a token."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from log.jwks import KEYS_GOOD_FOR_S, REFETCH_EVERY_S, TOKEN_MAX, KeySet, KeysUnavailable

ISSUER = "http://registry.test"


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Publisher:
    """Whoever publishes keys: one by each name, as long as it answers."""

    def __init__(self, *names: str) -> None:
        self.keys = {name: Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32)) for name in names}
        self.asked, self.answers, self.takes_s = 0, True, 0.0
        self.more: list[Any] = []

    def public(self, name: str) -> bytes:
        return self.keys[name].public_key().public_bytes_raw()

    def add(self, name: str) -> None:
        self.keys |= Publisher(name).keys

    async def fetch(self) -> Any:
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        if not self.answers:
            raise ConnectionError
        keys = [{"kty": "OKP", "crv": "Ed25519", "kid": name, "x": b64(self.public(name))} for name in self.keys]
        return {"keys": [*self.more, *keys]}

    def token(self, name: str = "a", *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        given = {"iss": ISSUER, "aud": "muniment", "sub": "did:key:zA", "iat": now, "exp": now + 60, "jti": "j"}
        given = {"roles": ["admin"]} | given | claims
        kept = {claim: value for claim, value in given.items() if value is not None}
        return jwt.encode(kept, self.keys[name], "EdDSA", headers={"kid": name} | (header or {}))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_token_says_whose_session_it_is() -> None:
    publisher = Publisher("a")
    claims = await KeySet(ISSUER, publisher.fetch).admit(publisher.token(roles=["admin", 3]))
    assert claims is not None
    assert (claims.did, claims.roles) == ("did:key:zA", frozenset({"admin"}))
    assert claims.expires_at > time.time()
    assert claims.all["jti"] == "j"


async def test_keys_are_fetched_once_and_again_for_one_that_is_not_known_but_seldom() -> None:
    publisher, clock = Publisher("a"), Clock()
    keys = KeySet(ISSUER, publisher.fetch, clock)
    for _ in range(3):
        assert await keys.admit(publisher.token()) is not None
    assert publisher.asked == 1
    publisher.add("b")
    assert (await keys.admit(publisher.token("b")), publisher.asked) == (None, 1)
    clock.now += REFETCH_EVERY_S + 1
    assert await keys.admit(publisher.token("b")) is not None
    assert await keys.admit(publisher.token()) is not None
    assert publisher.asked == 2
    del publisher.keys["a"]
    clock.now += KEYS_GOOD_FOR_S + 1
    assert (await keys.admit(Publisher("a").token()), publisher.asked) == (None, 3)


async def test_a_token_that_was_seen_still_ends_with_its_time_and_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher, clock, now = Publisher("a"), Clock(), time.time()
    keys = KeySet(ISSUER, publisher.fetch, clock)
    short, long = publisher.token(exp=int(now) + 60), publisher.token(exp=int(now) + 6_000)
    for _ in range(2):
        assert await keys.admit(short) is not None
        assert await keys.admit(long) is not None
    monkeypatch.setattr("log.jwks.time.time", lambda: now + 100)
    assert await keys.admit(short) is None
    assert await keys.admit(long) is not None
    publisher.keys = Publisher("b").keys
    clock.now += KEYS_GOOD_FOR_S + 1
    assert await keys.admit(long) is None
    assert keys.claims(long) is None


async def test_a_flood_of_made_up_keys_asks_no_more_often() -> None:
    publisher, clock = Publisher("a"), Clock()
    keys = KeySet(ISSUER, publisher.fetch, clock)
    for number in range(1_000):
        assert await keys.admit(publisher.token(header={"kid": f"made up {number}"})) is None
        clock.now += 0.01
    assert publisher.asked <= 1 + 10 / REFETCH_EVERY_S


async def test_all_who_come_while_keys_are_fetched_wait_for_the_same_answer() -> None:
    publisher, clock = Publisher("a"), Clock()
    publisher.takes_s = 0.02
    keys = KeySet(ISSUER, publisher.fetch, clock)
    assert all(await asyncio.gather(*(keys.admit(publisher.token()) for _ in range(50))))
    publisher.add("b")
    clock.now += REFETCH_EVERY_S + 1
    assert all(await asyncio.gather(*(keys.admit(publisher.token("b")) for _ in range(50))))
    assert publisher.asked == 2


async def test_whoever_gives_up_waiting_takes_nobodys_answer_along() -> None:
    publisher = Publisher("a")
    publisher.takes_s = 0.05
    keys = KeySet(ISSUER, publisher.fetch)
    first, second = (asyncio.ensure_future(keys.admit(publisher.token())) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    assert await second is not None
    assert publisher.asked == 1


async def test_a_registry_that_is_away_is_not_needed_while_its_keys_are_fresh() -> None:
    publisher, clock = Publisher("a"), Clock()
    keys = KeySet(ISSUER, publisher.fetch, clock)
    publisher.answers = False
    with pytest.raises(KeysUnavailable):
        await keys.admit(publisher.token())
    publisher.answers = True
    clock.now += REFETCH_EVERY_S + 1
    assert await keys.admit(publisher.token()) is not None
    publisher.answers = False
    clock.now += REFETCH_EVERY_S + 1
    assert await keys.admit(publisher.token(header={"kid": "other"})) is None
    assert await keys.admit(publisher.token()) is not None
    clock.now += KEYS_GOOD_FOR_S + 1
    with pytest.raises(KeysUnavailable):
        await keys.admit(publisher.token())


async def test_what_is_no_key_of_ours_is_passed_over() -> None:
    publisher = Publisher("a")
    publisher.more = [
        7,
        {"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"},
        {"kty": "OKP", "crv": "X25519", "kid": "x", "x": b64(bytes(32))},
        {"kty": "OKP", "crv": "Ed25519", "kid": 3, "x": b64(bytes(32))},
        {"kty": "OKP", "crv": "Ed25519", "kid": "short", "x": b64(bytes(31))},
        {"kty": "OKP", "crv": "Ed25519", "kid": "none", "x": "!"},
        {"kty": "oct", "kid": "hmac", "k": b64(b"secret")},
    ]
    keys = KeySet(ISSUER, publisher.fetch)
    assert await keys.admit(publisher.token()) is not None
    forged = jwt.encode({"sub": "x"}, b"secret" * 8, "HS256", headers={"kid": "hmac"})
    assert await keys.admit(forged) is None
    for answer in (None, [], {}, {"keys": 3}):

        async def nothing(answer: Any = answer) -> Any:
            return answer

        with pytest.raises(KeysUnavailable):
            await KeySet(ISSUER, nothing).admit(publisher.token())


def _edited(whole: str, index: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
    parts = whole.split(".")
    found = json.loads(base64.urlsafe_b64decode(parts[index] + "=="))
    parts[index] = b64(json.dumps(change(found)).encode())
    return ".".join(parts)


def _hostile(publisher: Publisher) -> dict[str, str]:
    whole, now = publisher.token(), int(time.time())
    header, claims, signature = whole.split(".")
    public = publisher.keys["a"].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    hmac_header = b64(json.dumps({"alg": "HS256", "kid": "a", "typ": "JWT"}).encode())
    forged = {
        name: f"{hmac_header}.{claims}."
        + b64(jwt.get_algorithm_by_name("HS256").sign(f"{hmac_header}.{claims}".encode(), secret))
        for name, secret in {"the PEM": pem, "the raw key": publisher.public("a")}.items()
    }
    other = Publisher("other")
    return {
        "none": jwt.encode({"sub": "did:key:zA"}, "", "none", headers={"kid": "a"}),
        "none, with our claims": _edited(whole, 0, lambda found: found | {"alg": "none"}),
        "none, without a signature": _edited(whole, 0, lambda found: found | {"alg": "none"}).rsplit(".", 1)[0] + ".",
        "HS256 by the PEM": forged["the PEM"],
        "HS256 by the raw key": forged["the raw key"],
        "another algorithm's name": _edited(whole, 0, lambda found: found | {"alg": "Ed25519"}),
        "another key": other.token("other", header={"kid": "a"}),
        "another key's name": publisher.token("b", header={"kid": "a"}),
        "an unknown key's name": publisher.token(header={"kid": "c"}),
        "no key's name": _edited(whole, 0, lambda found: {"alg": found["alg"]}),
        "a number for a name": _edited(whole, 0, lambda found: found | {"kid": 3}),
        "a critical extension": publisher.token(header={"crit": ["b64"], "b64": True}),
        "a key inside": other.token("other", header={"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32))}}),
        "another audience": publisher.token(aud="elsewhere"),
        "a list of audiences": publisher.token(aud=["muniment"]),
        "no audience": publisher.token(aud=None),
        "another issuer": publisher.token(iss="http://evil.test"),
        "the issuer with a slash": publisher.token(iss=ISSUER + "/"),
        "no issuer": publisher.token(iss=None),
        "expired": publisher.token(iat=now - 100, exp=now - 10),
        "no expiry": publisher.token(exp=None),
        "a text for an expiry": publisher.token(exp="9999999999"),
        "true for an expiry": _edited(whole, 1, lambda found: found | {"exp": True}),
        "from tomorrow": publisher.token(iat=now + 86_400, exp=now + 90_000),
        "not before tomorrow": publisher.token(nbf=now + 86_400),
        "no time": publisher.token(iat=None),
        "no subject": publisher.token(sub=None),
        "no id": publisher.token(jti=None),
        "roles that are none": publisher.token(roles="admin"),
        "other claims": _edited(whole, 1, lambda found: found | {"roles": ["operator"]}),
        "another signature": f"{header}.{claims}.{b64(bytes(64))}",
        "no signature": f"{header}.{claims}.",
        "a long signature": whole + "AA",
        "padding": whole + "==",
        "other letters": whole[:-1] + ("-" if whole[-1] != "-" else "_") + "/",
        "one dot more": whole + ".",
        "two tokens": whole + "." + whole,
        "dots": "." * 4_096,
        "one part": header,
        "nothing": "",
        "é": "é." + whole,
        "huge": publisher.token(more="x" * TOKEN_MAX),
        "deep": publisher.token(more=json.loads("[" * 200 + "]" * 200)),
        "a member twice": f'{header}.{b64(b"""{"sub":"a","sub":"b"}""")}.{signature}',
    }


async def test_a_token_counts_only_if_every_part_of_it_holds() -> None:
    publisher = Publisher("a", "b")
    keys = KeySet(ISSUER, publisher.fetch)
    assert await keys.admit(publisher.token()) is not None
    let_in = [what for what, token in _hostile(publisher).items() if await keys.admit(token) is not None]
    assert let_in == []
