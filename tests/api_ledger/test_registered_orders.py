"""Orders of registered DIDs: signed by the key that they name, which the signature covers."""

import pytest

from domain.identity.key import Key
from log.statements import mandate_signed_bytes
from muniment.private_key import PrivateKey
from tests.api.registered import Person, key_of, person, private
from tests.api_ledger.economy import LATER, Economy, nonce


async def owner(economy: Economy, *keys: Key) -> tuple[Person, str]:
    """Register a DID and its account."""
    ada = await person(economy.registry, "ada", *(keys or (key_of("main"),)))
    by = ada.signer("main")
    body = {"did": ada.did, "name": "Ada"}
    answer = await economy.registry.ask("POST", "/registries/shop/developers", body, by=by)
    assert answer.status == 201, answer.text
    return ada, answer.json["account_id"]


async def test_a_registered_did_moves_its_money_by_whichever_of_its_keys(economy: Economy) -> None:
    ada, account = await owner(economy, key_of("main"), key_of("curve", "p256"))
    _, other = await economy.person(2)
    for signer in (ada.signer("main"), ada.signer("curve", "p256")):
        answer = await economy.pay(signer, account, other, 5, caller=ada.signer("main"))
        assert answer.status == 201, answer.text


async def test_a_stake_is_placed_by_a_key_that_is_named(economy: Economy) -> None:
    ada, account = await owner(economy)
    by = ada.signer("main")
    body = by.sign_stake(account, 1_000_000, 30, nonce=nonce(), deadline=LATER)
    answer = await economy.registry.ask("POST", "/stakes", body, by=by)
    assert answer.status == 201, answer.text


async def test_the_signature_covers_which_key_it_is_of(economy: Economy) -> None:
    ada, account = await owner(economy)
    _, other = await economy.person(2)
    said = {"from": account, "to": other, "amount": "5", "nonce": nonce(), "deadline": LATER}
    signature = private("main").sign(mandate_signed_bytes("transfer", said))
    sent = {**said, "key_id": "main", "signature": signature}
    answer = await economy.registry.ask("POST", "/transfers", sent, by=ada.signer("main"))
    assert (answer.status, answer.code) == (401, "invalid_signature")


async def test_no_other_key_moves_money(economy: Economy) -> None:
    ada, account = await owner(economy, key_of("main"), key_of("door", purposes=("authentication",)))
    eve, other = await economy.person(2)
    main = ada.signer("main")
    for signer in (ada.signer("door"), ada.signer("stranger", key_id="main"), ada.signer("main", key_id="gone")):
        answer = await economy.pay(signer, account, other, 5, caller=main)
        assert (answer.status, answer.code) == (401, "invalid_signature")
    answer = await economy.pay(eve, account, other, 5, caller=main)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert [each["pointer"] for each in answer.json["errors"]] == ["/key_id"]
    answer = await economy.pay(eve, account, other, 5)
    assert (answer.status, answer.code) == (403, "not_the_owner")
    named = eve.sign_transfer(other, account, 5, nonce=nonce(), deadline=LATER) | {"key_id": "main"}
    answer = await economy.registry.ask("POST", "/transfers", named, by=eve)
    assert (answer.status, answer.code) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["secp256k1", "p256"])
async def test_a_did_key_of_another_curve_moves_its_money_too(economy: Economy, kind: str) -> None:
    mine = private("own", kind)
    did = f"did:key:{mine.multibase}"
    token = await economy_session(economy, mine, did)
    headers = {"Authorization": f"Bearer {token}"}
    body = {"did": did, "name": "curved"}
    made = await economy.registry.ask("POST", "/registries/shop/developers", body, headers=headers)
    assert made.status == 201, made.text
    _, other = await economy.person(2)
    said = {"from": made.json["account_id"], "to": other, "amount": "5", "nonce": nonce(), "deadline": LATER}
    sent = {**said, "signature": mine.sign(mandate_signed_bytes("transfer", said))}
    assert (await economy.registry.ask("POST", "/transfers", sent, headers=headers)).status == 201


async def economy_session(economy: Economy, mine: PrivateKey, did: str) -> str:
    """Open a session as a DID that is its own key."""
    given = (await economy.registry.ask("POST", "/auth/nonce", {"did": did})).json
    lines = f"muniment-session-v1\n{given['issuer']}\n{did}\n{given['nonce']}"
    body = {"did": did, "nonce": given["nonce"], "alg": mine.type, "signature": mine.sign(lines.encode())}
    answer = await economy.registry.ask("POST", "/auth/session", body)
    assert answer.status == 201, answer.text
    return str(answer.json["token"])
