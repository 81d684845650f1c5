"""The client against the real api, its decider and its mirror, on the memory log."""

from collections.abc import AsyncIterator

import pytest

from muniment import Client, SigningKey
from muniment.client import AlreadyActive, NotTheIssuer, SignerNotAuthorized, Subject, Unauthenticated
from tests.api.serving import Registry, key, running, star

pytestmark = pytest.mark.slow


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with running() as found:
        yield found


def client(registry: Registry, as_key: SigningKey | None = None) -> Client:
    return Client(str(registry.client.make_url("/")), as_key, timeout_s=5)


async def curator(registry: Registry, number: int = 1) -> SigningKey:
    return await registry.signer(number, "curator")


async def test_a_star_is_signed_issued_and_known_when_it_is_sent_again(registry: Registry) -> None:
    async with client(registry, await curator(registry)) as sdk:
        signed = sdk.facts.sign("endorsement.star", Subject("feed.ff", "playlist", "pl_1"), {"reason": "good"})
        fact, again = await sdk.facts.submit(signed), await sdk.facts.submit(signed)
        assert (fact.status, fact.subject.ref, fact.body["reason"]) == ("active", "pl_1", "good")
        assert (fact.repeated, again.repeated, again.id) == (False, True, fact.id)
        assert fact.position is not None
        assert sdk.position == fact.position


async def test_the_same_idempotency_key_gives_the_first_outcome(registry: Registry) -> None:
    async with client(registry, registry.operator) as sdk:
        did = key(7).did
        first = await sdk.signers.add(did, ["curator"], idempotency_key="one")
        again = await sdk.signers.add(did, ["curator"], idempotency_key="one")
        assert (first.repeated, again.repeated, again.position) == (False, True, first.position)
        revoked = await sdk.signers.revoke(did)
        assert revoked.revoked_at is not None


async def test_refusals_come_as_the_classes_that_their_codes_name(registry: Registry) -> None:
    issuer = await curator(registry)
    async with client(registry, issuer) as sdk, client(registry, key(5)) as stranger:
        fact = await sdk.facts.star("pl_1")
        with pytest.raises(AlreadyActive) as active:
            await sdk.facts.star("pl_1", reason="again")
        assert active.value.fact_id == fact.id
        assert active.value.request_id
        assert not active.value.retryable
        with pytest.raises(SignerNotAuthorized):
            await stranger.facts.star("pl_1")
        with pytest.raises(NotTheIssuer):
            await stranger.facts.revoke(fact.id)


async def test_a_client_without_a_key_signs_nothing_and_is_no_one(registry: Registry) -> None:
    async with client(registry) as sdk:
        with pytest.raises(ValueError, match="without a key"):
            await sdk.facts.star("pl_1")
        with pytest.raises(Unauthenticated):
            await sdk.facts.submit(star(key(1)))


async def test_a_batch_of_any_size_is_answered_in_its_order(registry: Registry) -> None:
    issuer = await curator(registry)
    async with client(registry, issuer) as sdk:
        signed = [star(issuer, f"pl_{number}") for number in range(1_205)]
        signed[3] = star(key(9), "pl_3")
        items = [item async for item in sdk.facts.issue_many(signed)]
        assert [item.status for item in items[:5]] == [201, 201, 201, 403, 201]
        assert len(items) == len(signed)
        assert items[-1].fact is not None
        assert items[-1].fact.subject.ref == "pl_1204"
        repeated = [item async for item in sdk.facts.issue_many(signed[:2])]
        assert [item.status for item in repeated] == [200, 200]


async def test_a_revocation_a_quarantine_and_a_release_show_the_fact_as_it_is_then(registry: Registry) -> None:
    async with client(registry, await curator(registry)) as sdk, client(registry, registry.operator) as admin:
        fact = await sdk.facts.star("pl_1")
        aside = await admin.facts.quarantine(fact.id, "looked at")
        assert (aside.status, (await admin.facts.release(fact.id)).status) == ("quarantined", "active")
        revoked = await sdk.facts.revoke(fact.id, "enough")
        assert revoked.status == "revoked"
        assert revoked.status_reason is not None
        assert "FactRevoked" in revoked.status_reason


async def test_a_session_that_the_registry_no_longer_takes_is_replaced_once(registry: Registry) -> None:
    async with client(registry, await curator(registry)) as sdk:
        await sdk.facts.star("pl_1")
        assert sdk._transport._sign_in is not None
        sdk._transport._sign_in._token = "no.such.token"
        assert (await sdk.facts.star("pl_2")).status == "active"


async def test_a_dry_run_says_what_would_happen_and_appends_nothing(registry: Registry) -> None:
    issuer = await curator(registry)
    before = registry.appended()
    async with client(registry, issuer) as sdk:
        found = await sdk.facts.preview(star(issuer))
        assert found["status"] == "accepted"
    assert registry.appended() == before


async def test_health_and_metrics_are_answers(registry: Registry) -> None:
    async with client(registry) as sdk:
        assert (await sdk.health()).status in {"ok", "degraded", "unavailable"}
        assert "muniment_http_requests_total" in await sdk.metrics()
