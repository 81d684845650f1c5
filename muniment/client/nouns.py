"""Signers, webhooks, playlists and commands, as a client handles them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from muniment.client.noun import Noun, given, path_of
from muniment.client.pages import pages
from muniment.client.shapes import Command, Delivery, Playlist, Signer, Webhook


class Signers(Noun):
    """Who may issue what."""

    async def add(self, did: str, roles: Sequence[str], *, idempotency_key: str | None = None) -> Signer:
        """Give a DID these roles, as an admin; a known one's roles are set, a revoked one is reinstated."""
        body = {"did": did, "roles": list(roles)}
        answer = await self._post("/signers", body, idempotency_key)
        return Signer.read(answer.json, answer)

    async def revoke(self, did: str, *, idempotency_key: str | None = None) -> Signer:
        """Take a signer's right to issue, as an admin; its facts stay."""
        answer = await self._transport.write("DELETE", path_of("signers", did), idempotency_key=idempotency_key)
        return Signer.read(answer.json, answer)

    async def list(self, role: str | None = None, *, min_position: str | None = None) -> AsyncIterator[Signer]:
        """Give the signers, those with a role where one is named."""
        query = {"role": role, "min_position": min_position}
        async for found, answer in pages(self._transport, "/signers", query):
            yield Signer.read(found, answer)


class Webhooks(Noun):
    """Endpoints that are told of every change, as an admin."""

    async def create(
        self,
        url: str,
        kinds: Sequence[str] | None = None,
        secret: str | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Webhook:
        """Register an endpoint, for these kinds of facts or all; the answer has its secret, and only this one."""
        body = given(url=url, kinds=None if kinds is None else list(kinds), secret=secret)
        answer = await self._post("/webhooks", body, idempotency_key)
        return Webhook.read(answer.json, answer)

    async def list(self) -> AsyncIterator[Webhook]:
        """Give every endpoint."""
        async for found, answer in pages(self._transport, "/webhooks", {}):
            yield Webhook.read(found, answer)

    async def get(self, webhook_id: str) -> Webhook:
        """Show one endpoint. Raises NotFound."""
        answer = await self._transport.read(path_of("webhooks", webhook_id))
        return Webhook.read(answer.json, answer)

    async def delete(self, webhook_id: str, *, idempotency_key: str | None = None) -> Webhook:
        """Remove an endpoint."""
        path = path_of("webhooks", webhook_id)
        answer = await self._transport.write("DELETE", path, idempotency_key=idempotency_key)
        return Webhook.read(answer.json or {"id": webhook_id, "status": "deleted"}, answer)

    async def replay(self, webhook_id: str, since: str, *, idempotency_key: str | None = None) -> Webhook:
        """Send an endpoint every change again from a cursor of the delta feed on, ``0`` from the start."""
        path = path_of("webhooks", webhook_id, "replay")
        answer = await self._post(path, {"from": since}, idempotency_key)
        return Webhook.read({"id": webhook_id, **(answer.json or {})}, answer)

    async def rotate(
        self, webhook_id: str, secret: str | None = None, *, idempotency_key: str | None = None
    ) -> Webhook:
        """Give an endpoint another secret; for a while both sign, until ``overlap_until``."""
        path = path_of("webhooks", webhook_id, "rotate-secret")
        answer = await self._post(path, given(secret=secret), idempotency_key)
        return Webhook.read(answer.json, answer)

    async def deliveries(self, webhook_id: str, status: str | None = None) -> AsyncIterator[Delivery]:
        """Give the deliveries to an endpoint with what became of them, newest first."""
        path = path_of("webhooks", webhook_id, "deliveries")
        async for found, answer in pages(self._transport, path, {"status": status}):
            yield Delivery.read(found, answer)


class Playlists(Noun):
    """The feed's own items."""

    async def post(self, playlist: Mapping[str, Any], *, idempotency_key: str | None = None) -> Playlist:
        """Post a playlist ``{id, slug, title, created, items}``, as an admin or publisher."""
        answer = await self._post("/playlists", dict(playlist), idempotency_key)
        return Playlist.read(answer.json, answer)

    async def list(
        self,
        *,
        star: bool | None = None,
        sort: Literal["created"] | None = None,
        order: Literal["asc", "desc"] | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[Playlist]:
        """Give the playlists, the starred ones only where ``star`` says so."""
        query = {"star": star, "sort": sort, "order": order, "limit": page_size}
        async for found, answer in pages(self._transport, "/playlists", query):
            yield Playlist.read(found, answer)

    async def get(self, playlist_id: str) -> Playlist:
        """Show one playlist. Raises NotFound."""
        answer = await self._transport.read(path_of("playlists", playlist_id))
        return Playlist.read(answer.json, answer)


class Commands(Noun):
    """What became of what was asked."""

    async def get(self, command_id: str) -> Command:
        """Show a command: pending, accepted with its result, or refused with its problem. Raises NotFound."""
        answer = await self._transport.read(path_of("commands", command_id), fresh=False)
        return Command.read(answer.json, answer)
