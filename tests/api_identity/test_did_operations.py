"""Operations over HTTP: each type as its owner sends it, what a repeat gets, and what each is refused for."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.identity.completion import CompleteRecovery
from muniment.did_operations import NamedKey, approval, did_of, rescue, signed
from muniment.did_operations import hash_of as operation_hash
from muniment.signing_key import SigningKey
from processors.reactor_commands import Ask, ReactorCommands
from tests.api.registered import opened, private
from tests.api.serving import Registry, running
from tests.api_identity.owning import Owner, handle_at, hash_of, key, names, owned, owner, send


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    """Run an api with its decider."""
    async with running() as found:
        yield found


@pytest.fixture
async def ada(registry: Registry) -> Owner:
    """Give somebody with a DID."""
    return await owned(registry, "ada")


@pytest.mark.parametrize("kind", ["ed25519", "secp256k1", "p256"])
async def test_a_genesis_makes_the_did_that_is_its_hash(registry: Registry, kind: str) -> None:
    ada = owner(registry, "ada", kind, key("phone", kind, ("assertion",)))
    answer = await ada.create()
    assert answer.status == 201, answer.text
    assert answer.headers["Content-Type"].partition(";")[0] == "application/did+json"
    assert answer.headers["Muniment-Position"]
    assert (answer.json["id"], names(answer)) == (ada.did, ["main", "phone"])
    assert answer.json["authentication"] == [f"{ada.did}#main"]
    assert answer.json["assertionMethod"] == [f"{ada.did}#main", f"{ada.did}#phone"]
    assert "alsoKnownAs" not in answer.json


async def test_a_document_is_answered_as_it_is_asked_for(registry: Registry) -> None:
    ada = owner(registry, "ada")
    refused = await send(registry, ada.genesis(), Accept="text/html")
    assert (refused.status, refused.code) == (406, "not_acceptable")
    linked = await send(registry, ada.genesis(), Accept="application/did+ld+json")
    assert linked.headers["Content-Type"].partition(";")[0] == "application/did+ld+json"
    assert (linked.status, "@context" in linked.json) == (201, True)


async def test_keys_rotate_and_both_hold_in_the_overlap(registry: Registry, ada: Owner) -> None:
    both = await ada.say("rotate", add=[key("tablet").to_json()], end=["main"], overlap_s=3600)
    assert (both.status, names(both)) == (201, ["main", "tablet"]), both.text
    at_once = await ada.say("rotate", ada.rotation[2], add=[], end=["tablet"], overlap_s=0)
    assert (at_once.status, names(at_once)) == (201, ["main"])
    token = await opened(registry, SigningKey(private("main").secret, did=ada.did, key_id="main"))
    assert token.status == 201, token.text


async def test_a_key_is_revoked_at_once(registry: Registry) -> None:
    ada = await owned(registry, "ada", key("phone"))
    answer = await ada.say("revoke", key_id="phone", reason="compromised", since="2026-01-02T03:04:05.678Z")
    assert (answer.status, names(answer)) == (201, ["main"]), answer.text
    unknown = await ada.say("revoke", key_id="nothing", reason="lost")
    assert (unknown.status, unknown.code, unknown.json["reason"]) == (400, "invalid_operation", "unknown_key")


async def test_a_higher_key_takes_back_what_a_lower_one_did(registry: Registry, ada: Owner) -> None:
    first = ada.head
    stolen = await ada.say("rotate", ada.rotation[2], add=[key("evil").to_json()], end=["main"], overlap_s=0)
    assert names(stolen) == ["evil"]
    new = {"rotation_keys": [ada.rotation[0].multibase], "keys": [key("fresh").to_json()]}
    lower = await ada.say("recover", ada.rotation[2], first, **new | {"keys": []})
    assert (lower.status, lower.json["reason"]) == (400, "not_higher")
    body = ada.sign("recover", ada.rotation[0], first, **new)
    answer = await send(registry, body, ada.did)
    assert (answer.status, names(answer)) == (201, ["fresh"]), answer.text
    late = await ada.say("rotate", ada.rotation[1], add=[], end=["fresh"])
    assert (late.status, late.code) == (401, "invalid_signature"), "no rotation key any more"
    # What was decided is told again, though who signed it is no rotation key by now.
    again = await send(registry, ada.sign("rotate", ada.rotation[2], first, add=[key("evil").to_json()],
                                          end=["main"], overlap_s=0), ada.did)  # fmt: skip
    assert (again.status, again.json, again.headers["Idempotency-Hit"]) == (200, stolen.json, "true")


async def test_what_is_sent_again_is_its_first_outcome_whatever_happened_since(registry: Registry) -> None:
    ada = owner(registry, "ada")
    created = await ada.create()
    rotation = ada.sign("rotate", add=[key("tablet").to_json()], end=["main"], overlap_s=0)
    rotated = await send(registry, rotation, ada.did)
    await ada.say("rotate", add=[key("watch").to_json()], end=["tablet"], overlap_s=0)
    for scope, body, did, first in (("one", ada.genesis(), None, created), ("two", rotation, ada.did, rotated)):
        again = await send(registry, body, did)
        assert (again.status, again.json, again.headers["Idempotency-Hit"]) == (200, first.json, "true")
        assert again.headers["Muniment-Position"] == first.headers["Muniment-Position"]
        keyed = await send(registry, body, did, Idempotency_Key=scope)
        assert (keyed.status, keyed.json, keyed.headers["Idempotency-Hit"]) == (200, first.json, "true")
        dry = await send(registry, body, did, "?dry_run=true")
        assert (dry.status, dry.json["result"], dry.headers["Idempotency-Hit"]) == (200, first.json, "true")
    other = await send(registry, ada.sign("rotate", add=[], end=["watch"]), ada.did, Idempotency_Key="two")
    assert (other.status, other.code) == (409, "idempotency_conflict")


async def test_operations_follow_the_latest_and_no_other(registry: Registry, ada: Owner) -> None:
    first = ada.head
    assert (await ada.say("rotate", add=[key("tablet").to_json()], end=[])).status == 201
    stale = await ada.say("rotate", prev=first, add=[key("watch").to_json()], end=[])
    assert (stale.status, stale.code, stale.json["head"]) == (409, "stale_prev", ada.head)
    unknown = await ada.say("recover", prev="sha256-" + "A" * 43, rotation_keys=[ada.rotation[0].multibase], keys=[])
    assert (unknown.code, unknown.json["head"]) == ("stale_prev", ada.head)
    # The second of two comes first: it follows nothing that is there, and the first is taken.
    one = ada.sign("rotate", add=[key("one").to_json()], end=[])
    two = ada.sign("rotate", prev=hash_of(one), add=[key("two").to_json()], end=[])
    assert [(await send(registry, body, ada.did)).code for body in (two, one)] == ["stale_prev", None]


async def test_what_no_rotation_key_signed_is_refused(registry: Registry, ada: Owner) -> None:
    appended = registry.appended()
    stranger = private("stranger")
    assert (await ada.say("rotate", stranger, add=[], end=["main"])).code == "invalid_signature"
    assert (await ada.say("rotate", private("main"), add=[], end=["main"])).code == "invalid_signature"
    forged = owner(registry, "bob").genesis()
    assert (await send(registry, {**forged, "signature": ada.genesis()["signature"]})).code == "invalid_signature"
    changed = ada.sign("rotate", add=[], end=["main"])
    changed["operation"]["overlap_s"] = 0
    answer = await send(registry, changed, ada.did)
    assert (answer.status, answer.code) == (401, "invalid_signature")
    for wrong in ("AAAA", "not base64!", base64.b64encode(bytes(64)).decode(), ada.genesis()["signature"][:-2]):
        answer = await send(registry, {**ada.sign("rotate", add=[], end=[]), "signature": wrong}, ada.did)
        assert (answer.status, answer.code) == (401, "invalid_signature"), wrong
    nobody = "did:mun:" + "a" * 26
    body = signed({**ada.sign("rotate")["operation"], "did": nobody}, ada.rotation[0])
    assert (await send(registry, body, nobody)).code == "not_found"
    own = "did:key:" + stranger.multibase
    assert (await send(registry, body, own)).code == "not_found"
    assert registry.appended() == appended


async def test_the_upper_half_of_an_ecdsa_signature_is_refused(registry: Registry) -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    body = owner(registry, "ada", "p256").genesis()
    low = base64.b64decode(body["signature"])
    high = low[:32] + (order - int.from_bytes(low[32:])).to_bytes(32)
    twin = {**body, "signature": base64.b64encode(high).decode()}
    assert [(await send(registry, each)).code for each in (twin, body)] == ["invalid_signature", None]


class Friends:
    """Guardians: a registered DID, a did:key and an Ethereum address."""

    def __init__(self, bob: Owner) -> None:
        address = SigningKey(private("eth").secret, "eip191")
        self.keys = [
            SigningKey(private("main").secret, did=bob.did, key_id="main"),
            SigningKey(private("friend").secret),
            address,
        ]

    @property
    def dids(self) -> list[str]:
        return [each.did for each in self.keys]


async def rescued(ada: Owner, friends: Friends, *who: int, prev: str | None = None) -> dict[str, Any]:
    """Let guardians approve a recovery."""
    new = private("rescue high")
    said = rescue(ada.did, prev or ada.head, [new], [NamedKey.of("rescue", private("rescue"))])
    return signed({**said, "approvals": [approval(said, friends.keys[each]) for each in who]}, new)


@pytest.fixture
async def friends(registry: Registry) -> Friends:
    """Give guardians to be."""
    return Friends(await owned(registry, "bob"))


async def guarded(ada: Owner, friends: Friends, delay_s: int = 600) -> None:
    """Name the guardians, two of whom must approve."""
    answer = await ada.say("set_guardians", dids=friends.dids, threshold=2, delay_s=delay_s)
    assert (answer.status, names(answer)) == (201, ["main"]), answer.text


async def test_guardians_recover_after_a_delay_in_which_a_rotation_key_cancels(
    registry: Registry, ada: Owner, friends: Friends
) -> None:
    early = await send(registry, await rescued(ada, friends, 0, 1), ada.did)
    assert (early.status, early.json["reason"]) == (400, "no_guardians")
    await guarded(ada, friends)
    few = await send(registry, await rescued(ada, friends, 0), ada.did)
    assert (few.status, few.json["reason"]) == (400, "too_few_approvals")
    body = await rescued(ada, friends, 0, 2)
    begun = await send(registry, body, ada.did)
    assert (begun.status, names(begun)) == (201, ["main"]), begun.text
    pending = await send(registry, await rescued(ada, friends, 1, 2), ada.did)
    assert pending.json["reason"] == "recovery_pending"
    other = await ada.say("cancel", operation="sha256-" + "A" * 43)
    assert other.json["reason"] == "no_recovery"
    cancelled = await ada.say("cancel", ada.rotation[2], operation=operation_hash(body["operation"]))
    assert (cancelled.status, names(cancelled)) == (201, ["main"]), cancelled.text


async def test_a_guardians_recovery_takes_effect_before_what_comes_after_its_delay(
    registry: Registry, ada: Owner, friends: Friends
) -> None:
    await guarded(ada, friends, delay_s=0)
    body = await rescued(ada, friends, 1, 2)
    assert (await send(registry, body, ada.did)).status == 201
    await asyncio.sleep(0.01)
    # Nobody completed it: the next operation is signed by a key that it brings, and it takes effect first.
    later = await ada.say("rotate", private("rescue high"), add=[key("more").to_json()], end=[])
    assert (later.status, sorted(names(later))) == (201, ["more", "rescue"]), later.text
    assert (await send(registry, body, ada.did)).headers["Idempotency-Hit"] == "true"


async def test_a_guardians_recovery_is_completed_when_its_delay_is_over(
    registry: Registry, ada: Owner, friends: Friends
) -> None:
    await guarded(ada, friends, delay_s=0)
    begun = await rescued(ada, friends, 0, 1)
    assert (await send(registry, begun | {"signature": ""}, ada.did)).status == 201, "guardians alone suffice"
    assert (await send(registry, {"operation": begun["operation"]}, ada.did)).status == 200
    await asyncio.sleep(0.01)
    commands = ReactorCommands(registry.log)
    await commands.append([Ask(ada.did, "complete", CompleteRecovery(ada.did, hash_of(begun)))])
    async with asyncio.timeout(5):
        while (await ada.say("rotate", add=[], end=["main"])).code != "invalid_signature":
            await asyncio.sleep(0.02)


async def test_each_approval_is_by_a_guardians_own_key(registry: Registry, ada: Owner, friends: Friends) -> None:
    await guarded(ada, friends)
    right = await rescued(ada, friends, 0, 1, 2)
    for number, change in (
        (0, {"key_id": "other"}),
        (0, {"key_id": ""}),
        (0, {"did": "did:mun:" + "a" * 26}),
        (1, {"signature": right["operation"]["approvals"][2]["signature"]}),
        (2, {"did": SigningKey(private("other").secret, "eip191").did}),
    ):
        approvals = [dict(each) for each in right["operation"]["approvals"]]
        approvals[number] |= change
        wrong = signed({**right["operation"], "approvals": approvals}, private("rescue high"))
        answer = await send(registry, wrong, ada.did)
        pointers = [each["pointer"] for each in answer.json["errors"]]
        assert (answer.status, answer.code, pointers) == (401, "invalid_signature", [f"/operation/approvals/{number}"])
    stranger = await rescued(ada, friends, 0, 1)
    assert (await send(registry, {**stranger, "signature": ada.genesis()["signature"]}, ada.did)).status == 401
    bob = SigningKey(private("bob else").secret)
    said = {name: value for name, value in right["operation"].items() if name != "approvals"}
    by_others = signed({**said, "approvals": [approval(said, bob), approval(said, friends.keys[0])]}, ada.rotation[0])
    assert (await send(registry, by_others, ada.did)).json["reason"] == "not_a_guardian"


async def test_a_dry_run_says_what_would_be_and_appends_nothing(registry: Registry, ada: Owner) -> None:
    appended = registry.appended()
    would = await send(registry, ada.sign("rotate", add=[key("tablet").to_json()], end=["main"], overlap_s=0), ada.did,
                       "?dry_run=true")  # fmt: skip
    assert (would.status, would.json["dry_run"], would.json["type"]) == (200, True, "RotateKeys")
    assert [each["id"] for each in would.json["result"]["verificationMethod"]] == [f"{ada.did}#tablet"]
    bob = owner(registry, "bob")
    named = await send(registry, bob.genesis("bob"), None, "?dry_run=true")
    assert named.json["result"]["alsoKnownAs"] == ["mun://bob"]
    stale = await send(registry, ada.sign("rotate", prev="sha256-" + "A" * 43), ada.did, "?dry_run=true")
    assert (stale.status, stale.code) == (409, "stale_prev")
    assert (registry.appended(), handle_at(registry, "bob")) == (appended, None)


async def test_a_write_that_is_not_waited_for_is_asked_about(registry: Registry) -> None:
    ada = owner(registry, "ada")
    sent = await send(registry, ada.genesis("ada"), Prefer="respond-async")
    assert sent.status == 202
    ruled = await registry.ruled(sent.headers["Location"])
    assert (ruled.json["type"], ruled.json["status"]) == ("CreateDid", "accepted")
    assert ruled.json["result"]["alsoKnownAs"] == ["mun://ada"]
    again = await send(registry, ada.genesis("ada"))
    assert (again.status, again.json) == (200, ruled.json["result"])
    assert did_of(ada.genesis("ada")["operation"]) == again.json["id"]
