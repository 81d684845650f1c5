"""An agent is what a developer offers: an A2A card that others find it by, and an account of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity
from domain.ledger.account import Account, account_id, account_key
from domain.ledger.developer import developer_key
from domain.ledger.registry import registry


@dataclass(frozen=True, slots=True)
class AgentRegistered:
    """An agent is in a registry; ``card`` is RFC 8785 text of an A2A agent card."""

    frame_id: str
    registry_id: str
    agent_id: str
    did: str
    developer_did: str
    card: str
    origin_registry_location: str
    account: str


def agent_key(registry_id: str, did: str) -> str:
    """Give the key of an agent's entry."""
    return f"agent/{registry_id}/{identity(did)}"


def evolve(_state: State, event: AgentRegistered, _at: int) -> Iterable[Change]:
    """Fold an agent."""
    yield agent_key(event.registry_id, event.did), (event.agent_id, event.account)
    yield account_key(event.account), Account(event.frame_id, event.registry_id, event.did, "agent")


@dataclass(frozen=True, slots=True)
class RegisterAgent:
    """Register an agent; the card was validated before the log."""

    frame_id: str
    registry_id: str
    agent_id: str
    did: str
    card: str
    origin_registry_location: str


class AgentRefusal(StrEnum):
    """Why an agent is not registered, in order of precedence."""

    NOT_FOUND = "not_found"
    DEVELOPER_NOT_REGISTERED = "developer_not_registered"
    ALREADY_REGISTERED = "already_registered"


def decide(state: State, command: RegisterAgent, around: Circumstances) -> Sequence[AgentRegistered] | Refusal:
    """Rule on an agent: the actor is its developer."""
    frame_id, registry_id, did = command.frame_id, command.registry_id, command.did
    if registry(state, registry_id, frame_id) is None:
        return Refusal(AgentRefusal.NOT_FOUND, {"registry_id": registry_id})
    if state.get(developer_key(frame_id, around.actor)) is None:
        return Refusal(AgentRefusal.DEVELOPER_NOT_REGISTERED, {"did": around.actor})
    if state.get(agent_key(registry_id, did)) is not None:
        return Refusal(AgentRefusal.ALREADY_REGISTERED, {"did": did})

    name = account_id(frame_id, registry_id, did, "agent")
    origin = command.origin_registry_location
    return [AgentRegistered(frame_id, registry_id, command.agent_id, did, around.actor, command.card, origin, name)]


AGENT = Decider(initial={}, decide=decide, evolve=evolve)
