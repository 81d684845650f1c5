"""Developers and their agents: they register, and agents are found by their A2A cards."""

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from api.agent_cards import check_card
from api.fact_requests import Did, check_did
from api.ledger_requests import WRITES, admin_intent, known_registry, named, named_after
from api.ledger_results import code_hash
from api.ledger_views import AgentView, DeveloperView
from api.problems import invalid
from api.results import write
from api.route import Asked, Route, Who
from api.shapes import NO_CONTROL, Form, Maybe, Shape, Text, WriteQuery
from domain.did import identity
from domain.ledger.agent import RegisterAgent
from domain.ledger.developer import RegisterDeveloper
from log.canonical import NotCanonicalizable, canonical_json

LOCATION_MAX = 2048
EMAIL = Form(r"^[^@\s\x00-\x1f\x7f-\x9f]{1,64}@[^@\s\x00-\x1f\x7f-\x9f]{1,255}$", "an address such as ada@example.org")


class DeveloperRequest(Shape):
    """A developer to register; ``invite`` where its registry asks for one."""

    did: Did
    name: Text
    email: Maybe[Annotated[str, EMAIL]] = None
    invite: Maybe[Annotated[str, Field(min_length=1, max_length=128), NO_CONTROL]] = None


class AgentRequest(Shape):
    """An agent to register, with its A2A card (protocol 0.3 or 1.0)."""

    did: Did
    card: dict[str, Any]
    origin_registry_location: Annotated[str, Field(min_length=1, max_length=LOCATION_MAX), NO_CONTROL]


def _check_developer(asked: Asked) -> None:
    check_did(asked.body.did, "/did")


def _check_agent(asked: Asked) -> None:
    check_did(asked.body.did, "/did")
    check_card(asked.body.card)
    try:
        asked.statement = canonical_json(asked.body.card).decode()
    except NotCanonicalizable as error:
        raise invalid("/card", str(error)) from None


async def register(asked: Asked) -> web.StreamResponse:
    """Register a developer: itself, or anyone by an admin."""
    name, body, caller = named(asked), asked.body, asked.caller
    known = await known_registry(asked, name)
    own = identity(body.did) == caller.identity
    authority = asked.api.authority(caller.identity) if not own and "admin" in asked.roles else None
    invite = None if body.invite is None else code_hash(body.invite)
    payload = RegisterDeveloper(known.frame_id, name, body.did, body.name, body.email, invite, authority)
    return await write(asked, admin_intent(asked, {"id": name}, known.frame_id, payload))


async def register_agent(asked: Asked) -> web.StreamResponse:
    """Register an agent as its developer."""
    name, body = named(asked), asked.body
    known = await known_registry(asked, name)
    payload = RegisterAgent(known.frame_id, name, "", body.did, asked.statement, body.origin_registry_location)
    return await write(
        asked, named_after(admin_intent(asked, {"id": name}, known.frame_id, payload), "agent_id", "agt_")
    )


ROUTES = [
    Route(
        "POST",
        "/registries/{id}/developers",
        register,
        "Register a developer, who gets the genesis grant",
        Who.SESSION,
        DeveloperRequest,
        WriteQuery,
        {201: DeveloperView},
        (*WRITES, "forbidden", "not_found", "invite_required", "invite_invalid", "already_registered", "not_caught_up"),
        _check_developer,
    ),
    Route(
        "POST",
        "/registries/{id}/agents",
        register_agent,
        "Register an agent with its A2A card",
        Who.SESSION,
        AgentRequest,
        WriteQuery,
        {201: AgentView},
        (*WRITES, "not_found", "developer_not_registered", "invalid_card", "already_registered", "not_caught_up"),
        _check_agent,
    ),
]
