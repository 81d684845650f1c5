"""Agents found by their cards, an owner's stakes, and the proposals of registries, newest first."""

from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from api.account_reads import may_read
from api.fact_requests import Did, check_did
from api.ledger_requests import LEDGER, Name, named
from api.ledger_views import AgentView, ProposalView, StakeView
from api.pages import page, read_cursor, write_cursor
from api.postgres_reads import PROBLEMS, offsets_in, read
from api.problems import ProblemError
from api.route import Asked, Route, Who, json_response
from api.shapes import FreshQuery, Maybe, PageQuery
from api.since import LARGEST_OFFSET
from api.times import rfc3339
from domain.did import identity
from domain.json_value import JsonObject, JsonValue
from log.token import Positions, token_at
from projections import ledger_agent_queries, ledger_stake_queries
from projections.generations import Generation
from projections.ledger_agent_queries import StoredAgent
from projections.ledger_stake_queries import StoredProposal, StoredStake
from projections.pages import Behind
from projections.postgres import Transaction
from projections.reads import vector

WORDS_MAX = 512


class AgentsQuery(PageQuery):
    """Agents whose card has these words, and a skill of this id or tag."""

    q: Maybe[Annotated[str, Field(min_length=1, max_length=WORDS_MAX)]] = None
    skill: Maybe[Annotated[str, Field(min_length=1, max_length=WORDS_MAX)]] = None


class StakesQuery(PageQuery):
    """The stakes of an owner, by default the caller's."""

    owner: Maybe[Did] = None


class ProposalsQuery(PageQuery):
    """Proposals of a registry or all, of a status or any."""

    registry: Maybe[Name] = None
    status: Maybe[Literal["open", "passed", "rejected"]] = None


class AgentPage(BaseModel):
    """Agents, newest first."""

    items: list[AgentView]
    next_cursor: str | None


class StakePage(BaseModel):
    """Stakes, newest first."""

    items: list[StakeView]
    next_cursor: str | None


class ProposalPage(BaseModel):
    """Proposals, newest first."""

    items: list[ProposalView]
    next_cursor: str | None


def shown_agent(stored: StoredAgent) -> JsonObject:
    """Show an agent with its card."""
    view: JsonObject = {"agent_id": stored.agent_id, "did": stored.did, "developer_did": stored.developer_did}
    view |= {"registry_id": stored.registry_id, "frame_id": stored.frame_id, "account_id": stored.account}
    view |= {"card": stored.card, "origin_registry_location": stored.origin_registry_location}
    return view | {"at": rfc3339(stored.at), "position": token_at(LEDGER, stored.part, stored.pos)}


def shown_stake(stored: StoredStake) -> JsonObject:
    """Show a stake with what it earned so far."""
    view: JsonObject = {"id": stored.stake_id, "account": stored.account, "owner": stored.owner}
    view |= {"registry_id": stored.registry_id, "frame_id": stored.frame_id, "amount": str(stored.amount)}
    view |= {"lock_days": stored.lock_days, "unlocks_at": rfc3339(stored.unlocks_at), "earned": str(stored.earned)}
    view["status"] = "staked" if stored.withdrawn_at is None else "withdrawn"
    view |= {} if stored.withdrawn_at is None else {"withdrawn_at": rfc3339(stored.withdrawn_at)}
    return view | {"at": rfc3339(stored.at), "position": token_at(LEDGER, stored.part, stored.pos)}


def shown_proposal(stored: StoredProposal) -> JsonObject:
    """Show a proposal with its votes so far, in micro-AVT of power."""
    view: JsonObject = {"id": stored.proposal_id, "registry_id": stored.registry_id, "frame_id": stored.frame_id}
    view |= {"kind": stored.kind, "title": stored.title, "opened_by": stored.opened_by, "status": stored.status}
    for name in ("text", "parameter", "value"):
        view |= {} if (value := getattr(stored, name)) is None else {name: value}
    for name in ("yes", "no", "abstain", "electorate"):
        view[name] = str(getattr(stored, name))
    view |= {"ends_at": rfc3339(stored.ends_at), "at": rfc3339(stored.at)}
    view |= {} if stored.tallied_at is None else {"tallied_at": rfc3339(stored.tallied_at)}
    return view | {"position": token_at(LEDGER, stored.part, stored.pos)}


def _behind(parts: list[JsonValue]) -> Behind:
    at, part, pos = parts[:3]
    numbers = [each for each in (at, part, pos) if type(each) is int and 0 <= each <= LARGEST_OFFSET]
    if len(numbers) != 3:
        raise ProblemError("invalid_cursor")
    return numbers[0], numbers[1], numbers[2]


def _place(stored: StoredAgent | StoredStake | StoredProposal) -> list[JsonValue]:
    return [stored.at, stored.part, stored.pos]


async def browse_agents(asked: Asked) -> web.StreamResponse:
    """List agents, newest first."""
    query: AgentsQuery = asked.query
    filters: dict[str, JsonValue] = {"of": "agents", "q": query.q, "skill": query.skill}
    after = None if query.cursor is None else _behind(read_cursor(query.cursor, filters, (int, int, int)))

    async def ask(transaction: Transaction, generation: Generation) -> list[StoredAgent]:
        words = None if query.q is None else query.q.replace("\0", "")
        skill = None if query.skill is None else query.skill.replace("\0", "")
        return await ledger_agent_queries.agents(
            transaction, generation, words=words, skill=skill, limit=query.limit + 1, after=after
        )

    found, headers = await read(asked, "ledger", ask)
    items = found[: query.limit]
    cursor = write_cursor(filters, _place(items[-1])) if len(found) > query.limit else None
    return json_response(page([shown_agent(each) for each in items], cursor), headers=headers)


async def show_agent(asked: Asked) -> web.StreamResponse:
    """Show an agent."""
    name = named(asked)

    async def ask(transaction: Transaction, generation: Generation) -> StoredAgent | None:
        return await ledger_agent_queries.agent(transaction, generation, name)

    found, headers = await read(asked, "ledger", ask)
    if found is None:
        raise ProblemError("not_found", "there is no agent of this id")
    return json_response(shown_agent(found), headers=headers)


async def browse_stakes(asked: Asked) -> web.StreamResponse:
    """List an owner's stakes, newest first."""
    query: StakesQuery = asked.query
    if query.owner is not None:
        check_did(query.owner, "/owner")
    owner = query.owner or asked.caller.did
    own = identity(owner) == asked.caller.identity
    if not own and asked.roles.isdisjoint({"operator", "admin"}):
        raise ProblemError("forbidden", "stakes are read by their owner, their registry's admin and an operator")
    filters: dict[str, JsonValue] = {"of": "stakes", "owner": identity(owner)}
    after = None if query.cursor is None else _behind(read_cursor(query.cursor, filters, (int, int, int)))

    async def ask(transaction: Transaction, generation: Generation) -> list[StoredStake]:
        return await ledger_stake_queries.stakes(transaction, generation, owner, limit=query.limit + 1, after=after)

    found, headers = await read(asked, "ledger", ask)
    items = found[: query.limit]
    cursor = write_cursor(filters, _place(items[-1])) if len(found) > query.limit else None
    # An admin sees those of its own registries only, so that a page of another's stakes may be shorter.
    shown = [shown_stake(each) for each in items if may_read(asked, each.owner, each.registry_id)]
    return json_response(page(shown, cursor), headers=headers)


async def browse_proposals(asked: Asked) -> web.StreamResponse:
    """List proposals, newest first, as they were when the walk began."""
    query: ProposalsQuery = asked.query
    filters: dict[str, JsonValue] = {"of": "proposals", "registry": query.registry, "status": query.status}
    after: Behind | None = None
    held: list[int] | None = None
    wanted: Positions = {}
    if query.cursor is not None:
        parts = read_cursor(query.cursor, filters, (int, int, int, list))
        after, held = _behind(parts), offsets_in(parts[3])
        wanted = {(LEDGER, part): offset for part, offset in enumerate(held) if offset >= 0}

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[StoredProposal], list[int]]:
        offsets = vector(generation) if held is None else held
        found = await ledger_stake_queries.proposals(
            transaction,
            generation,
            registry_id=query.registry,
            status=query.status,
            limit=query.limit + 1,
            offsets=offsets,
            after=after,
        )
        return found, offsets

    (found, offsets), headers = await read(asked, "ledger", ask, wanted)
    items = found[: query.limit]
    more = len(found) > query.limit
    cursor = write_cursor(filters, [*_place(items[-1]), list(offsets)]) if more else None
    return json_response(page([shown_proposal(each) for each in items], cursor), headers=headers)


async def show_proposal(asked: Asked) -> web.StreamResponse:
    """Show a proposal."""
    name = named(asked)

    async def ask(transaction: Transaction, generation: Generation) -> StoredProposal | None:
        return await ledger_stake_queries.proposal(transaction, generation, name)

    found, headers = await read(asked, "ledger", ask)
    if found is None:
        raise ProblemError("not_found", "there is no proposal of this id")
    return json_response(shown_proposal(found), headers=headers)


LISTS = (*PROBLEMS, "invalid_cursor")
ITEMS = (*PROBLEMS, "not_found")


def _row(path: str, handler: Any, query: type[FreshQuery], view: type[BaseModel], problems: tuple[str, ...]) -> Route:
    who = Who.SESSION if path == "/stakes" else Who.PUBLIC
    summary = (handler.__doc__ or "").rstrip(".")
    return Route("GET", path, handler, summary, who, query_model=query, responses={200: view}, problems=problems)


ROUTES = [
    _row("/agents", browse_agents, AgentsQuery, AgentPage, LISTS),
    _row("/agents/{id}", show_agent, FreshQuery, AgentView, ITEMS),
    _row("/stakes", browse_stakes, StakesQuery, StakePage, (*LISTS, "unauthenticated", "forbidden")),
    _row("/proposals", browse_proposals, ProposalsQuery, ProposalPage, LISTS),
    _row("/proposals/{id}", show_proposal, FreshQuery, ProposalView, ITEMS),
]
