"""Frames and registries: opened and changed by admins, who mint, burn, freeze and invite."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from api.intent import idempotency_key, request_hash, session_intent
from api.ledger_requests import (
    WRITES,
    AccountId,
    AmountText,
    Name,
    admin_intent,
    amount_of,
    known_account,
    known_registry,
    named,
)
from api.ledger_results import code_hash, invite_codes
from api.ledger_views import FrameView, FreezingView, InvitesView, MoneyView, RegistryView
from api.problems import ProblemError, invalid
from api.results import write
from api.route import Asked, Handler, Route, Who
from api.shapes import Empty, Maybe, Shape, WriteQuery
from domain.ledger.account import FreezeAccount, UnfreezeAccount
from domain.ledger.developer import IssueInvites
from domain.ledger.frame import BurnTokens, MintTokens, OpenFrame, frame_key
from domain.ledger.registry import LOCKS, ChangeRegistry, OpenRegistry, Premium, Terms
from log.scope import command_id

INVITES_MAX = 1000
BPS_MAX = 1_000_000_000
Bps = Annotated[int, Field(ge=-BPS_MAX, le=BPS_MAX)]
"""Any whole number: which ones a term may be is the decider's to say."""


class FrameRequest(Shape):
    """An economy to open."""

    frame_id: Name
    mode: Literal["federated", "sovereign"]
    minting: Literal["disabled", "enabled"]


class GenesisRequest(Shape):
    """What new developers are granted."""

    enabled: Maybe[bool] = None
    grant: Maybe[AmountText] = None


class StakingRequest(Shape):
    """What stakes earn."""

    base_apy_bps: Maybe[Bps] = None
    premiums_bps: Maybe[dict[str, Bps]] = None
    mint_rewards: Maybe[bool] = None


class GovernanceRequest(Shape):
    """What a proposal needs."""

    quorum_bps: Maybe[Bps] = None
    threshold_bps: Maybe[Bps] = None


class TermsRequest(Shape):
    """A registry's terms; those that aren't named stay, or are the default's."""

    fee_bps: Maybe[Bps] = None
    step_bps: Maybe[Bps] = None
    velocity_threshold_bps: Maybe[Bps] = None
    genesis: Maybe[GenesisRequest] = None
    invite_required: Maybe[bool] = None
    staking: Maybe[StakingRequest] = None
    governance: Maybe[GovernanceRequest] = None


class RegistryRequest(TermsRequest):
    """A registry to open."""

    registry_id: Name


class InvitesRequest(Shape):
    """How many codes to make."""

    count: Annotated[int, Field(ge=1, le=INVITES_MAX)]


class MoneyRequest(Shape):
    """An amount of micro-AVT to bring into an account, or to end there."""

    account: AccountId
    amount: AmountText


def named_terms(request: TermsRequest) -> dict[str, Any]:
    """Give the terms that a request names; raises ``invalid_request``."""
    genesis = request.genesis or GenesisRequest()
    staking, governance = request.staking or StakingRequest(), request.governance or GovernanceRequest()
    terms = {
        "fee_bps": request.fee_bps,
        "step_bps": request.step_bps,
        "velocity_threshold_bps": request.velocity_threshold_bps,
        "genesis_enabled": genesis.enabled,
        "genesis_grant": None if genesis.grant is None else amount_of(genesis.grant, "/genesis/grant"),
        "invite_required": request.invite_required,
        "base_apy_bps": staking.base_apy_bps,
        "premiums": None if staking.premiums_bps is None else _premiums(staking.premiums_bps),
        "mint_rewards": staking.mint_rewards,
        "quorum_bps": governance.quorum_bps,
        "threshold_bps": governance.threshold_bps,
    }
    return {name: value for name, value in terms.items() if value is not None}


def _premiums(sent: dict[str, int]) -> tuple[Premium, ...]:
    locks = {str(days): days for days in LOCKS}
    for days in sent:
        if days not in locks:
            raise invalid(f"/staking/premiums_bps/{days}", f"a lock is one of {', '.join(locks)} days")
    return tuple(sorted((Premium(locks[days], bps) for days, bps in sent.items()), key=lambda each: each.lock_days))


def _check_terms(asked: Asked) -> None:
    named_terms(asked.body)


def _check_amount(asked: Asked) -> None:
    amount_of(asked.body.amount)


async def open_frame(asked: Asked) -> web.StreamResponse:
    """Open a frame."""
    body: FrameRequest = asked.body
    payload = OpenFrame(body.frame_id, body.mode, body.minting, asked.api.authority(asked.caller.identity))
    return await write(asked, admin_intent(asked, {}, body.frame_id, payload))


async def open_registry(asked: Asked) -> web.StreamResponse:
    """Open a registry in a frame."""
    frame_id, body = named(asked), asked.body
    known = asked.api.mirror.get(f"registry/{body.registry_id}")
    if known is not None and known[0] != frame_id:
        # Another frame's registries are decided elsewhere, and a registry is found by its id alone.
        raise ProblemError("already_exists", "another frame has a registry of this id")
    payload = OpenRegistry(
        frame_id, body.registry_id, Terms(**named_terms(body)), asked.api.authority(asked.caller.identity)
    )
    return await write(asked, admin_intent(asked, {"id": frame_id}, frame_id, payload))


async def change_registry(asked: Asked) -> web.StreamResponse:
    """Change some of a registry's terms."""
    name = named(asked)
    known = await known_registry(asked, name)
    unnamed: dict[str, Any] = dict.fromkeys(Terms.__slots__)
    terms = unnamed | named_terms(asked.body)
    payload = ChangeRegistry(known.frame_id, name, **terms, authority=asked.api.authority(asked.caller.identity))
    return await write(asked, admin_intent(asked, {"id": name}, known.frame_id, payload))


async def invite(asked: Asked) -> web.StreamResponse:
    """Make invite codes, which only this answer shows."""
    name, caller = named(asked), asked.caller
    known = await known_registry(asked, name)
    asked_hash = request_hash(f"POST {asked.route.path}", {"id": name}, asked.json)
    given_key = idempotency_key(asked.request)
    command = command_id(caller.identity, asked_hash, idempotency_key=given_key)
    codes = invite_codes(asked.api.sealing_key, command, asked.body.count)
    hashes = tuple(code_hash(code) for code in codes)
    payload = IssueInvites(known.frame_id, name, hashes, asked.api.authority(caller.identity))
    return await write(asked, session_intent(caller, asked_hash, given_key, known.frame_id, payload, named=command))


async def mint(asked: Asked) -> web.StreamResponse:
    """Bring tokens into being."""
    return await _money(asked, MintTokens)


async def burn(asked: Asked) -> web.StreamResponse:
    """End tokens."""
    return await _money(asked, BurnTokens)


async def _money(asked: Asked, make: type[MintTokens | BurnTokens]) -> web.StreamResponse:
    frame_id, body = named(asked), asked.body
    if asked.api.mirror.get(frame_key(frame_id)) is not None:
        authority = asked.api.authority(asked.caller.identity)
        payload = make(frame_id, body.account, amount_of(body.amount), authority)
        return await write(asked, admin_intent(asked, {"id": frame_id}, frame_id, payload))
    raise ProblemError("not_found", "there is no frame of this id")


async def freeze(asked: Asked) -> web.StreamResponse:
    """Let an account neither send nor receive."""
    return await _freezing(asked, FreezeAccount)


async def unfreeze(asked: Asked) -> web.StreamResponse:
    """Let a frozen account send and receive again."""
    return await _freezing(asked, UnfreezeAccount)


async def _freezing(asked: Asked, make: type[FreezeAccount | UnfreezeAccount]) -> web.StreamResponse:
    name = named(asked)
    known = await known_account(asked, name)
    payload = make(known.frame_id, name, asked.api.authority(asked.caller.identity))
    return await write(asked, admin_intent(asked, {"id": name}, known.frame_id, payload))


ADMIN = (*WRITES, "forbidden", "not_found", "not_caught_up")


OF_A_FRAME = (*ADMIN, "already_exists", "out_of_bounds")
OF_MONEY = (*ADMIN, "minting_disabled", "unknown_account", "amount_not_positive", "account_frozen")
OF_AN_ACCOUNT = (*ADMIN, "unknown_account", "account_frozen", "account_not_frozen")


def _row(path: str, handler: Handler, model: type[Shape], view: type[BaseModel], codes: Sequence[str]) -> Route:
    """Make a route for admins; what is opened or made is answered with 201."""
    made = model in (FrameRequest, RegistryRequest, InvitesRequest)
    shape = _check_terms if issubclass(model, TermsRequest) else _check_amount if model is MoneyRequest else None
    method = "PATCH" if model is TermsRequest else "POST"
    summary = (handler.__doc__ or "").rstrip(".")
    answers = {201 if made else 200: view}
    return Route(method, path, handler, summary, Who.ADMIN, model, WriteQuery, answers, codes, shape)


ROUTES = [
    _row("/frames", open_frame, FrameRequest, FrameView, OF_A_FRAME),
    _row("/frames/{id}/registries", open_registry, RegistryRequest, RegistryView, OF_A_FRAME),
    _row("/registries/{id}", change_registry, TermsRequest, RegistryView, (*ADMIN, "out_of_bounds")),
    _row("/registries/{id}/invites", invite, InvitesRequest, InvitesView, ADMIN),
    _row("/frames/{id}/mint", mint, MoneyRequest, MoneyView, (*OF_MONEY, "out_of_bounds")),
    _row("/frames/{id}/burn", burn, MoneyRequest, MoneyView, (*OF_MONEY, "insufficient_funds")),
    _row("/accounts/{id}/freeze", freeze, Empty, FreezingView, OF_AN_ACCOUNT),
    _row("/accounts/{id}/unfreeze", unfreeze, Empty, FreezingView, OF_AN_ACCOUNT),
]
