"""The auditor's own fold of the ledger: what each event may do to what is, from the specification alone.

Its entries lie under keys of its own, and it shares nothing with the deciders but the dataclasses of the messages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Final, TypeAlias

from domain.decider import Change
from domain.did import identity
from domain.ledger import (
    account,
    agent,
    developer,
    frame,
    payment,
    proposal,
    registry,
    reward,
    stake,
    transfer,
    transit,
)
from log.fold import Entries
from processors import audit_payments, audit_shops, audit_stakes
from processors.audit_names import require

Hears: TypeAlias = Callable[[Entries, Any, int], Iterator[Change]]
ACTED: Final = (
    "opened_by",
    "changed_by",
    "issued_by",
    "registered_by",
    "developer_did",
    "minted_by",
    "burned_by",
    "frozen_by",
    "unfrozen_by",
    "claimed_by",
    "cancelled_by",
    "voter",
)
"""Members by which an event says who asked for it."""
LOOKED_UP: Final = {"receiver_owner"}
"""Members that a decision finds out for itself where it can; whose the account is, is checked against the account."""
ADMINS: Final = ("admin",)
HEARS: Final[Mapping[type, Hears]] = {
    frame.FrameOpened: audit_shops.opened,
    frame.TokensMinted: audit_shops.coined,
    frame.TokensBurned: audit_shops.coined,
    frame.VelocityMeasured: audit_shops.measured,
    registry.RegistryOpened: audit_shops.shop_opened,
    registry.RegistryChanged: audit_shops.shop_changed,
    registry.ParameterChanged: audit_shops.voted,
    developer.InvitesIssued: audit_shops.invited,
    developer.DeveloperRegistered: audit_shops.developer,
    agent.AgentRegistered: audit_shops.agent,
    account.AccountFrozen: audit_shops.frozen,
    account.AccountUnfrozen: audit_shops.frozen,
    transfer.TransferSettled: audit_payments.settled,
    transit.TransferPrepared: audit_payments.prepared,
    transit.TransferAccepted: audit_payments.accepted,
    transit.TransferRejected: audit_payments.rejected,
    transit.TransferCommitted: audit_payments.ended,
    transit.TransferAborted: audit_payments.ended,
    payment.PaymentHeld: audit_payments.held,
    payment.PaymentClaimed: audit_payments.released,
    payment.PaymentCancelled: audit_payments.released,
    payment.PaymentExpired: audit_payments.released,
    stake.StakePlaced: audit_stakes.placed,
    stake.StakeWithdrawn: audit_stakes.withdrawn,
    reward.RewardDayOpened: audit_stakes.day_opened,
    reward.StakesRewarded: audit_stakes.rewarded,
    reward.RewardDayClosed: audit_stakes.day_closed,
    proposal.ProposalOpened: audit_stakes.asked,
    proposal.VoteCast: audit_stakes.cast,
    proposal.ProposalTallied: audit_stakes.tallied,
}
"""Every event of the ledger."""


def changes(state: Entries, event: Any, command: Any, actor: str, at: int) -> Iterator[Change]:
    """Check an event against what is and what was asked, and give what it changes. Raises Fault."""
    shared, acted = _members(event.__class__, command.__class__)
    for name in shared:
        asked, said = getattr(command, name), getattr(event, name)
        # What a command leaves open, its decision fills in.
        require(asked is None or said == asked, "command", f"{name} is {said}, and {asked} was asked for")
    for name in acted:
        by = getattr(event, name)
        require(identity(by) == identity(actor), "actor", f"{name} is {by}, and {actor} asked")
    mandate = getattr(event, "mandate", None)
    if mandate is not None:
        yield from _mandate(state, event, mandate, at)
    yield from HEARS[type(event)](state, event, at)


@cache
def _members(event: Any, command: Any) -> tuple[Sequence[str], Sequence[str]]:
    """Name the members that an event has of its command, and those that say who asked."""
    said: list[str] = [each.name for each in fields(event)]
    asked = {each.name for each in fields(command)}
    return [name for name in said if name in asked - LOOKED_UP], [name for name in said if name in ACTED]


def _mandate(state: Entries, event: Any, mandate: Any, at: int) -> Iterator[Change]:
    """An owner's word holds for one movement of its account: in time, and under a nonce that wasn't used."""
    if isinstance(event, proposal.VoteCast):
        owner = event.voter
    else:
        name = event.account if isinstance(event, stake.StakePlaced | stake.StakeWithdrawn) else event.sender
        owner = audit_shops.holder(state, event.frame_id, name).owner
    signer = identity(mandate.signed_by)
    require(signer == identity(owner), "owner", f"{mandate.signed_by} signed for what is {owner}'s")
    require(mandate.deadline > at, "deadline", "the mandate's deadline had passed")
    key = f"own/nonce/{event.frame_id}/{signer}/{mandate.nonce}"
    require(state.get(key) is None, "nonce", f"{mandate.nonce} was used before by {mandate.signed_by}")
    yield key, (1,)


def roles_needed(command: Any) -> Sequence[str]:
    """Name the roles of which the actor of a command must have had one, where it cites that."""
    return ADMINS if getattr(command, "authority", None) is not None else ()
