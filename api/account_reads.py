"""Accounts as those may read them who own them, their statements, and transfers and payments by their ids."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from api.ledger_requests import LEDGER, named
from api.ledger_views import PaymentView, TransferView
from api.moments import read_moment
from api.pages import page, place_in, write_cursor
from api.postgres_reads import PROBLEMS, read
from api.problems import ProblemError
from api.route import Asked, Route, Who, json_response
from api.shapes import FreshQuery, Maybe, PageQuery
from api.times import rfc3339
from domain.did import identity
from domain.json_value import JsonObject, JsonValue
from domain.ledger.registry import registry
from log.token import token_at
from projections import ledger_account_queries as queries
from projections.generations import Generation
from projections.ledger_account_queries import StoredAccount, StoredPayment, StoredPosting, StoredTransfer
from projections.postgres import Transaction


class AccountQuery(FreshQuery):
    """An account now, or as of a time or a token."""

    as_of: Maybe[str] = None


class AccountView(BaseModel):
    """What one owner has in one registry, in micro-AVT."""

    model_config = ConfigDict(title="Account")

    account_id: str
    frame_id: str
    registry_id: str
    owner: str
    kind: str
    available: str
    staked: str
    held: str
    frozen: bool


class LineView(BaseModel):
    """An amount that came to a part of an account or left it, and what the account has after it."""

    model_config = ConfigDict(title="StatementLine")

    type: str
    part: str
    amount: str
    available: str
    staked: str
    held: str
    about: str | None = None
    counterparty: str | None = None
    memo: str | None = None
    at: str
    position: str


class Statement(BaseModel):
    """An account's postings, newest first."""

    items: list[LineView] = Field(max_length=100)
    next_cursor: str | None


def may_read(asked: Asked, owner: str, registry_id: str) -> bool:
    """Tell whether the caller may read an account: its owner, its registry's admin, or an operator."""
    caller, roles = asked.caller.identity, asked.roles
    if identity(owner) == caller or "operator" in roles:
        return True
    known = registry(asked.api.mirror.store, registry_id)  # type: ignore[arg-type]  # only asked by key
    return "admin" in roles and known is not None and identity(known.opened_by) == caller


def _shown_account(stored: StoredAccount) -> JsonObject:
    view: JsonObject = {"account_id": stored.account_id, "frame_id": stored.frame_id}
    view |= {"registry_id": stored.registry_id, "owner": stored.owner, "kind": stored.kind}
    view |= {"available": str(stored.available), "staked": str(stored.staked), "held": str(stored.held)}
    return view | {"frozen": stored.frozen}


def _shown_line(stored: StoredPosting) -> JsonObject:
    view: JsonObject = {"type": stored.type, "part": stored.account_part, "amount": str(stored.amount)}
    view |= {"available": str(stored.available), "staked": str(stored.staked), "held": str(stored.held)}
    about = stored.transfer_id or stored.payment_id or stored.stake_id
    for name, value in (("about", about), ("counterparty", stored.counterparty), ("memo", stored.memo)):
        view |= {} if value is None else {name: value}
    return view | {"at": rfc3339(stored.at), "position": token_at(LEDGER, stored.part, stored.pos)}


def shown_transfer(stored: StoredTransfer) -> JsonObject:
    """Show a transfer as it stands; across registries its fee is known once it arrived."""
    fee = 0 if stored.fee is None else stored.fee
    view: JsonObject = {"id": stored.transfer_id, "from": stored.sender, "to": stored.receiver}
    view |= {"amount": str(stored.amount), "fee": str(fee), "frame_id": stored.frame_id}
    view |= {"from_registry_id": stored.registry_id, "to_registry_id": stored.receiver_registry}
    view["status"] = stored.status
    for name in ("memo", "payment_id", "reason"):
        view |= {} if (value := getattr(stored, name)) is None else {name: value}
    if stored.part is not None and stored.pos is not None and stored.at is not None:
        pos = stored.pos if stored.ended_pos is None else stored.ended_pos
        view |= {"at": rfc3339(stored.at), "position": token_at(LEDGER, stored.part, pos)}
    return view


def shown_payment(stored: StoredPayment) -> JsonObject:
    """Show a payment as it stands."""
    view: JsonObject = {"id": stored.payment_id, "from": stored.sender, "to": stored.receiver}
    view |= {"amount": str(stored.amount), "fee": str(stored.fee), "frame_id": stored.frame_id}
    view |= {"expires_at": rfc3339(stored.expires_at), "status": stored.status, "at": rfc3339(stored.at)}
    view |= {} if stored.transfer_id is None else {"transfer_id": stored.transfer_id}
    return view | {"position": token_at(LEDGER, stored.part, stored.status_pos)}


async def _account(asked: Asked) -> tuple[StoredAccount, dict[str, str]]:
    """Find the account that the path names, if the caller may read it."""
    name, query = named(asked), asked.query
    sent = getattr(query, "as_of", None)
    moment = None if sent is None else await read_moment(asked, sent, LEDGER)

    async def ask(
        transaction: Transaction, generation: Generation
    ) -> tuple[StoredAccount | None, StoredAccount | None]:
        known = await queries.account(transaction, generation, name)
        if moment is None:
            return known, known
        return known, await queries.account(transaction, generation, name, moment.cut(generation))

    (known, found), headers = await read(asked, "ledger", ask, *([] if moment is None else [moment.wanted]))
    if known is not None and not may_read(asked, known.owner, known.registry_id):
        raise ProblemError("forbidden", "an account is read by its owner, its registry's admin and an operator")
    if known is None or found is None:
        raise ProblemError("not_found", "there is no account of this id" + ("" if known is None else " at that moment"))
    return found, dict(headers)


async def show(asked: Asked) -> web.StreamResponse:
    """Show an account, now or as of a moment."""
    found, headers = await _account(asked)
    return json_response(_shown_account(found), headers=headers)


async def statement(asked: Asked) -> web.StreamResponse:
    """List an account's postings, newest first."""
    query: PageQuery = asked.query
    known, _ = await _account(asked)
    filters: dict[str, JsonValue] = {"of": "statement", "account": known.account_id}
    after: tuple[int, int] | None = None
    if query.cursor is not None:
        after = place_in(query.cursor, filters)

    async def ask(transaction: Transaction, generation: Generation) -> list[StoredPosting]:
        return await queries.statement(transaction, generation, known.account_id, limit=query.limit + 1, after=after)

    found, headers = await read(asked, "ledger", ask)
    items = found[: query.limit]
    more = len(found) > query.limit
    cursor = write_cursor(filters, [items[-1].pos, items[-1].idx]) if more else None
    return json_response(page([_shown_line(each) for each in items], cursor), headers=headers)


async def show_transfer(asked: Asked) -> web.StreamResponse:
    """Show a transfer: its id is known to whoever was told it."""
    name = named(asked)

    async def ask(transaction: Transaction, generation: Generation) -> tuple[StoredTransfer | None, str | None]:
        found = await queries.transfer(transaction, generation, name)
        said = None if found is None else await queries.compromised(transaction, generation, found)
        return found, said

    (found, compromised_by), headers = await read(asked, "ledger", ask)
    if found is None:
        raise ProblemError("not_found", "there is no transfer of this id")
    mark = {} if compromised_by is None else {"key_compromised": True, "key_compromised_by": compromised_by}
    return json_response(shown_transfer(found) | mark, headers=headers)


async def show_payment(asked: Asked) -> web.StreamResponse:
    """Show a payment: its id is known to whoever was told it."""
    name = named(asked)

    async def ask(transaction: Transaction, generation: Generation) -> StoredPayment | None:
        return await queries.payment(transaction, generation, name)

    found, headers = await read(asked, "ledger", ask)
    if found is None:
        raise ProblemError("not_found", "there is no payment of this id")
    return json_response(shown_payment(found), headers=headers)


READS = (*PROBLEMS, "not_found")
OWN = (*READS, "unauthenticated", "forbidden")


def _row(path: str, handler: Any, query: type[FreshQuery], view: type[BaseModel], *more: str) -> Route:
    own = path.startswith("/accounts")
    who, problems = (Who.SESSION, (*OWN, *more)) if own else (Who.PUBLIC, READS)
    summary = (handler.__doc__ or "").split(":")[0].rstrip(".")
    return Route("GET", path, handler, summary, who, query_model=query, responses={200: view}, problems=problems)


ROUTES = [
    _row("/accounts/{id}", show, AccountQuery, AccountView),
    _row("/accounts/{id}/statement", statement, PageQuery, Statement, "invalid_cursor"),
    _row("/transfers/{id}", show_transfer, FreshQuery, TransferView),
    _row("/payments/{id}", show_payment, FreshQuery, PaymentView),
]
