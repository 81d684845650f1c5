"""DIDs over HTTP: their documents now and as they stood, in what representation, their logs and their keys."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from api.media_types import preferred
from log.canonical import canonical_json
from projections.postgres import Postgres
from tests.api.serving import Registry
from tests.api_identity.reading import Noting, ask, key_names, played, reading
from tests.audit.chancery import HOUR_MS, pen
from tests.audit.economy import DAY_MS, first, moment
from tests.projections.conftest import postgres
from tests.projections.test_identity import project

__all__ = ["postgres"]
pytestmark = pytest.mark.stack
KEY = "did:key:" + pen(1).multibase
PKH = "did:pkh:eip155:1:0xb9c5714089478a327f09197987f16f9e5d936e8a"
LD = "application/did+ld+json"
CHANCERY: list[Noting] = []


@pytest.fixture
async def chancery() -> Noting:
    """Give what was decided; nothing here changes it."""
    if not CHANCERY:
        CHANCERY.append(await played())
    return CHANCERY[0]


@pytest.fixture
async def registry(chancery: Noting, postgres: Postgres) -> AsyncIterator[Registry]:
    """Serve it."""
    async with reading(chancery, postgres) as found:
        yield found


def ada_of(chancery: Noting) -> str:
    """Give the DID that everything happens to: the first."""
    return next(iter(chancery.noted))


async def test_a_document_names_the_keys_that_hold_and_what_each_may_sign(chancery: Noting, registry: Registry) -> None:
    ada = ada_of(chancery)
    answer = await ask(registry, f"/dids/{ada}")
    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, "application/did+json")
    assert answer.headers["Muniment-As-Of"]
    assert answer.json == {
        "id": ada,
        "alsoKnownAs": ["mun://lovelace"],
        "controller": ada,
        "verificationMethod": [
            {"id": f"{ada}#{name}", "type": "Multikey", "controller": ada, "publicKeyMultibase": pen(number).multibase}
            for name, number in (("late", 11), ("rescue", 9))
        ],
        "authentication": [f"{ada}#late", f"{ada}#rescue"],
        "assertionMethod": [f"{ada}#late", f"{ada}#rescue"],
    }
    whole = await ask(registry, f"/dids/{ada}", LD)
    assert whole.headers["Content-Type"].partition(";")[0] == LD
    contexts = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"]
    assert whole.json == {"@context": contexts, **answer.json}


async def test_each_document_that_ever_stood_is_shown_as_of_its_position_and_its_time(
    chancery: Noting, registry: Registry
) -> None:
    for did, steps in chancery.noted.items():
        for number, noted in enumerate(steps):
            later = steps[number + 1].at if number + 1 < len(steps) else None
            for when in (noted.token, *([] if later == noted.at else [quote(moment(noted.at))])):
                shown = await ask(registry, f"/dids/{did}", as_of=when)
                assert key_names(shown.json) == noted.keys, (did, number, when)
                handle = [] if noted.handle is None else [f"mun://{noted.handle}"]
                assert shown.json.get("alsoKnownAs", []) == handle
        before = await ask(registry, f"/dids/{did}", as_of=quote(moment(steps[0].at - 1)))
        assert (before.status, before.code) == (404, "not_found")
    assert any("evil" in noted.keys for noted in chancery.noted[ada_of(chancery)]), "and was taken back later"


async def test_a_key_is_in_the_document_until_its_overlap_is_over(postgres: Postgres) -> None:
    chancery = Noting()
    await chancery.begin()
    did = chancery.create((pen(1),), (pen(2).key("old", ("assertion",)),))
    chancery.now += HOUR_MS
    first(chancery.rotate(did, pen(1), [pen(3).key("new", ("authentication",))], ["old"], 7_200))
    rotated = chancery.now
    async with reading(chancery, postgres) as registry:
        for after, keys in ((0, ["new", "old"]), (7_199_999, ["new", "old"]), (7_200_000, ["new"])):
            shown = await ask(registry, f"/dids/{did}", as_of=moment(rotated + after))
            assert key_names(shown.json) == keys, after
        both = (await ask(registry, f"/dids/{did}", as_of=moment(rotated))).json
        assert (both["authentication"], both["assertionMethod"]) == ([f"{did}#new"], [f"{did}#old"])
        now = await ask(registry, f"/dids/{did}")
        assert key_names(now.json) == ["new"]
        assert "alsoKnownAs" not in now.json
        keys = await ask(registry, f"/dids/{did}/jwks.json", as_of=moment(rotated))
        assert sorted(each["kid"] for each in keys.json["keys"]) == ["new", "old"]


async def test_a_key_that_the_log_has_holds_though_this_machine_s_clock_is_behind(postgres: Postgres) -> None:
    chancery = Noting()
    chancery.now += 400 * 10 * DAY_MS
    await chancery.begin()
    did = chancery.create((pen(1),), (pen(2).key("main"),))
    async with reading(chancery, postgres) as registry:
        assert key_names((await ask(registry, f"/dids/{did}")).json) == ["main"]


ACCEPTED: list[tuple[str | None, str | int]] = [
    (None, "application/did+json"),
    ("", "application/did+json"),
    ("*/*", "application/did+json"),
    ("application/*", "application/did+json"),
    ("application/json", "application/did+json"),
    ("application/did+json", "application/did+json"),
    (LD, LD),
    ("application/ld+json", LD),
    ("APPLICATION/DID+LD+JSON", LD),
    (f"{LD}, */*", LD),
    (f"{LD};q=0.4, application/did+json;q=0.5", "application/did+json"),
    (f"{LD};q=0.5, application/did+json;q=0.4", LD),
    (f"{LD}, application/did+json", "application/did+json"),
    (f"application/did+json;q=0, application/json;q=0, {LD};q=0.001", LD),
    ('text/html;level="1,2;q=1", application/did+ld+json;q=0.1', LD),
    (f"text/html, application/xhtml+xml, {LD};q=0.9, */*;q=0.8", LD),
    ("text/html", 406),
    (
        "application/did+json;q=0, application/json;q=0.000, application/ld+json;q=0, application/did+ld+json;q=0",
        406,
    ),
    ("*/*;q=0", 406),
    ("application/did+cbor", 406),
    (";;;,,,==", "application/did+json"),
    ('"' * 4_000, "application/did+json"),
    ("*/json", "application/did+json"),
    ("text/html;q=7", "application/did+json"),
    (", ".join(["a/b"] * 1_000), 406),
    ("application/did+ld+json;q=1.0000", "application/did+json"),
    (f"{LD}\u00e9", "application/did+json"),
]
"""What a request accepts, and what it gets: a representation, or 406."""


async def test_a_document_comes_in_the_representation_that_is_asked_for(chancery: Noting, registry: Registry) -> None:
    paths = (f"/dids/{ada_of(chancery)}", f"/dids/{KEY}", "/.well-known/did.json", "/u/lovelace/did.json")
    for accept, found in ACCEPTED:
        for path in paths:
            answer = await ask(registry, path, accept)
            assert answer.headers["Vary"] == "Accept"
            if found == 406:
                assert (answer.status, answer.code) == (406, "not_acceptable"), accept
            else:
                told = answer.headers["Content-Type"].partition(";")[0]
                assert (answer.status, told) == (200, found), accept
                assert ("@context" in answer.json) == (found == LD)


def test_many_quotes_take_no_longer_than_their_number() -> None:
    assert preferred('a/b;x="\\"' * 50_000, ["a/b"]) == "a/b"


async def test_a_did_that_says_its_key_itself_is_shown_without_registration(registry: Registry) -> None:
    for number, kind in ((1, "ed25519"), (2, "secp256k1"), (3, "p256")):
        multibase = pen(number, kind).multibase
        did = f"did:key:{multibase}"
        answer = await ask(registry, f"/dids/{did}")
        assert answer.status == 200
        assert answer.headers["Muniment-As-Of"]
        name = f"{did}#{multibase}"
        method = {"id": name, "type": "Multikey", "controller": did, "publicKeyMultibase": multibase}
        assert answer.json["verificationMethod"] == [method]
        for relation in ("authentication", "assertionMethod", "capabilityInvocation", "capabilityDelegation"):
            assert answer.json[relation] == [name]
        (jwk,) = (await ask(registry, f"/dids/{did}/jwks.json")).json["keys"]
        assert (jwk["kid"], jwk["use"]) == (multibase, "sig")
        check_jwk(kind, number, jwk)
        assert (await ask(registry, f"/dids/{did}/log")).code == "not_found"
    for did in (PKH, PKH.replace("0xb9c5", "0xB9C5")):
        answer = await ask(registry, f"/dids/{did}", LD)
        (method,) = answer.json["verificationMethod"]
        assert (answer.json["id"], method["blockchainAccountId"]) == (did, did.removeprefix("did:pkh:"))
        assert method["type"] == "EcdsaSecp256k1RecoveryMethod2020"
        assert answer.json["authentication"] == answer.json["assertionMethod"] == [f"{did}#blockchainAccountId"]
        assert (await ask(registry, f"/dids/{did}/jwks.json")).json == {"keys": []}


def check_jwk(kind: str, number: int, jwk: dict[str, str]) -> None:
    """See that a JWK is the public key, by a library that reads JWKs."""
    import jwt

    content = b"anything"
    signature = pen(number, kind).signer(content)
    algorithm = {"ed25519": "EdDSA", "secp256k1": "ES256K", "p256": "ES256"}[kind]
    assert jwk["alg"] == algorithm
    key = jwt.PyJWK(jwk)
    assert key.Algorithm.verify(content, key.key, signature)


async def test_every_operation_is_listed_with_what_was_signed(chancery: Noting, registry: Registry) -> None:
    ada = ada_of(chancery)
    answer = await ask(registry, f"/dids/{ada}/log")
    items = answer.json["items"]
    assert answer.json["next_cursor"] is None
    assert answer.headers["Muniment-As-Of"]
    kinds = [each["operation"]["type"] for each in items]
    assert kinds == [
        "create", "rotate", "recover", "rotate", "revoke", "revoke", "set_handle", "set_guardians",
        "guardian_recover", "cancel", "guardian_recover", "rotate",
    ]  # fmt: skip
    assert [index for index, each in enumerate(items) if each["nullified"]] == [1, 8]
    for each in items:
        content = canonical_json(each["operation"])
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        assert each["hash"] == f"sha256-{digest}"
        assert set(each) == {"operation", "hash", "signature", "at", "nullified"}
    assert items[0]["at"] == moment(chancery.noted[ada][0].at)


async def test_a_walk_through_a_log_shows_what_there_was_when_it_began(chancery: Noting, registry: Registry) -> None:
    ada = ada_of(chancery)
    whole = (await ask(registry, f"/dids/{ada}/log")).json["items"]
    for limit in (1, 5, 12):
        items: list[Any] = []
        query: dict[str, Any] = {"limit": limit}
        while True:
            page = (await ask(registry, f"/dids/{ada}/log", **query)).json
            items += page["items"]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert items == whole
    cursor = (await ask(registry, f"/dids/{ada}/log", limit=1)).json["next_cursor"]
    other = list(chancery.noted)[1]
    assert (await ask(registry, f"/dids/{other}/log", cursor=cursor)).code == "invalid_cursor"
    assert (await ask(registry, f"/dids/{ada}/log", cursor=cursor[:-2])).code == "invalid_cursor"
    assert (await ask(registry, f"/dids/{ada}/log", limit=101)).code == "invalid_request"


async def test_a_walk_doesn_t_see_what_was_taken_back_after_it_began(postgres: Postgres) -> None:
    chancery = Noting()
    await chancery.begin()
    did = chancery.create((pen(1), pen(2)), (pen(3).key("main"),))
    genesis = chancery.head(did)
    first(chancery.rotate(did, pen(2), [pen(4).key("evil")], []))
    async with reading(chancery, postgres) as registry:
        page = (await ask(registry, f"/dids/{did}/log", limit=1)).json
    chancery.now += HOUR_MS
    first(chancery.recover(did, pen(1), (pen(1),), [pen(3).key("back")], genesis))
    async with reading(chancery, postgres) as registry:
        rest = (await ask(registry, f"/dids/{did}/log", cursor=page["next_cursor"])).json
        assert [each["nullified"] for each in rest["items"]] == [False], "and not the recovery itself"
        assert rest["next_cursor"] is None
        whole = (await ask(registry, f"/dids/{did}/log")).json["items"]
        assert [each["nullified"] for each in whole] == [False, True, False]


async def test_a_position_that_is_not_there_is_waited_for_and_not_passed_off(
    chancery: Noting, registry: Registry
) -> None:
    ada, token = ada_of(chancery), chancery.noted[ada_of(chancery)][0].token
    ahead = base64.urlsafe_b64encode(
        base64.urlsafe_b64decode(token + "==").rpartition(b"/")[0] + b"/4000"
    ).decode().rstrip("=")  # fmt: skip
    for path in (f"/dids/{ada}", f"/dids/{ada}/log", f"/dids/{ada}/jwks.json", f"/1.0/identifiers/{ada}"):
        late = await ask(registry, path, min_position=ahead, wait_ms=30)
        assert (late.status, late.code) == (503, "not_caught_up"), path
        assert (await ask(registry, path, min_position="x!")).code == "invalid_request"
    assert (await ask(registry, f"/dids/{ada}", as_of=ahead, wait_ms=30)).code == "not_caught_up"
    for wrong in ("yesterday", "2999-01-01T00:00:00Z", "%00", "x" * 5_000):
        assert (await ask(registry, f"/dids/{ada}", as_of=wrong)).code == "invalid_request"
        assert (await ask(registry, f"/dids/{KEY}", as_of=wrong)).code == "invalid_request"


HOSTILE = [
    "x", "did", "did:", "did::", "did:mun", "did:mun:", "did:mun:" + "a" * 25, "did:mun:" + "a" * 27,
    "did:mun:" + "A" * 26, "did:mun:" + "1" * 26, "DID:mun:" + "a" * 26, "did:MUN:" + "a" * 26,
    "did:key:z", "did:key:z6Mk", "did:key:" + "z" * 48, KEY[:-1], KEY + "1", KEY + "#" + "key", "did:pkh:eip155:1:0x",
    "did:pkh:eip155:0:" + PKH[-42:], "did:pkh:solana:x:y", "did:mun:" + "a" * 26 + "\0", "\0", "did:mun:" + "é" * 26,
    "did:mun:" + "a" * 10_000, "did:mun:..", "did:mun:%zz", "did:mun:a%2", "did:mun:'; DROP TABLE dids; --",
    "did:mun:" + "a" * 26 + "/log", "did:mun:" + "a" * 26 + "?as_of=1", "\U0001f600", "did:mun:" + "a" * 26 + "\n",
]  # fmt: skip


async def test_text_that_is_no_did_is_refused_in_words(registry: Registry) -> None:
    for text in HOSTILE:
        if len(text) > 4_000:
            continue  # a line of a request has at most 8,190 bytes, which the next test sees
        for path in ("", "/log", "/jwks.json"):
            answer = await ask(registry, f"/dids/{quote(text, safe='')}{path}")
            assert (answer.status, answer.code) == (400, "invalid_request"), (text, path)
            assert answer.json["errors"][0]["pointer"] == "/did"
    assert (await ask(registry, "/dids/did:example:123")).code == "not_found"
    assert (await ask(registry, "/dids/did:mun:" + "a" * 26)).code == "not_found"
    assert (await ask(registry, f"/dids/did:mun:{'a' * 26}/log")).code == "not_found"
    assert (await ask(registry, "/dids/" + "a" * 7_000)).status == 400


async def test_a_did_may_be_written_in_percent_encoding(chancery: Noting, registry: Registry) -> None:
    ada = ada_of(chancery)
    plain = await ask(registry, f"/dids/{ada}")
    for written in (quote(ada, safe=""), "".join(f"%{ord(letter):02x}" for letter in ada)):
        answer = await ask(registry, f"/dids/{written}")
        assert answer.json == plain.json


async def test_the_deployment_s_own_document_has_the_keys_that_sign_sessions(
    chancery: Noting, registry: Registry
) -> None:
    answer = await ask(registry, "/.well-known/did.json")
    did = "did:web:registry.test"
    (jwk,) = (await ask(registry, "/.well-known/jwks.json")).json["keys"]
    (method,) = answer.json["verificationMethod"]
    assert (answer.json["id"], method["controller"], method["type"]) == (did, did, "JsonWebKey")
    assert (method["id"], method["publicKeyJwk"]["x"]) == (f"{did}#{jwk['kid']}", jwk["x"])
    assert answer.json["assertionMethod"] == [method["id"]]
    registry.api.sessions.issuer = "https://user@registry.example:8443/mun/"
    assert (await ask(registry, "/.well-known/did.json")).json["id"] == "did:web:registry.example%3A8443:mun"
    registry.api.sessions.issuer = "http://[::1]:8080"
    assert (await ask(registry, "/.well-known/did.json")).json["id"] == "did:web:%5B%3A%3A1%5D%3A8080"
    for none in ("registry", "urn:x", "http://", "http://[::1", ""):
        registry.api.sessions.issuer = none
        assert (await ask(registry, "/.well-known/did.json")).code == "not_found"
        assert (await ask(registry, "/u/lovelace/did.json")).code == "not_found"


async def test_whoever_has_a_handle_has_a_did_web_with_the_same_keys(chancery: Noting, registry: Registry) -> None:
    ada = ada_of(chancery)
    answer = await ask(registry, "/u/lovelace/did.json")
    did = "did:web:registry.test:u:lovelace"
    assert (answer.json["id"], answer.json["controller"]) == (did, ada)
    assert answer.json["alsoKnownAs"] == [ada, "mun://lovelace"]
    assert key_names(answer.json) == ["late", "rescue"]
    assert all(method["controller"] == did for method in answer.json["verificationMethod"])
    assert answer.headers["Muniment-As-Of"]
    for text in (
        "ada",
        "nobody",
        "a",
        "LOVELACE",
        "x" * 33,
        "love%00lace",
        "..",
        quote(ada),
        "x" * 5_000,
        "%F0%9F%98%80",
    ):
        refused = await ask(registry, f"/u/{text}/did.json")
        assert (refused.status, refused.code) == (404, "not_found"), text


async def test_a_log_is_not_shown_without_an_operation_that_was_decided(postgres: Postgres) -> None:
    chancery = await played()
    ada = ada_of(chancery)
    async with reading(chancery, postgres) as registry:
        before = (await ask(registry, f"/dids/{ada}/log")).json["items"]
        first(chancery.rotate(ada, pen(8), [pen(12).key("later")], [], 0))
        async with asyncio.timeout(5):
            while (answer := await ask(registry, f"/dids/{ada}/log", wait_ms=0)).status == 200:
                await asyncio.sleep(0.01)
        assert answer.code == "not_caught_up"
        await project(chancery, postgres)
        after = (await ask(registry, f"/dids/{ada}/log")).json["items"]
    assert after[:-1] == before
    assert after[-1]["hash"] == chancery.head(ada)
