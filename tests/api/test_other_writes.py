"""Signers, playlists and webhooks over HTTP."""

import base64
from typing import Any

import pytest

from api.wiring import ApiSettings
from log import topic
from log.sealing import unseal
from tests.api.serving import PARTITIONS, Registry, key, running, star

PLAYLIST: dict[str, Any] = {
    "id": "pl_1",
    "slug": "first",
    "title": "First",
    "created": "2025-10-13T03:00:00Z",
    "items": [{"b": 1, "a": {"ü": [1.5, None]}}],
}
HOOK = {"url": "https://93.184.215.14/hook"}
"""An address, so that nothing is looked up."""


async def test_an_admin_adds_sets_revokes_and_reinstates_a_signer(registry: Registry) -> None:
    admin, did = registry.operator, key(1).did
    added = await registry.ask("POST", "/signers", {"did": did, "roles": ["curator"]}, by=admin)
    assert added.status == 201
    assert added.json == {
        "did": did,
        "roles": ["curator"],
        "added_by": admin.did,
        "added_at": added.json["added_at"],
    }
    assert "Muniment-Position" in added.headers
    changed = await registry.ask("POST", "/signers", {"did": did, "roles": ["institution", "curator"]}, by=admin)
    assert (changed.status, changed.json["roles"]) == (200, ["curator", "institution"])
    assert changed.json["added_at"] == added.json["added_at"]
    revoked = await registry.ask("DELETE", f"/signers/{did}", by=admin)
    assert (revoked.status, "revoked_at" in revoked.json) == (200, True)
    again = await registry.ask("DELETE", f"/signers/{did}", by=admin)
    assert (again.status, again.code) == (409, "already_revoked")
    assert (await registry.ask("POST", "/facts", star(key(1)), by=key(1))).code == "signer_not_authorized"
    back = await registry.ask("POST", "/signers", {"did": did, "roles": ["curator"]}, by=admin)
    assert (back.status, "revoked_at" in back.json) == (201, False)


async def test_only_admins_change_signers_and_what_they_send_is_checked(registry: Registry) -> None:
    curator, did = await registry.signer(1, "curator"), key(2).did
    body = {"did": did, "roles": ["curator"]}
    assert (await registry.ask("POST", "/signers", body)).code == "unauthenticated"
    assert (await registry.ask("POST", "/signers", body, by=curator)).code == "forbidden"
    assert (await registry.ask("DELETE", f"/signers/{did}", by=curator)).code == "forbidden"
    for wrong, pointer in (
        ({"did": did, "roles": []}, "/roles"),
        ({"did": did, "roles": ["king"]}, "/roles/0"),
        ({"did": did, "roles": ["curator", "curator"]}, "/roles"),
        ({"did": "x", "roles": ["curator"]}, "/did"),
        ({"did": did}, "/roles"),
    ):
        answer = await registry.ask("POST", "/signers", wrong, by=registry.operator)
        assert (answer.code, answer.json["errors"][0]["pointer"]) == ("invalid_request", pointer)
    assert (await registry.ask("DELETE", f"/signers/{did}", by=registry.operator)).code == "not_found"
    assert (await registry.ask("DELETE", "/signers/me", by=registry.operator)).code == "not_found"


async def test_an_admin_that_was_revoked_is_none_at_once_whatever_its_token_says(registry: Registry) -> None:
    second = await registry.signer(1, "admin")
    body = {"did": key(2).did, "roles": ["curator"]}
    assert (await registry.ask("POST", "/signers", body, by=second)).status == 201
    await registry.ask("DELETE", f"/signers/{second.did}", by=registry.operator)
    assert (await registry.ask("POST", "/signers", body, by=second)).code == "forbidden"


async def test_an_unsigned_write_without_a_key_is_a_new_command_each_time(registry: Registry) -> None:
    body = {"did": key(1).did, "roles": ["curator"]}
    statuses = [(await registry.ask("POST", "/signers", body, by=registry.operator)).status for _ in range(2)]
    assert statuses == [201, 200]
    headers = {"Idempotency-Key": "x"}
    body = {"did": key(2).did, "roles": ["curator"]}
    first, again = [
        await registry.ask("POST", "/signers", body, by=registry.operator, headers=headers) for _ in range(2)
    ]
    assert (first.status, first.json) == (again.status, again.json)
    assert (first.headers.get("Idempotency-Hit"), again.headers.get("Idempotency-Hit")) == (None, "true")
    assert first.headers["Muniment-Position"] == again.headers["Muniment-Position"]


@pytest.mark.parametrize("given", ["", "a" * 256, "ü", "a\tb"])
async def test_an_idempotency_key_is_printable_ascii(registry: Registry, given: str) -> None:
    body = {"did": key(1).did, "roles": ["curator"]}
    answer = await registry.ask("POST", "/signers", body, by=registry.operator, headers={"Idempotency-Key": given})
    assert (answer.status, answer.code) == (400, "invalid_request")


async def test_a_publisher_posts_a_playlist_and_only_it_replaces_it(registry: Registry) -> None:
    publisher, other = await registry.signer(1, "publisher"), await registry.signer(2, "publisher")
    posted = await registry.ask("POST", "/playlists", PLAYLIST, by=publisher)
    assert posted.status == 201
    assert posted.json == PLAYLIST | {"dpVersion": "1.0.0", "created": "2025-10-13T03:00:00.000Z"}
    stolen = await registry.ask("POST", "/playlists", PLAYLIST | {"title": "Mine"}, by=other)
    assert (stolen.status, stolen.code) == (403, "not_the_publisher")
    replaced = await registry.ask("POST", "/playlists", PLAYLIST | {"title": "Mine"}, by=publisher)
    assert (replaced.status, replaced.json["title"]) == (201, "Mine")
    curator = await registry.signer(3, "curator")
    assert (await registry.ask("POST", "/playlists", PLAYLIST, by=curator)).code == "forbidden"
    for change, pointer in (
        ({"created": "today"}, "/created"),
        ({"items": {}}, "/items"),
        ({"items": [1]}, "/items/0"),
        ({"slug": ""}, "/slug"),
        ({"id": "a\nb"}, "/id"),
    ):
        answer = await registry.ask("POST", "/playlists", PLAYLIST | change, by=publisher)
        assert (answer.code, answer.json["errors"][0]["pointer"]) == ("invalid_request", pointer)


async def test_a_webhooks_secret_is_shown_once_and_lies_sealed_on_the_log(registry: Registry) -> None:
    admin = registry.operator
    headers = {"Idempotency-Key": "hook"}
    made = await registry.ask("POST", "/webhooks", HOOK, by=admin, headers=headers)
    assert made.status == 201, made.text
    secret = made.json["secret"]
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert (made.json["kinds"], made.json["status"]) == ([], "active")
    again = await registry.ask("POST", "/webhooks", HOOK, by=admin, headers=headers)
    assert (again.status, again.json, again.headers["Idempotency-Hit"]) == (201, made.json, "true")
    values = [
        message.value
        for name in (topic.commands("facts"), topic.events("facts"))
        for partition in range(PARTITIONS)
        for message in registry.log.messages(name, partition)
    ]
    assert not any(secret.encode() in value or secret[6:].encode() in value for value in values)
    rotated = await registry.ask("POST", f"/webhooks/{made.json['id']}/rotate-secret", {}, by=admin)
    assert rotated.status == 200
    assert rotated.json["secret"] != secret
    assert "overlap_until" in rotated.json
    given = "whsec_" + base64.b64encode(bytes(24)).decode()
    rotated = await registry.ask("POST", f"/webhooks/{made.json['id']}/rotate-secret", {"secret": given}, by=admin)
    assert rotated.json["secret"] == given
    replayed = await registry.ask("POST", f"/webhooks/{made.json['id']}/replay", {"from": "0"}, by=admin)
    assert (replayed.status, replayed.json["since"]) == (200, "0")
    gone = await registry.ask("DELETE", f"/webhooks/{made.json['id']}", by=admin)
    assert gone.json == {"id": made.json["id"], "status": "deleted"}
    for method, path, body in (
        ("DELETE", "", None),
        ("POST", "/replay", {"from": "0"}),
        ("POST", "/rotate-secret", {}),
    ):
        missing = await registry.ask(method, f"/webhooks/{made.json['id']}{path}", body, by=admin)
        assert (missing.status, missing.code) == (404, "not_found")
        missing = await registry.ask(method, f"/webhooks/x{path}", body, by=admin)
        assert (missing.status, missing.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "ftp://93.184.215.14/"}, "/url"),
        ({"url": "https://a:b@93.184.215.14/"}, "/url"),
        ({"url": "http://127.0.0.1/"}, "/url"),
        ({"url": "http://[::1]/"}, "/url"),
        ({"url": "http://169.254.169.254/latest"}, "/url"),
        ({"url": "http://0x7f000001/"}, "/url"),
        ({"url": "https://93.184.215.14/" + "a" * 4000}, "/url"),
        ({"kinds": ["moon"]}, "/kinds/0"),
        ({"kinds": []}, "/kinds"),
        ({"secret": "short"}, "/secret"),
        ({"secret": "whsec_" + base64.b64encode(bytes(23)).decode()}, "/secret"),
        ({"secret": "whsec_" + base64.b64encode(bytes(65)).decode()}, "/secret"),
        ({"secret": base64.b64encode(bytes(32)).decode()}, "/secret"),
    ],
)
async def test_an_endpoint_that_must_not_be_called_is_refused(
    registry: Registry, change: dict[str, Any], pointer: str
) -> None:
    answer = await registry.ask("POST", "/webhooks", HOOK | change, by=registry.operator)
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.text
    assert answer.json["errors"][0]["pointer"] == pointer


async def test_private_targets_can_be_allowed_and_a_given_secret_is_kept(registry: Registry) -> None:
    given = "whsec_" + base64.b64encode(bytes(64)).decode()
    async with running(settings=ApiSettings(any_webhook_target=True)) as local:
        body = {"url": "http://127.0.0.1:9/x", "secret": given, "kinds": ["endorsement.star"]}
        made = await local.ask("POST", "/webhooks", body, by=local.operator)
        assert (made.status, made.json["secret"], made.json["kinds"]) == (201, given, ["endorsement.star"])
        assert (await local.ask("POST", "/webhooks", body)).code == "unauthenticated"
        assert (await local.ask("POST", "/webhooks", body, by=key(1))).code == "forbidden"
        bad = await local.ask("POST", f"/webhooks/{made.json['id']}/replay", {"from": "x"}, by=local.operator)
        assert (bad.status, bad.code) == (400, "invalid_cursor")


def test_a_sealed_secret_opens_only_with_its_key() -> None:
    from log.sealing import CannotUnseal, InvalidSealingKey, read_sealing_key, seal

    sealed = seal(bytes(32), "whsec_x")
    assert unseal(bytes(32), sealed) == "whsec_x"
    assert sealed != seal(bytes(32), "whsec_x")
    for key_bytes, value in (
        (bytes([1]) * 32, sealed),
        (bytes(32), sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (bytes(32), b""),
    ):
        with pytest.raises(CannotUnseal):
            unseal(key_bytes, value)
    for text in ("", "x", base64.b64encode(bytes(31)).decode(), "ü"):
        with pytest.raises(InvalidSealingKey):
            read_sealing_key(text)
