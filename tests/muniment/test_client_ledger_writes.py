"""The ledger's client against the real api and its deciders, on the memory log."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from muniment import Client, SigningKey
from muniment.client import (
    AccountFrozen,
    AlreadyClaimed,
    AlreadyExists,
    AlreadyRegistered,
    DeveloperNotRegistered,
    Forbidden,
    InsufficientFunds,
    InvalidCard,
    InviteInvalid,
    InviteRequired,
    MintingDisabled,
    NonceUsed,
    NotThePayee,
    NoVotingPower,
    OutOfBounds,
    SameAccount,
    StakeLocked,
    Terms,
    UnknownAccount,
    account_id,
)
from muniment.client.refusals import Refused
from tests.api.serving import Registry, key, running

pytestmark = pytest.mark.slow

AVT = 1_000_000


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with running() as found, client(found, found.operator) as admin:
        await admin.ledger.frames.create("town", "sovereign", "enabled")
        await admin.ledger.registries.create("town", "shop")
        await admin.ledger.registries.create("town", "mall", Terms(invite_required=True, genesis_grant=5 * AVT))
        yield found


def client(registry: Registry, as_key: SigningKey) -> Client:
    return Client(str(registry.client.make_url("/")), as_key, timeout_s=5)


def ahead(**given: float) -> str:
    return (datetime.now(UTC) + timedelta(**given)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def refused(kind: type[Refused], call: object) -> Refused:
    with pytest.raises(kind) as found:
        await call  # type: ignore[misc]
    assert type(found.value) is kind
    return found.value


async def test_developers_register_and_pay_each_other(registry: Registry) -> None:
    async with client(registry, key(1)) as ada, client(registry, key(2)) as bob:
        one = await ada.ledger.developers.register("shop", "Ada", email="ada@example.org")
        two = await bob.ledger.developers.register("shop", "Bob")
        assert one.account_id == account_id("town", "shop", key(1).did, "user")
        assert one.grant == 1_000 * AVT
        await refused(AlreadyRegistered, ada.ledger.developers.register("shop", "Ada"))
        sent = await ada.ledger.transfers.send(one.account_id, two.account_id, 10 * AVT, "für dich", wait=True)
        assert (sent.status, sent.amount, sent.fee, sent.repeated) == ("settled", 10 * AVT, 50_000, False)
        assert sent.position == ada.position
        short = await refused(InsufficientFunds, bob.ledger.transfers.send(two.account_id, one.account_id, 2_000 * AVT))
        assert isinstance(short, InsufficientFunds)
        assert (short.available, short.needed) == (1_010 * AVT, 2_010 * AVT)
        await refused(SameAccount, ada.ledger.transfers.send(one.account_id, one.account_id, 1))
        await refused(UnknownAccount, ada.ledger.transfers.send(one.account_id, "acc_" + "a" * 26, 1))


async def test_a_signed_transfer_moves_money_once_however_it_is_sent_again(registry: Registry) -> None:
    async with client(registry, key(1)) as ada, client(registry, key(2)) as bob:
        one = (await ada.ledger.developers.register("shop", "Ada")).account_id
        two = (await bob.ledger.developers.register("shop", "Bob")).account_id
        signed = ada.ledger.transfers.sign(one, two, AVT)
        first, again = await ada.ledger.transfers.submit(signed), await ada.ledger.transfers.submit(signed)
        assert (first.repeated, again.repeated, again.id) == (False, True, first.id)
        other = key(1).sign_transfer(one, two, 2 * AVT, nonce=str(signed["nonce"]))
        await refused(NonceUsed, ada.ledger.transfers.submit(other))
        items = [
            each
            async for each in ada.ledger.transfers.send_many([signed, other, ada.ledger.transfers.sign(one, two, 1)])
        ]
        assert [each.status for each in items] == [200, 409, 201]
        assert items[0].transfer is not None
        assert items[0].transfer.id == first.id
        assert isinstance(items[1].refused, NonceUsed)


async def test_an_invite_lets_one_developer_in(registry: Registry) -> None:
    async with client(registry, registry.operator) as admin, client(registry, key(1)) as ada:
        codes = (await admin.ledger.invites.create("mall", 2)).codes
        await refused(InviteRequired, ada.ledger.developers.register("mall", "Ada"))
        await refused(InviteInvalid, ada.ledger.developers.register("mall", "Ada", invite="none"))
        assert (await ada.ledger.developers.register("mall", "Ada", invite=codes[0])).grant == 5 * AVT
        async with client(registry, key(2)) as bob:
            await refused(InviteInvalid, bob.ledger.developers.register("mall", "Bob", invite=codes[0]))
            await refused(Forbidden, bob.ledger.invites.create("mall"))


async def test_an_admin_keeps_to_the_bounds(registry: Registry) -> None:
    async with client(registry, registry.operator) as admin, client(registry, key(1)) as ada:
        outside = await refused(OutOfBounds, admin.ledger.registries.change("shop", Terms(fee_bps=501)))
        assert isinstance(outside, OutOfBounds)
        assert outside.bound == "fee_bps"
        changed = await admin.ledger.registries.change("shop", Terms(fee_bps=100, premiums_bps={30: 150}))
        assert changed.fee_bps == 100
        await refused(AlreadyExists, admin.ledger.frames.create("town"))
        account = (await ada.ledger.developers.register("shop", "Ada")).account_id
        assert (await admin.ledger.frames.mint("town", account, AVT)).minted == AVT
        assert (await admin.ledger.frames.burn("town", account, 2 * AVT)).burned == 2 * AVT
        await admin.ledger.frames.create("union", "federated")
        await refused(MintingDisabled, admin.ledger.frames.mint("union", account, AVT))
        assert (await admin.ledger.accounts.freeze(account)).frozen
        await refused(AccountFrozen, ada.ledger.stakes.create(account, AVT))
        assert not (await admin.ledger.accounts.unfreeze(account)).frozen


async def test_a_payment_is_claimed_by_its_payee_or_taken_back(registry: Registry) -> None:
    async with client(registry, key(1)) as ada, client(registry, key(2)) as bob:
        one = (await ada.ledger.developers.register("shop", "Ada")).account_id
        two = (await bob.ledger.developers.register("shop", "Bob")).account_id
        held = await ada.ledger.payments.create(one, two, AVT, ahead(minutes=5))
        assert (held.status, held.amount, held.fee) == ("held", AVT, 5_000)
        await refused(NotThePayee, ada.ledger.payments.claim(held.id))
        claimed = await bob.ledger.payments.claim(held.id)
        assert claimed.status == "claimed"
        assert claimed.transfer_id is not None
        await refused(AlreadyClaimed, ada.ledger.payments.cancel(held.id))
        other = await ada.ledger.payments.create(one, two, AVT)
        assert (await ada.ledger.payments.cancel(other.id)).status == "cancelled"


async def test_a_stake_is_locked_and_votes(registry: Registry) -> None:
    async with client(registry, key(1)) as ada, client(registry, key(2)) as bob:
        one = (await ada.ledger.developers.register("shop", "Ada")).account_id
        await bob.ledger.developers.register("shop", "Bob")
        locked = await ada.ledger.stakes.create(one, 3 * AVT, 30)
        free = await ada.ledger.stakes.create(one, 2 * AVT)
        assert (locked.amount, locked.lock_days, locked.status) == (3 * AVT, 30, "staked")
        until = await refused(StakeLocked, ada.ledger.stakes.unstake(locked.id))
        assert isinstance(until, StakeLocked)
        assert until.until is not None
        proposal = await ada.ledger.proposals.create(
            "shop", "A lower fee", ahead(days=1), parameter="fee_bps", value="60"
        )
        assert (proposal.status, proposal.kind, proposal.electorate) == ("open", "parameter", 5 * AVT)
        vote = await ada.ledger.proposals.vote(proposal.id, "yes")
        assert (vote.choice, vote.power) == ("yes", 5 * AVT)
        await refused(NoVotingPower, bob.ledger.proposals.vote(proposal.id, "no"))
        await refused(NoVotingPower, bob.ledger.proposals.create("shop", "More", ahead(days=1), text="for me"))
        await refused(OutOfBounds, ada.ledger.proposals.create("shop", "Late", ahead(days=91)))
        assert (await ada.ledger.stakes.unstake(free.id)).status == "withdrawn"


async def test_an_agent_is_registered_by_its_developer_with_a_card(registry: Registry) -> None:
    card = {
        "protocolVersion": "0.3.0", "name": "Painter", "description": "Paints", "url": "https://agent.example/a2a",
        "version": "1.0.0", "capabilities": {}, "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["image/png"],
        "skills": [{"id": "paint", "name": "Paint", "description": "Paints what is asked for", "tags": ["art"]}],
    }  # fmt: skip
    async with client(registry, key(1)) as ada:
        did, place = key(9).did, "https://registry.example"
        await refused(DeveloperNotRegistered, ada.ledger.agents.register("shop", did, card, place))
        await ada.ledger.developers.register("shop", "Ada")
        await refused(InvalidCard, ada.ledger.agents.register("shop", did, {"name": "x"}, place))
        agent = await ada.ledger.agents.register("shop", did, card, place)
        assert agent.account_id == account_id("town", "shop", did, "agent")
        assert (agent.did, agent.developer_did, agent.card) == (did, key(1).did, card)
