"""Developers and agents, as they register and are found."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from muniment.client.ledger_shapes import Agent, Developer
from muniment.client.noun import Noun, given, path_of
from muniment.client.pages import pages


class Developers(Noun):
    """Who has an account in a frame and offers agents there."""

    async def register(
        self,
        registry_id: str,
        name: str,
        *,
        did: str | None = None,
        email: str | None = None,
        invite: str | None = None,
        idempotency_key: str | None = None,
    ) -> Developer:
        """Register the client's own DID, or as an admin another one; the answer has the account and its grant.

        Raises InviteRequired, InviteInvalid, AlreadyRegistered.
        """
        body = given(did=did or self._key.did, name=name, email=email, invite=invite)
        answer = await self._post(path_of("registries", registry_id, "developers"), body, idempotency_key)
        return Developer.read(answer.json, answer)


class Agents(Noun):
    """What developers offer."""

    async def register(
        self,
        registry_id: str,
        did: str,
        card: Mapping[str, Any],
        origin_registry_location: str,
        *,
        idempotency_key: str | None = None,
    ) -> Agent:
        """Register an agent with its A2A card, as its developer. Raises DeveloperNotRegistered, InvalidCard."""
        body = {"did": did, "card": dict(card), "origin_registry_location": origin_registry_location}
        answer = await self._post(path_of("registries", registry_id, "agents"), body, idempotency_key)
        return Agent.read(answer.json, answer)

    async def list(
        self, query: str | None = None, *, skill: str | None = None, min_position: str | None = None
    ) -> AsyncIterator[Agent]:
        """Give the agents whose card has these words, and a skill of this id or tag."""
        asked = {"q": query, "skill": skill, "min_position": min_position}
        async for found, answer in pages(self._transport, "/agents", asked):
            yield Agent.read(found, answer)

    async def get(self, agent_id: str, *, min_position: str | None = None) -> Agent:
        """Show an agent. Raises NotFound."""
        answer = await self._transport.read(path_of("agents", agent_id), {"min_position": min_position})
        return Agent.read(answer.json, answer)
