"""Sessions of registered DIDs: opened by a key that is for it, over once that key is, or once someone logs out."""

import asyncio
import time
from typing import Any

import jwt
import pytest

from api import session_tokens
from api.session_tokens import REFRESHED_FOR_S, SESSION_LIFETIME_S
from domain.did import identity
from domain.identity.session import ended_key
from log import topic
from log.message import Command
from log.released import codec
from muniment.auditing import AuditOptions, audit_log
from tests.api.registered import auth, key_of, let_in, opened, person, private, token
from tests.api.serving import PARTITIONS, Registry, key, star

HOUR_MS = 3_600_000


@pytest.mark.parametrize("kind", ["ed25519", "secp256k1", "p256"])
async def test_each_type_of_key_opens_a_session_whose_token_names_it(registry: Registry, kind: str) -> None:
    ada = await person(registry, "ada", key_of("door", kind))
    sent = await token(registry, ada.signer("door", kind))
    claims = jwt.decode(sent, options={"verify_signature": False})
    assert (claims["sub"], claims["key_id"], claims["roles"]) == (ada.did, "door", [])
    assert claims["sid"] == claims["jti"]
    assert await let_in(registry, sent)


async def test_a_did_key_of_another_curve_opens_a_session_too(registry: Registry) -> None:
    for kind in ("secp256k1", "p256"):
        mine = private("own", kind)
        did = f"did:key:{mine.multibase}"
        given = (await registry.ask("POST", "/auth/nonce", {"did": did})).json
        lines = f"muniment-session-v1\n{given['issuer']}\n{did}\n{given['nonce']}"
        body = {"did": did, "nonce": given["nonce"], "alg": kind, "signature": mine.sign(lines.encode())}
        assert (await registry.ask("POST", "/auth/session", body)).status == 201


async def test_only_a_key_that_is_for_it_and_holds_opens_a_session(registry: Registry) -> None:
    ada = await person(
        registry, "ada", key_of("main"), key_of("paper", purposes=("assertion",)), key_of("curve", "p256")
    )
    eve = await person(registry, "eve", key_of("other"))
    main = ada.signer("main")

    async def code(by: Any, **change: Any) -> tuple[int, str | None]:
        answer = await opened(registry, by, **change)
        return answer.status, answer.code

    refused = (401, "invalid_signature")
    assert await code(ada.signer("paper")) == refused
    assert await code(ada.signer("main", key_id="curve")) == refused
    assert await code(ada.signer("other", key_id="main")) == refused
    assert await code(main, key_id="nothing") == refused
    assert await code(main, key_id="a\nb") == (400, "invalid_request")
    assert await code(main, key_id="") == (400, "invalid_request")
    assert await code(main, did=eve.did) == refused
    assert await code(main, did="did:mun:" + "a" * 26) == refused
    assert await code(main, did="did:mun:" + "a" * 25) == (400, "invalid_request")
    assert await code(ada.signer("curve", "p256"), alg="") == refused
    assert await code(main, alg="eip191") == refused
    assert await code(main, alg="HS256") == (400, "unsupported_algorithm")
    assert await code(main) == (201, None)
    await ada.rotate(key_of("next"), end=["main"])
    assert await code(main) == refused
    assert await code(ada.signer("next")) == (201, None)


async def test_a_process_that_is_still_reading_the_log_knows_no_key(registry: Registry) -> None:
    ada = await person(registry, "ada")
    registry.api.caught_up = False
    assert (await opened(registry, ada.signer("main"))).code == "not_caught_up"


async def test_a_rotation_lets_both_keys_in_until_the_overlap_is_over(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await person(registry, "ada")
    before = await token(registry, ada.signer("main"))
    await ada.rotate(key_of("next"), end=["main"], overlap_ms=HOUR_MS)
    meanwhile, after = await token(registry, ada.signer("main")), await token(registry, ada.signer("next"))
    for sent in (before, meanwhile, after):
        assert await let_in(registry, sent)
    assert (await auth(registry, "refresh", before)).status == 201
    now = time.time_ns()
    monkeypatch.setattr("api.registered_keys.time.time_ns", lambda: now + (HOUR_MS + 1) * 1_000_000)
    for sent in (before, meanwhile):
        assert not await let_in(registry, sent)
        assert (await auth(registry, "refresh", sent)).code == "unauthenticated"
    assert await let_in(registry, after)


async def test_a_session_is_over_once_its_key_is_revoked_or_recovered(registry: Registry) -> None:
    ada = await person(registry, "ada", key_of("main"), key_of("phone"))
    main, phone = await token(registry, ada.signer("main")), await token(registry, ada.signer("phone"))
    await ada.revoke("phone", "compromised")
    assert not await let_in(registry, phone)
    assert (await auth(registry, "refresh", phone)).code == "unauthenticated"
    assert await let_in(registry, main)
    await ada.recover(key_of("new", key_id="main"))
    assert not await let_in(registry, main), "the id is another key's by now"
    assert await let_in(registry, await token(registry, ada.signer("new", key_id="main")))


async def test_a_key_that_is_over_on_the_log_is_over_though_this_machines_clock_is_behind(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await person(registry, "ada")
    sent = await token(registry, ada.signer("main"))
    now = time.time_ns()
    monkeypatch.setattr("api.registered_keys.time.time_ns", lambda: now - HOUR_MS * 1_000_000)
    await ada.rotate(key_of("next"), end=["main"])
    assert not await let_in(registry, sent)
    assert (await opened(registry, ada.signer("main"))).code == "invalid_signature"
    assert await let_in(registry, await token(registry, ada.signer("next")))


async def test_every_process_refuses_a_session_within_two_seconds_of_its_end(registry: Registry) -> None:
    ada = await person(registry, "ada", key_of("main"), key_of("phone"))
    other = Registry(log=registry.log, keys=registry.keys, decides=False)
    await other.open()
    try:
        for by, end in ((ada.signer("phone"), ada.revoke("phone")), (ada.signer("main"), ada.recover(key_of("new")))):
            sent = await token(registry, by)
            await other.until(lambda sent=sent: auth(other, "refresh", sent), {201})  # type: ignore[misc]
            await end
            async with asyncio.timeout(2):
                while await let_in(other, sent):
                    await asyncio.sleep(0.01)
        sent = await token(registry, key(1))
        assert await let_in(other, sent)
        assert (await auth(registry, "logout", sent)).status == 204
        async with asyncio.timeout(2):
            while await let_in(other, sent):
                await asyncio.sleep(0.01)
    finally:
        await other.close()


async def test_logging_out_ends_the_session_with_every_token_that_it_was_given(registry: Registry) -> None:
    curator = key(1)
    for by in (curator, (await person(registry, "ada")).signer("main")):
        first, other = await token(registry, by), await token(registry, by)
        again = (await auth(registry, "refresh", first)).json["token"]
        answer = await auth(registry, "logout", again)
        assert (answer.status, answer.text) == (204, "")
        assert answer.headers["Muniment-Position"]
        for sent in (first, again):
            assert not await let_in(registry, sent)
            assert (await auth(registry, "refresh", sent)).code == "unauthenticated"
            assert (await auth(registry, "logout", sent)).code == "unauthenticated"
        assert await let_in(registry, other)


async def test_whoever_has_a_token_can_ask_whether_its_session_stands(registry: Registry) -> None:
    admin = await registry.session(registry.operator)
    headers = {"Authorization": f"Bearer {admin}"}
    answer = await registry.ask("GET", "/auth/session", headers=headers)
    assert (answer.status, answer.json["did"], answer.json["roles"]) == (
        200,
        registry.operator.did,
        ["admin", "operator"],
    )
    await auth(registry, "logout", admin)
    assert (await registry.ask("GET", "/auth/session", headers=headers)).code == "unauthenticated"


async def test_a_logout_can_be_tried_and_be_sent_without_waiting(registry: Registry) -> None:
    sent = await token(registry, key(1))
    headers = {"Authorization": f"Bearer {sent}"}
    tried = await registry.ask("POST", "/auth/logout?dry_run=true", headers=headers)
    assert (tried.status, tried.json["type"], tried.json["result"]["did"]) == (200, "EndSession", key(1).did)
    assert await let_in(registry, sent)
    assert (await auth(registry, "logout", sent, Prefer="respond-async")).status == 202
    async with asyncio.timeout(2):
        while await let_in(registry, sent):
            await asyncio.sleep(0.01)


async def test_an_end_is_remembered_for_longer_than_any_token_lasts(registry: Registry) -> None:
    sent = await token(registry, key(1))
    await auth(registry, "logout", sent)
    ((_, forgotten_at),) = registry.api.mirror.get(ended_key(identity(key(1).did))) or ()
    assert forgotten_at >= (jwt.decode(sent, options={"verify_signature": False})["exp"] + SESSION_LIFETIME_S) * 1000


async def test_a_logout_that_is_asked_for_under_another_sessions_key_does_not_pass_for_it(registry: Registry) -> None:
    first, second = await token(registry, key(1)), await token(registry, key(1))
    assert (await auth(registry, "logout", first, **{"Idempotency-Key": "out"})).status == 204
    assert (await auth(registry, "logout", second, **{"Idempotency-Key": "out"})).code == "idempotency_conflict"
    assert await let_in(registry, second)
    assert (await auth(registry, "logout", second)).status == 204


async def test_a_refreshed_token_is_a_new_one_of_the_same_session_with_the_roles_of_now(registry: Registry) -> None:
    curator = key(1)
    sent = await token(registry, curator)
    await registry.signer(1, "curator")
    answer = await auth(registry, "refresh", sent)
    assert (answer.status, answer.json["token_type"]) == (201, "Bearer")
    before, after = (jwt.decode(each, options={"verify_signature": False}) for each in (sent, answer.json["token"]))
    assert (before["roles"], after["roles"]) == ([], ["curator"])
    assert before["jti"] != after["jti"]
    for claim in ("sub", "sid", "auth_time", "proof"):
        assert before[claim] == after[claim]
    posted = {"Authorization": f"Bearer {answer.json['token']}"}
    assert (await registry.ask("POST", "/facts", star(curator), headers=posted)).status == 201
    assert await let_in(registry, sent)


async def test_a_session_is_refreshed_while_it_holds_and_for_thirty_days(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await token(registry, key(1))
    assert (await registry.ask("POST", "/auth/refresh")).code == "unauthenticated"
    assert (await registry.ask("POST", "/auth/refresh", {}, by=key(1))).code == "invalid_request"
    now = time.time()
    claims = jwt.decode(sent, options={"verify_signature": False})
    old = registry.keys.sign(claims | {"auth_time": int(now - REFRESHED_FOR_S)})
    assert await let_in(registry, old)
    assert (await auth(registry, "refresh", old)).code == "unauthenticated"
    monkeypatch.setattr(session_tokens.time, "time", lambda: now + SESSION_LIFETIME_S + 5)
    assert (await auth(registry, "refresh", sent)).code == "unauthenticated"


async def test_what_a_session_asks_for_carries_its_key_and_where_that_was_seen_to_hold(registry: Registry) -> None:
    ada = await person(registry, "ada", key_of("door", "p256"))
    sent = await token(registry, ada.signer("door", "p256"))
    await ada.rotate(key_of("next"))
    assert (await auth(registry, "logout", sent)).status == 204
    command = last_command(registry, "EndSession")
    held = command.signature
    assert held is not None
    assert (held.alg, held.did, held.key_id) == ("p256", ada.did, "door")
    assert held.public_key == private("door", "p256").multibase
    partition = registry.api.partition(ada.did)
    rotated = len(registry.log.messages(topic.events("identity"), partition)) - 2
    assert held.key_seen_at == f"identity/{partition}/{rotated}"


async def test_an_audit_proves_what_sessions_of_registered_dids_asked_for(registry: Registry) -> None:
    ada = await person(registry, "ada", key_of("main"), key_of("door", "secp256k1"))
    for by in (ada.signer("main"), ada.signer("door", "secp256k1"), key(1)):
        sent = (await auth(registry, "refresh", await token(registry, by))).json["token"]
        if by.key_id == "main":
            await ada.rotate(key_of("next"), end=["main"], overlap_ms=HOUR_MS)
        assert (await auth(registry, "logout", sent)).status == 204
    verdict = await audit_log(registry.log, (), AuditOptions(cores=1, patience_s=0.0))
    assert verdict.difference is None
    # The first signer's, two operations', and the session's that each logout shows.
    assert verdict.signatures == 6


async def test_an_audit_finds_a_session_that_a_key_opened_which_was_not_for_it(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await person(registry, "ada", key_of("main"), key_of("paper", purposes=("assertion",)))
    monkeypatch.setattr("api.sessions.AUTHENTICATION", "assertion")
    monkeypatch.setattr("api.session_standing.AUTHENTICATION", "assertion")
    assert (await auth(registry, "logout", await token(registry, ada.signer("paper")))).status == 204
    verdict = await audit_log(registry.log, (), AuditOptions(cores=1, patience_s=0.0))
    assert verdict.difference is not None
    assert "paper" in verdict.difference.detail


def last_command(registry: Registry, kind: str) -> Command:
    found = [
        codec("identity", "command").decode(message.value)
        for partition in range(PARTITIONS)
        for message in registry.log.messages(topic.commands("identity"), partition)
    ]
    return next(each for each in reversed(found) if each.type == kind)  # type: ignore[no-any-return]
