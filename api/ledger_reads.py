"""The economy as it is read: frames, their supply, their events in order, and what the supply auditor last found."""

from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from api.ledger_requests import LEDGER, Name, named
from api.ledger_views import FrameView, SupplyView
from api.pages import page, place_in, write_cursor
from api.postgres_reads import PROBLEMS, read
from api.problems import ProblemError
from api.route import Asked, Route, Who, json_response
from api.shapes import LIMIT_DEFAULT, LIMIT_MAX, Digits, FreshQuery
from api.since import START
from api.times import rfc3339
from domain.json_value import JsonObject, JsonValue
from log.token import token_at, write_token
from projections import ledger_queries
from projections.generations import Generation
from projections.ledger_queries import StoredEvent, StoredFrame, StoredSupply
from projections.postgres import Transaction

EVENT_READERS = frozenset({"operator", "auditor"})


class EventsQuery(FreshQuery):
    """A frame's events behind a cursor; ``0`` from the start."""

    frame: Name
    since: Annotated[str, Field(min_length=1, max_length=4096)] = START
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX), Digits] = LIMIT_DEFAULT


class FramePage(BaseModel):
    """Every frame, by its id."""

    items: list[FrameView]
    next_cursor: str | None


class EventView(BaseModel):
    """One event of a frame."""

    model_config = ConfigDict(title="LedgerEvent")

    type: str
    frame_id: str
    at: str
    position: str
    event: dict[str, Any]


class EventPage(BaseModel):
    """Events in the log's order; ``next_cursor`` is where to go on, also when there are none yet."""

    items: list[EventView]
    next_cursor: str


class VerdictPage(BaseModel):
    """What the supply auditor last found, frame by frame, and when."""

    items: list[SupplyView]
    next_cursor: str | None
    checked_at: str | None = None


def _shown_frame(stored: StoredFrame) -> JsonObject:
    view: JsonObject = {"frame_id": stored.frame_id, "mode": stored.mode, "minting": stored.minting}
    view |= {"opened_by": stored.opened_by, "velocity_bps": stored.velocity_bps, "at": rfc3339(stored.at)}
    return view | {"position": token_at(LEDGER, stored.part, stored.pos)}


async def browse(asked: Asked) -> web.StreamResponse:
    """List frames."""
    frames, headers = await read(asked, "ledger", ledger_queries.frames)
    return json_response(page([_shown_frame(each) for each in frames], None), headers=headers)


async def show(asked: Asked) -> web.StreamResponse:
    """Show a frame."""
    name = named(asked)

    async def ask(transaction: Transaction, generation: Generation) -> StoredFrame | None:
        return await ledger_queries.frame(transaction, generation, name)

    found, headers = await read(asked, "ledger", ask)
    if found is None:
        raise ProblemError("not_found", "there is no frame of this id")
    return json_response(_shown_frame(found), headers=headers)


async def supply(asked: Asked) -> web.StreamResponse:
    """Show a frame's tokens, and whether they add up."""
    name = named(asked)

    async def ask(transaction: Transaction, generation: Generation) -> tuple[StoredSupply | None, dict[int, int]]:
        found = await ledger_queries.supply(transaction, generation, name)
        return found, {part: mark.last for part, mark in generation.marks.items() if mark.last >= 0}

    (found, reached), headers = await read(asked, "ledger", ask)
    if found is None:
        raise ProblemError("not_found", "there is no frame of this id")
    view: JsonObject = {"frame_id": found.frame_id, "holds": found.holds}
    for figure in ("tokens_issued", "tokens_destroyed", "transit_net", "tokens_circulating", "in_flight"):
        view[figure] = str(getattr(found, figure))
    # What is in flight was counted on both sides, so the position names every partition.
    view["position"] = write_token({(LEDGER, part): last for part, last in reached.items()})
    return json_response(view, headers=headers)


def _shown_event(stored: StoredEvent) -> JsonObject:
    view: JsonObject = {"type": stored.type, "frame_id": stored.frame_id, "at": rfc3339(stored.at)}
    return view | {"position": token_at(LEDGER, stored.part, stored.pos), "event": stored.event}


async def events(asked: Asked) -> web.StreamResponse:
    """Give a frame's events in order, to operators and auditors."""
    query: EventsQuery = asked.query
    if asked.roles.isdisjoint(EVENT_READERS):
        raise ProblemError("forbidden", "this needs the role auditor or operator")
    filters: dict[str, JsonValue] = {"of": "ledger events", "frame": query.frame}
    after = None if query.since == START else place_in(query.since, filters)

    async def ask(transaction: Transaction, generation: Generation) -> tuple[bool, list[StoredEvent]]:
        known = await ledger_queries.frame(transaction, generation, query.frame) is not None
        found = await ledger_queries.events(transaction, generation, query.frame, limit=query.limit, after=after)
        return known, found

    (known, found), headers = await read(asked, "ledger", ask)
    if not known:
        raise ProblemError("not_found", "there is no frame of this id")
    cursor = write_cursor(filters, [found[-1].pos, found[-1].idx]) if found else query.since
    return json_response(page([_shown_event(each) for each in found], cursor), headers=headers)


async def verdicts(asked: Asked) -> web.StreamResponse:
    """Show what the supply auditor last found."""
    said = [entry.detail["supply"] for entry in asked.api.status.standings("reactor") if entry.detail.get("supply")]
    last = max(said, key=lambda each: each["at"], default=None)
    body = page(list(last["frames"]) if last else [], None)
    return json_response(body if last is None else body | {"checked_at": rfc3339(last["at"])})


READS = (*PROBLEMS, "not_found")

ROUTES = [
    Route(
        "GET", "/frames", browse, "List frames", query_model=FreshQuery, responses={200: FramePage}, problems=PROBLEMS
    ),
    Route(
        "GET",
        "/frames/{id}",
        show,
        "Show a frame",
        query_model=FreshQuery,
        responses={200: FrameView},
        problems=READS,
    ),
    Route(
        "GET",
        "/frames/{id}/supply",
        supply,
        "Show a frame's tokens, and whether they add up",
        query_model=FreshQuery,
        responses={200: SupplyView},
        problems=READS,
    ),
    Route(
        "GET",
        "/ledger/events",
        events,
        "A frame's events in order, for operators and auditors",
        Who.SESSION,
        query_model=EventsQuery,
        responses={200: EventPage},
        problems=(*READS, "unauthenticated", "forbidden", "invalid_cursor"),
    ),
    Route(
        "GET",
        "/audit/supply",
        verdicts,
        "What the supply auditor last found in each frame",
        responses={200: VerdictPage},
    ),
]
