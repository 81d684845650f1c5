"""Facts of registered DIDs: signed by the key that they name, while it holds, and standing when it is over."""

from collections.abc import Sequence
from typing import Any

import pytest

from domain.identity.key import Key
from muniment.signing_key import SigningKey
from tests.api.registered import Person, key_of, person, private
from tests.api.serving import Registry, star


async def curator(registry: Registry, *keys: Key) -> Person:
    """Register a DID that may star."""
    ada = await person(registry, "ada", *keys)
    answer = await registry.ask("POST", "/signers", {"did": ada.did, "roles": ["curator"]}, by=registry.operator)
    assert answer.status == 201, answer.text
    return ada


async def refused(registry: Registry, sent: dict[str, Any], by: SigningKey) -> tuple[int, str | None]:
    """Send a fact that changes nothing, and give why."""
    before = registry.appended()
    answer = await registry.ask("POST", "/facts", sent, by=by)
    assert registry.appended() == before
    return answer.status, answer.code


@pytest.mark.parametrize("kind", ["ed25519", "secp256k1", "p256"])
async def test_each_type_of_key_signs_a_fact_which_says_its_key_and_can_be_taken_back(
    registry: Registry, kind: str
) -> None:
    ada = await curator(registry, key_of("pen", kind))
    pen = ada.signer("pen", kind)
    made = await registry.ask("POST", "/facts", star(pen), by=pen)
    assert made.status == 201, made.text
    assert (made.json["issuer_did"], made.json["key_id"], made.json["alg"]) == (ada.did, "pen", kind)
    path = f"/facts/{made.json['id']}/revoke"
    gone = await registry.ask("POST", path, pen.sign_revocation(made.json["id"]), by=pen)
    assert (gone.status, gone.json["status"]) == (200, "revoked"), gone.text


async def test_only_the_key_that_is_named_signs(registry: Registry) -> None:
    ada = await curator(registry, key_of("main"), key_of("door", purposes=("authentication",)), key_of("curve", "p256"))
    main = ada.signer("main")
    unnamed = {name: value for name, value in star(main).items() if name != "key_id"}
    wrong = (401, "invalid_signature")
    assert await refused(registry, unnamed, main) == (400, "invalid_request")
    assert await refused(registry, star(main) | {"key_id": "nothing"}, main) == wrong
    assert await refused(registry, star(main) | {"key_id": "curve"}, main) == wrong
    assert await refused(registry, star(main) | {"alg": "p256"}, main) == wrong
    assert await refused(registry, star(main) | {"alg": "eip191"}, main) == wrong
    assert await refused(registry, star(ada.signer("stranger", key_id="main")), main) == wrong
    assert await refused(registry, star(ada.signer("door")), main) == wrong
    assert await refused(registry, star(main) | {"alg": "bbs+"}, main) == (400, "unsupported_algorithm")
    own = SigningKey(private("main").secret)
    assert await refused(registry, star(own), main) == (403, "forbidden")


async def test_both_keys_sign_in_an_overlap_and_the_old_one_no_more_behind_it(registry: Registry) -> None:
    ada = await curator(registry)
    main, following = ada.signer("main"), ada.signer("next")
    first = await registry.ask("POST", "/facts", star(main, "one"), by=main)
    await ada.rotate(key_of("next"), end=["main"], overlap_ms=3_600_000)
    for ref, signer in (("two", main), ("three", following)):
        assert (await registry.ask("POST", "/facts", star(signer, ref), by=main)).status == 201
    await ada.revoke("main")
    registry.tokens.clear()
    assert await refused(registry, star(main, "four"), following) == (401, "invalid_signature")
    assert (await registry.ask("POST", "/facts", star(following, "four"), by=following)).status == 201
    again = await registry.ask("POST", "/facts", star(following, "one"), by=following)
    assert (again.status, again.json["id"], again.json["status"]) == (200, first.json["id"], "active")


@pytest.mark.parametrize("size", [3, 40], ids=["checked here", "checked in another process"])
async def test_a_batch_holds_facts_by_several_keys(registry: Registry, size: int) -> None:
    ada = await curator(registry, key_of("main"), key_of("curve", "p256"))
    keys: Sequence[SigningKey] = (ada.signer("main"), ada.signer("curve", "p256"), ada.signer("nobody", key_id="main"))
    sent = [star(keys[number % 3], f"pl_{number}") for number in range(size)]
    answer = await registry.ask("POST", "/facts/batch", {"facts": sent}, by=keys[0])
    statuses = [item["status"] for item in answer.json["items"]]
    assert statuses == [(201, 201, 401)[number % 3] for number in range(size)]
