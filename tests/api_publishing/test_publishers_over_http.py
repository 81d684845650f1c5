"""Who may let a public key publish, who may take that back, and who is shown which keys."""

import base64
from typing import Any

import pytest

from log.ecdsa import ecdsa_signer
from log.statements import publisher_signed_bytes
from muniment.signing_key import SigningKey
from tests.api.registered import key_of, person
from tests.api.serving import Answer, key
from tests.api_publishing.publishing_house import PublishingHouse, pubkey, signed
from tests.vectors import intents

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.stack]


def shown(name: str, did: str, label: str, by: str | None = None) -> str:
    """Sign, as a key, that it publishes in a DID's name."""
    content = publisher_signed_bytes(pubkey=pubkey(name), label=label, registered_by=did)
    return base64.b64encode(ecdsa_signer("secp256k1", intents.secret(by or name))(content)).decode()


async def register(house: PublishingHouse, name: str, by: SigningKey | None, **members: Any) -> Answer:
    """Let a key publish, or try."""
    body = {"pubkey": pubkey(name), "label": name, **members}
    return await house.registry.ask("POST", "/v1/keys", body, by=by)


async def remove(house: PublishingHouse, name: str, by: SigningKey | None) -> Answer:
    """Let a key publish no more, or try."""
    return await house.registry.ask("DELETE", f"/v1/keys/{pubkey(name)}", by=by)


async def takes(house: PublishingHouse, name: str) -> bool:
    """Tell whether a key's intents are taken."""
    answer = await house.publish(signed(name, house.record()))
    assert answer.code in {None, "key_not_registered"}, answer.text
    return answer.status == 202


async def listed(house: PublishingHouse, by: SigningKey, limit: int = 100) -> list[str]:
    """Walk the list of keys, and give the labels."""
    found: list[str] = []
    cursor = None
    while True:
        answer = await house.read("/v1/keys", by=by, limit=limit, cursor=cursor)
        assert answer.status == 200, answer.text
        found += [item["label"] for item in answer.json["items"]]
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return found


async def test_an_admin_lets_a_key_publish_without_its_signature(house: PublishingHouse) -> None:
    assert not await takes(house, "by an admin")
    answer = await register(house, "by an admin", house.registry.operator)
    assert answer.status == 201
    who = {"label": "by an admin", "registered_by": house.registry.operator.did}
    expected = {"pubkey": pubkey("by an admin"), **who, "registered_at": answer.json["registered_at"]}
    assert answer.json == expected
    assert await takes(house, "by an admin")
    page = await house.read("/v1/keys", by=house.registry.operator)
    assert expected in page.json["items"]
    assert "Muniment-As-Of" in page.headers


async def test_a_did_lets_a_key_publish_that_signs_for_it(house: PublishingHouse) -> None:
    owner = key(501)
    signature = shown("own", owner.did, "own")
    answer = await register(house, "own", owner, signature=signature)
    assert (answer.status, answer.json["registered_by"]) == (201, owner.did)
    assert await takes(house, "own")


@pytest.mark.parametrize(
    ("about", "signature"),
    [
        ("is for another DID", lambda _did: shown("refused", key(503).did, "refused")),
        ("is for another label", lambda did: shown("refused", did, "another")),
        ("is by another key", lambda did: shown("refused", did, "refused", by="another")),
        ("is for another key", lambda did: shown("another", did, "refused", by="refused")),
        ("is no signature", lambda _did: base64.b64encode(bytes(64)).decode()),
        ("is too short", lambda _did: "AAAA"),
    ],
)
async def test_a_signature_that_does_not_hold_lets_nobody_in(
    house: PublishingHouse, about: str, signature: Any
) -> None:
    owner = key(502)
    for by in (owner, house.registry.operator):
        answer = await register(house, "refused", by, signature=signature(owner.did))
        assert (answer.status, answer.code) == (401, "invalid_signature"), about
    assert not await takes(house, "refused")


async def test_without_the_key_s_signature_only_an_admin_lets_it_in(house: PublishingHouse) -> None:
    answer = await register(house, "forbidden", key(504))
    assert (answer.status, answer.code) == (403, "forbidden")
    answer = await register(house, "forbidden", await house.registry.signer(505, "curator"))
    assert (answer.status, answer.code) == (403, "forbidden")


async def test_without_a_session_nobody_is_asked_or_shown_anything(house: PublishingHouse) -> None:
    for method, path, body in (
        ("POST", "/v1/keys", {"pubkey": pubkey("x"), "label": "x"}),
        ("DELETE", f"/v1/keys/{pubkey('x')}", None),
        ("GET", "/v1/keys", None),
    ):
        answer = await house.registry.ask(method, path, body)
        assert (answer.status, answer.code) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"pubkey": pubkey("form").upper()}, "/pubkey"),
        ({"pubkey": pubkey("form")[:-2]}, "/pubkey"),
        ({"pubkey": "02" + "0" * 63 + "5"}, "/pubkey"),
        ({"pubkey": None}, "/pubkey"),
        ({"label": ""}, "/label"),
        ({"label": "x" * 129}, "/label"),
        ({"label": "a\nb"}, "/label"),
        ({"label": 5}, "/label"),
        ({"signature": None}, "/signature"),
        ({"signature": "not base64!"}, "/signature"),
        ({"signature": "A" * 101}, "/signature"),
        ({"more": 1}, "/more"),
    ],
    ids=repr,
)
async def test_what_a_key_is_registered_by_has_a_form(
    house: PublishingHouse, members: dict[str, Any], pointer: str
) -> None:
    answer = await register(house, "form", house.registry.operator, **members)
    assert (answer.status, answer.code, answer.json["errors"][0]["pointer"]) == (400, "invalid_request", pointer)


async def test_a_key_is_registered_once_until_it_is_removed(house: PublishingHouse) -> None:
    operator, owner = house.registry.operator, key(506)
    assert (await register(house, "once", operator)).status == 201
    signature = shown("once", owner.did, "once")
    for by, more in ((operator, {}), (owner, {"signature": signature})):
        again = await register(house, "once", by, **more)
        assert (again.status, again.code, again.json["pubkey"]) == (409, "already_registered", pubkey("once"))
    assert (await remove(house, "once", operator)).status == 200
    anew = await register(house, "once", owner, signature=signature)
    assert (anew.status, anew.json["registered_by"]) == (201, owner.did)
    assert await takes(house, "once")
    assert await listed(house, owner) == ["once"]


async def test_who_registered_a_key_or_an_admin_removes_it_and_nobody_else(house: PublishingHouse) -> None:
    owner, other = key(507), key(508)
    for remover in (owner, house.registry.operator):
        await register(house, "kept", owner, signature=shown("kept", owner.did, "kept"))
        refused = await remove(house, "kept", other)
        assert (refused.status, refused.code) == (403, "forbidden")
        assert await takes(house, "kept")
        removed = await remove(house, "kept", remover)
        assert (removed.status, removed.json["removed_by"]) == (200, remover.did)
        assert removed.json["pubkey"] == pubkey("kept")
        assert not await takes(house, "kept")
        assert "kept" not in await listed(house, house.registry.operator)
        for by in (owner, other, house.registry.operator):
            gone = await remove(house, "kept", by)
            assert (gone.status, gone.code) == (404, "not_found")


async def test_a_registered_did_keeps_its_keys_whichever_of_its_own_it_signs_by(house: PublishingHouse) -> None:
    ada = await person(house.registry, "publishing ada", key_of("main"), key_of("second"))
    main, second = ada.signer("main"), ada.signer("second")
    answer = await register(house, "ada", main, signature=shown("ada", ada.did, "ada"))
    assert (answer.status, answer.json["registered_by"]) == (201, ada.did)
    assert await listed(house, second) == ["ada"]
    house.registry.tokens.clear()  # a session of each key: both are the same DID's
    assert (await remove(house, "ada", second)).status == 200


@pytest.mark.parametrize("path", ["x", "02", "0" * 66, pubkey("nobody"), pubkey("nobody").upper(), "%00", "02%2F"])
async def test_a_key_that_is_not_there_is_not_removed(house: PublishingHouse, path: str) -> None:
    answer = await house.admin("DELETE", f"/v1/keys/{path}")
    assert (answer.status, answer.code) == (404, "not_found")


async def test_one_sees_one_s_own_keys_newest_first_and_an_admin_all_page_by_page(house: PublishingHouse) -> None:
    one, two = key(509), key(510)
    labels = [f"walk {number}" for number in range(5)]
    for label in labels:
        await register(house, label, one, signature=shown(label, one.did, label))
    await register(house, "walk two", two, signature=shown("walk two", two.did, "walk two"))
    for limit in (1, 2, 5, 100):
        assert await listed(house, one, limit) == labels[::-1]
    assert await listed(house, two) == ["walk two"]
    assert await listed(house, house.registry.operator, 3) == await listed(house, house.registry.operator)
    assert {*labels, "walk two"} <= {*await listed(house, house.registry.operator)}


async def test_a_cursor_is_of_one_s_own_walk(house: PublishingHouse) -> None:
    one, two = key(511), key(512)
    for number in range(2):
        await register(house, f"mine {number}", one, signature=shown(f"mine {number}", one.did, f"mine {number}"))
    cursor = (await house.read("/v1/keys", by=one, limit=1)).json["next_cursor"]
    trails = (await house.read("/v1/audit", limit=1)).json["next_cursor"]
    for by, sent in ((two, cursor), (house.registry.operator, cursor), (one, cursor[:-2]), (one, trails), (one, "x")):
        answer = await house.read("/v1/keys", by=by, cursor=sent)
        assert (answer.status, answer.code) == (400, "invalid_cursor")


async def test_the_same_request_under_a_key_is_its_first_outcome(house: PublishingHouse) -> None:
    body, operator = {"pubkey": pubkey("same"), "label": "same"}, house.registry.operator
    first = await house.admin("POST", "/v1/keys", body, Idempotency_Key="same")
    again = await house.admin("POST", "/v1/keys", body, Idempotency_Key="same")
    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert again.headers["Idempotency-Hit"] == "true"
    other = await house.admin("POST", "/v1/keys", {**body, "label": "other"}, Idempotency_Key="same")
    assert (other.status, other.code) == (409, "idempotency_conflict")
    dry = await house.registry.ask("DELETE", f"/v1/keys/{pubkey('same')}?dry_run=true", by=operator)
    assert (dry.status, dry.json["type"]) == (200, "RemovePublisher")
    assert await takes(house, "same")
