"""Sessions of DIDs whose owners operate them: what ends a key ends its sessions, and an audit proves the rest."""

from collections.abc import AsyncIterator

import pytest

from muniment.auditing import AuditOptions, audit_log
from muniment.signing_key import SigningKey
from tests.api.registered import auth, let_in, private, token
from tests.api.serving import Registry, running
from tests.api_identity.owning import Owner, key, owned

OPTIONS = AuditOptions(cores=1, patience_s=0.0)


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    """Run an api with its decider."""
    async with running() as found:
        yield found


def signer(owner: Owner, name: str, kind: str = "ed25519", key_id: str | None = None) -> SigningKey:
    """Give a key of an owner's, which signs as the DID."""
    return SigningKey(private(name, kind).secret, kind, did=owner.did, key_id=key_id or name)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["rotate", "revoke", "recover", "override"])
async def test_whatever_ends_a_key_ends_its_sessions_and_no_others(registry: Registry, how: str) -> None:
    ada, bob = await owned(registry, "ada", key("spare", "p256")), await owned(registry, "bob")
    mine, others = await token(registry, signer(ada, "main")), await token(registry, signer(bob, "main"))
    spare = await token(registry, signer(ada, "spare", "p256"))
    kept = True
    if how == "rotate":
        answer = await ada.say("rotate", add=[key("next").to_json()], end=["main"], overlap_s=0)
    elif how == "revoke":
        answer = await ada.say("revoke", key_id="main", reason="compromised")
    else:
        behind, kept = ada.head, False
        if how == "override":
            # Who has a lower rotation key brings in a key of their own, and a higher one takes that back.
            stolen = await ada.say("rotate", ada.rotation[2], add=[key("stolen").to_json()], end=[], overlap_s=0)
            assert stolen.status == 201, stolen.text
            mine = await token(registry, signer(ada, "stolen"))
        anew = {"rotation_keys": [each.multibase for each in ada.rotation], "keys": [key("new").to_json()]}
        answer = await ada.say("recover", prev=behind, **anew)
    assert answer.status in {200, 201}, answer.text
    assert not await let_in(registry, mine)
    assert (await auth(registry, "refresh", mine)).code == "unauthenticated"
    assert await let_in(registry, spare) is kept
    assert await let_in(registry, others)
    assert (await audit_log(registry.log, (), OPTIONS)).difference is None


async def test_a_registered_did_uses_its_roles_in_sessions_that_an_audit_proves(registry: Registry) -> None:
    ada = await owned(registry, "ada", key("desk", "secp256k1"))
    await registry.ask("POST", "/signers", {"did": ada.did, "roles": ["admin"]}, by=registry.operator)
    sent = await token(registry, signer(ada, "desk", "secp256k1"))
    headers = {"Authorization": f"Bearer {sent}"}
    for number in (1, 2):
        body = {"did": f"did:key:{private(f'curator {number}').multibase}", "roles": ["curator"]}
        added = await registry.ask("POST", "/signers", body, headers=headers)
        assert (added.status, added.json["added_by"]) == (201, ada.did)
        # Its key is seen to hold anew for each command, at another position of its DID's log.
        rotated = await ada.say("rotate", add=[key(f"more{number}").to_json()], end=["desk"], overlap_s=3_600)
        assert rotated.status in {200, 201}, rotated.text
    verdict = await audit_log(registry.log, (), OPTIONS)
    assert verdict.difference is None
    assert verdict.signatures == 7
