"""Stakes and votes: what owners lock, and what they decide with it."""

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from api.intent import idempotency_key
from api.ledger_requests import (
    MANDATED,
    WRITES,
    AccountId,
    AmountText,
    MandateRequest,
    Moment,
    Name,
    Order,
    admin_intent,
    amount_of,
    check_order,
    known_account,
    known_entry,
    known_registry,
    mandate_of,
    moment_of,
    named,
    named_after,
    order_intent,
    signed_bytes_of,
)
from api.ledger_views import ProposalView, StakeView, VoteView
from api.problems import invalid
from api.results import write
from api.route import Asked, Route, Who
from api.shapes import Maybe, Shape, Text, WriteQuery
from domain.ledger.proposal import CastVote, OpenProposal, Proposal, proposal_key
from domain.ledger.registry import LOCKS, PARAMETERS
from domain.ledger.stake import PlaceStake, Stake, WithdrawStake, stake_key
from log import statements
from log.checking import fault_of

PROPOSAL_TEXT_MAX = 16_384
VALUE_MAX = 32


class StakeRequest(MandateRequest):
    """Lock an amount of micro-AVT for some days."""

    account: AccountId
    amount: AmountText
    lock_days: int


class UnstakeRequest(MandateRequest):
    """Take a stake back."""

    stake_id: Annotated[str, Field(min_length=1, max_length=128)]


class VoteRequest(MandateRequest):
    """Choose."""

    proposal_id: Annotated[str, Field(min_length=1, max_length=128)]
    choice: Literal["yes", "no", "abstain"]


class ProposalRequest(Shape):
    """Ask a registry's stakers for their word, or for a change of one of its parameters."""

    registry_id: Name
    kind: Literal["text", "parameter"]
    title: Text
    text: Maybe[Annotated[str, Field(max_length=PROPOSAL_TEXT_MAX)]] = None
    parameter: Maybe[Annotated[str, Field(max_length=64)]] = None
    value: Maybe[Annotated[str, Field(max_length=VALUE_MAX)] | int | bool] = None
    ends_at: Moment


def _check_stake(asked: Asked) -> None:
    amount_of(asked.body.amount)
    if asked.body.lock_days not in LOCKS:
        raise invalid("/lock_days", f"a lock is one of {', '.join(map(str, LOCKS))} days")


def _check_same(member: str) -> None:
    raise invalid(f"/{member}", "this is not the one that the path names")


def _check_unstake(asked: Asked) -> None:
    if asked.body.stake_id != asked.path("id"):
        _check_same("stake_id")


def _check_vote(asked: Asked) -> None:
    if asked.body.proposal_id != asked.path("id"):
        _check_same("proposal_id")


def _check_proposal(asked: Asked) -> None:
    body: ProposalRequest = asked.body
    moment_of(body.ends_at, "/ends_at")
    if body.kind == "parameter":
        if body.parameter not in PARAMETERS:
            raise invalid("/parameter", f"a parameter is one of {', '.join(PARAMETERS)}")
        if body.value is None:
            raise invalid("/value", "this member is missing")
    elif body.parameter is not None or body.value is not None:
        raise invalid("/parameter" if body.parameter is not None else "/value", "a text changes no parameter")


def _text_of(value: object) -> str | None:
    """Write a parameter's value as the log holds it: digits, ``true`` or ``false``."""
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


async def place(asked: Asked) -> web.StreamResponse:
    """Lock an amount."""
    body: StakeRequest = asked.body
    held = await known_account(asked, body.account)
    signed = signed_bytes_of("stake", asked.json)  # type: ignore[arg-type]  # its shape is an object's
    name, mandate = statements.mandate_id("stake", signed), mandate_of(body, held.owner)
    payload = PlaceStake(name, held.frame_id, body.account, amount_of(body.amount), body.lock_days, mandate)
    order = Order("stake", held.owner, name, held.frame_id, signed, body.signature, payload).keyed(asked.api.mirror)
    check_order(asked, order, fault_of(order.signed))
    return await write(asked, order_intent("POST /stakes", {}, order, idempotency_key(asked.request)))


async def withdraw(asked: Asked) -> web.StreamResponse:
    """Take a stake back whose lock is over."""
    stake_id, body = named(asked), asked.body
    known = Stake(*await known_entry(asked, stake_key(stake_id)))
    signed = signed_bytes_of("unstake", asked.json)  # type: ignore[arg-type]  # its shape is an object's
    payload = WithdrawStake(stake_id, known.frame_id, mandate_of(body, known.owner))
    name = statements.mandate_id("unstake", signed)
    order = Order("unstake", known.owner, name, known.frame_id, signed, body.signature, payload).keyed(asked.api.mirror)
    check_order(asked, order, fault_of(order.signed))
    intent = order_intent("POST /stakes/{id}/unstake", {"id": stake_id}, order, idempotency_key(asked.request))
    return await write(asked, intent)


async def propose(asked: Asked) -> web.StreamResponse:
    """Ask a registry's stakers."""
    body: ProposalRequest = asked.body
    known = await known_registry(asked, body.registry_id)
    payload = OpenProposal(
        "",
        known.frame_id,
        body.registry_id,
        body.kind,
        body.title,
        body.text,
        body.parameter,
        _text_of(body.value),
        moment_of(body.ends_at, "/ends_at"),
    )
    return await write(asked, named_after(admin_intent(asked, {}, known.frame_id, payload), "proposal_id", "prp_"))


async def vote(asked: Asked) -> web.StreamResponse:
    """Vote; the last vote of a DID before the end counts."""
    proposal_id, voter = named(asked), asked.caller.did
    known = Proposal(*await known_entry(asked, proposal_key(proposal_id)))
    signed = signed_bytes_of("vote", asked.json)  # type: ignore[arg-type]  # its shape is an object's
    payload = CastVote(proposal_id, known.frame_id, asked.body.choice, mandate_of(asked.body, voter))
    name = statements.mandate_id("vote", signed)
    order = Order("vote", voter, name, known.frame_id, signed, asked.body.signature, payload).keyed(asked.api.mirror)
    check_order(asked, order, fault_of(order.signed))
    intent = order_intent("POST /proposals/{id}/votes", {"id": proposal_id}, order, idempotency_key(asked.request))
    return await write(asked, intent)


ROUTES = [
    Route(
        "POST",
        "/stakes",
        place,
        "Lock an amount",
        Who.SESSION,
        StakeRequest,
        WriteQuery,
        {201: StakeView, 200: StakeView},
        (*MANDATED, "amount_not_positive", "not_caught_up"),
        _check_stake,
    ),
    Route(
        "POST",
        "/stakes/{id}/unstake",
        withdraw,
        "Take a stake back whose lock is over",
        Who.SESSION,
        UnstakeRequest,
        WriteQuery,
        {200: StakeView},
        (*MANDATED, "not_found", "stake_locked", "already_withdrawn", "not_caught_up"),
        _check_unstake,
    ),
    Route(
        "POST",
        "/proposals",
        propose,
        "Ask a registry's stakers",
        Who.SESSION,
        ProposalRequest,
        WriteQuery,
        {201: ProposalView},
        (*WRITES, "not_found", "no_voting_power", "out_of_bounds", "not_caught_up"),
        _check_proposal,
    ),
    Route(
        "POST",
        "/proposals/{id}/votes",
        vote,
        "Vote on a proposal",
        Who.SESSION,
        VoteRequest,
        WriteQuery,
        {201: VoteView, 200: VoteView},
        (*MANDATED, "not_found", "voting_closed", "no_voting_power", "not_caught_up"),
        _check_vote,
    ),
]
