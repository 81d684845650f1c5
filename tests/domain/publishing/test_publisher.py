"""Who may publish: a key that an admin registered, or its holder, who signs that it is theirs."""

from domain.publishing.publisher import (
    Publisher,
    PublisherRegistered,
    PublisherRemoved,
    RegisterPublisher,
    RemovePublisher,
    publisher,
)
from tests.domain.publishing.press import HERE, KEY, OPERATOR, POOL
from tests.domain.scenario import Scenario

ANN, BEN = "did:key:ann", "did:key:ben"
BY_ADMIN = RegisterPublisher(POOL, KEY, "a studio", HERE, None)
BY_HOLDER = RegisterPublisher(POOL, KEY, "a studio", None, "c2ln")


def test_an_admin_registers_a_key_and_removes_it_and_it_may_come_back() -> None:
    scene = Scenario(actor=OPERATOR)
    scene.when(BY_ADMIN).then(PublisherRegistered(POOL, KEY, "a studio", OPERATOR, HERE))
    assert publisher(scene.state, KEY) == Publisher("a studio", OPERATOR, removed=False)
    scene.when(BY_ADMIN).then_refused("already_registered", {"pubkey": KEY})
    scene.when(RemovePublisher(POOL, KEY, HERE)).then(PublisherRemoved(POOL, KEY, OPERATOR, HERE))
    assert publisher(scene.state, KEY) is None
    scene.when(RemovePublisher(POOL, KEY, HERE)).then_refused("not_found")
    scene.when(BY_ADMIN).then(PublisherRegistered(POOL, KEY, "a studio", OPERATOR, HERE))


def test_whoever_signs_by_a_key_registers_it_and_nobody_else_removes_it_but_an_admin() -> None:
    scene = Scenario(actor=ANN)
    scene.when(RegisterPublisher(POOL, KEY, "a studio", None, None)).then_refused("forbidden")
    scene.when(BY_HOLDER).then(PublisherRegistered(POOL, KEY, "a studio", ANN, None))
    scene.actor = BEN
    scene.when(RemovePublisher(POOL, KEY, None)).then_refused("forbidden")
    scene.when(BY_HOLDER).then_refused("already_registered")
    scene.actor = ANN
    scene.when(RemovePublisher(POOL, KEY, None)).then(PublisherRemoved(POOL, KEY, ANN, None))
