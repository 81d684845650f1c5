"""What the answer to a write on the ledger shows, by the first event of its decision."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final

from api.ledger_views import terms_view
from api.place import Place, Shown
from api.problems import ProblemError
from api.times import rfc3339
from api.wiring import Api
from domain.json_value import JsonObject
from domain.ledger.account import Account, AccountFrozen, AccountUnfrozen, account
from domain.ledger.agent import AgentRegistered
from domain.ledger.developer import DeveloperRegistered, InvitesIssued
from domain.ledger.frame import FrameOpened, TokensBurned, TokensMinted
from domain.ledger.payment import Payment, PaymentCancelled, PaymentClaimed, PaymentHeld, payment_key
from domain.ledger.proposal import ProposalOpened, VoteCast
from domain.ledger.registry import RegistryChanged, RegistryOpened
from domain.ledger.stake import StakePlaced, StakeWithdrawn, stake
from domain.ledger.transfer import TransferSettled
from domain.ledger.transit import TransferPrepared
from log import strict_json
from log.token import token_at

CODE_CHARACTERS: Final = 26
SIGNED_EVENTS: Final = (TransferSettled, TransferPrepared, PaymentHeld, StakePlaced, StakeWithdrawn, VoteCast)
"""Events of what an owner signed: repeated, it is answered as it stands, not made anew."""


def invite_codes(sealing_key: bytes, command_id: str, count: int) -> list[str]:
    """Derive a command's invite codes: the log holds their hashes only, and a repeat of the command the same codes."""
    digests = (
        hmac.digest(sealing_key, f"invite\n{command_id}\n{number}".encode(), "sha256") for number in range(count)
    )
    return [base64.b32encode(digest).decode().lower()[:CODE_CHARACTERS] for digest in digests]


def code_hash(code: str) -> str:
    """Give what the log holds of an invite code: its SHA-256 in hex."""
    return hashlib.sha256(code.encode()).hexdigest()


def _account(api: Api, name: str) -> Account:
    known = account(api.mirror.store, name)  # type: ignore[arg-type]  # only asked by key
    if known is None:
        raise ProblemError("not_caught_up", headers={"Retry-After": "1"})
    return known


def _at(place: Place) -> JsonObject:
    return {"at": rfc3339(place.at), "position": token_at("ledger", place.partition, place.offset)}


def _frame(_api: Api, event: FrameOpened, place: Place) -> Shown:
    view: JsonObject = {"frame_id": event.frame_id, "mode": event.mode, "minting": event.minting}
    return 201, view | {"opened_by": event.opened_by} | _at(place)


def _registry(_api: Api, event: RegistryOpened, place: Place) -> Shown:
    view: JsonObject = {"registry_id": event.registry_id, "frame_id": event.frame_id, "treasury": event.treasury}
    return 201, view | terms_view(event.terms) | _at(place)


def _registry_changed(_api: Api, event: RegistryChanged, place: Place) -> Shown:
    view: JsonObject = {"registry_id": event.registry_id, "frame_id": event.frame_id}
    return 200, view | terms_view(event.terms) | _at(place)


def _invites(api: Api, event: InvitesIssued, place: Place) -> Shown:
    codes = invite_codes(api.sealing_key, place.command_id, len(event.code_hashes))
    view: JsonObject = {"registry_id": event.registry_id, "codes": [*codes]}
    return 201, view | _at(place)


def _developer(_api: Api, event: DeveloperRegistered, place: Place) -> Shown:
    view: JsonObject = {"did": event.did, "registry_id": event.registry_id, "frame_id": event.frame_id}
    view |= {"name": event.name, "account_id": event.account, "grant": str(event.grant)}
    return 201, view | ({} if event.email is None else {"email": event.email}) | _at(place)


def _agent(_api: Api, event: AgentRegistered, place: Place) -> Shown:
    view: JsonObject = {"agent_id": event.agent_id, "did": event.did, "developer_did": event.developer_did}
    view |= {"registry_id": event.registry_id, "frame_id": event.frame_id, "account_id": event.account}
    view |= {"card": strict_json.parse_own(event.card), "origin_registry_location": event.origin_registry_location}
    return 201, view | _at(place)


def _money(verb: str) -> Callable[[Api, Any, Place], Shown]:
    def show(_api: Api, event: TokensMinted | TokensBurned, place: Place) -> Shown:
        view: JsonObject = {"frame_id": event.frame_id, "account": event.account, verb: str(event.amount)}
        return 200, view | _at(place)

    return show


def _frozen(_api: Api, event: AccountFrozen | AccountUnfrozen, place: Place) -> Shown:
    view: JsonObject = {"account_id": event.account, "frozen": isinstance(event, AccountFrozen)}
    return 200, view | {"frame_id": event.frame_id} | _at(place)


def _settled(_api: Api, event: TransferSettled, place: Place) -> Shown:
    return 201, transfer_view(event, event.registry_id, event.fee, "settled") | _at(place)


def _prepared(api: Api, event: TransferPrepared, place: Place) -> Shown:
    receiver = account(api.mirror.store, event.receiver)  # type: ignore[arg-type]  # only asked by key
    view = transfer_view(event, None if receiver is None else receiver.registry_id, 0, "prepared")
    return 202, view | {"timeout_at": rfc3339(event.timeout_at)} | _at(place)


def transfer_view(
    event: TransferSettled | TransferPrepared, to_registry: str | None, fee: int, status: str
) -> JsonObject:
    """Show a transfer as its first event has it."""
    view: JsonObject = {"id": event.transfer_id, "from": event.sender, "to": event.receiver}
    view |= {"amount": str(event.amount), "fee": str(fee), "from_registry_id": event.registry_id}
    view |= {"to_registry_id": to_registry, "frame_id": event.frame_id, "status": status}
    view |= {} if event.memo is None else {"memo": event.memo}
    return view if event.payment_id is None else view | {"payment_id": event.payment_id}


def _held(_api: Api, event: PaymentHeld, place: Place) -> Shown:
    view: JsonObject = {"id": event.payment_id, "from": event.sender, "to": event.receiver}
    view |= {"amount": str(event.amount), "fee": str(event.fee), "frame_id": event.frame_id}
    return 201, view | {"expires_at": rfc3339(event.expires_at), "status": "held"} | _at(place)


def _payment_ended(api: Api, event: PaymentClaimed | PaymentCancelled, place: Place) -> Shown:
    entry = api.mirror.get(payment_key(event.payment_id))
    if entry is None:
        raise ProblemError("not_caught_up", headers={"Retry-After": "1"})
    known = Payment(*entry)
    view: JsonObject = {"id": event.payment_id, "from": known.sender, "to": known.receiver}
    view |= {"amount": str(known.amount), "fee": str(known.fee), "frame_id": known.frame_id}
    view |= {"expires_at": rfc3339(known.expires_at)}
    if isinstance(event, PaymentClaimed):
        return 200, view | {"status": "claimed", "transfer_id": event.transfer_id} | _at(place)
    return 200, view | {"status": "cancelled"} | _at(place)


def _staked(_api: Api, event: StakePlaced, place: Place) -> Shown:
    view: JsonObject = {"id": event.stake_id, "account": event.account, "registry_id": event.registry_id}
    view |= {"frame_id": event.frame_id, "owner": event.owner, "amount": str(event.amount)}
    view |= {"lock_days": event.lock_days, "unlocks_at": rfc3339(event.unlocks_at), "status": "staked"}
    return 201, view | _at(place)


def _unstaked(api: Api, event: StakeWithdrawn, place: Place) -> Shown:
    known = stake(api.mirror.store, event.stake_id)  # type: ignore[arg-type]  # only asked by key
    if known is None:
        raise ProblemError("not_caught_up", headers={"Retry-After": "1"})
    view: JsonObject = {"id": event.stake_id, "account": event.account, "registry_id": event.registry_id}
    view |= {"frame_id": event.frame_id, "owner": event.owner, "amount": str(event.amount)}
    view |= {"lock_days": known.lock_days, "unlocks_at": rfc3339(known.unlocks_at), "status": "withdrawn"}
    return 200, view | _at(place)


def _proposal(_api: Api, event: ProposalOpened, place: Place) -> Shown:
    view: JsonObject = {"id": event.proposal_id, "registry_id": event.registry_id, "frame_id": event.frame_id}
    view |= {"kind": event.kind, "title": event.title, "ends_at": rfc3339(event.ends_at), "status": "open"}
    view |= {"electorate": str(event.electorate), "opened_by": event.opened_by}
    for name in ("text", "parameter", "value"):
        if (said := getattr(event, name)) is not None:
            view[name] = said
    return 201, view | _at(place)


def _vote(_api: Api, event: VoteCast, place: Place) -> Shown:
    view: JsonObject = {"proposal_id": event.proposal_id, "voter": event.voter, "choice": event.choice}
    return 201, view | {"power": str(event.power)} | _at(place)


LEDGER_RESULTS: Final[Mapping[type, Callable[[Api, Any, Place], Shown]]] = {
    FrameOpened: _frame,
    TokensMinted: _money("minted"),
    TokensBurned: _money("burned"),
    RegistryOpened: _registry,
    RegistryChanged: _registry_changed,
    InvitesIssued: _invites,
    DeveloperRegistered: _developer,
    AgentRegistered: _agent,
    AccountFrozen: _frozen,
    AccountUnfrozen: _frozen,
    TransferSettled: _settled,
    TransferPrepared: _prepared,
    PaymentHeld: _held,
    PaymentClaimed: _payment_ended,
    PaymentCancelled: _payment_ended,
    StakePlaced: _staked,
    StakeWithdrawn: _unstaked,
    ProposalOpened: _proposal,
    VoteCast: _vote,
}
