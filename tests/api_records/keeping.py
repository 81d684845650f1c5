"""People who keep records, over HTTP, on a registry with vaults."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.vault import Vaults
from muniment.signing_key import SigningKey
from projections.dump import writing
from projections.postgres import Postgres
from projections.projector import Projector
from projections.reads import Reads
from projections.vault_keys import VaultKeys
from tests.api.serving import Answer, Registry, key

VAULT_KEY = bytes(range(32, 64))
NOTES = "org.example.note"
NOTE = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 1_000}, "tags": {"items": {"type": "string"}}},
    "required": ["text"],
    "additionalProperties": False,
}


@dataclass
class Keeper:
    """What a test of records asks."""

    registry: Registry
    postgres: Postgres

    async def collection(self, name: str = NOTES, schema: Any = NOTE, **more: Any) -> Answer:
        """Put a schema as the operator."""
        body = {"schema": schema, **more}
        return await self.registry.ask("PUT", f"/schemas/{name}", body, by=self.registry.operator)

    async def keep(self, by: SigningKey, value: Any, rkey: str | None = None, **headers: str) -> Answer:
        """Keep a value with ``POST``."""
        body = {"collection": NOTES, "value": value} | ({} if rkey is None else {"rkey": rkey})
        return await self.registry.ask("POST", "/records", body, by=by, headers=given(headers))

    async def put(self, by: SigningKey, rkey: str, value: Any, did: str | None = None, **headers: str) -> Answer:
        """Keep a value with ``PUT``; ``if_match="…"`` is a header."""
        path = f"/records/{did or by.did}/{NOTES}/{rkey}"
        return await self.registry.ask("PUT", path, {"value": value}, by=by, headers=given(headers))

    async def delete(self, by: SigningKey, rkey: str, did: str | None = None, **headers: str) -> Answer:
        """Let go of a record."""
        path = f"/records/{did or by.did}/{NOTES}/{rkey}"
        return await self.registry.ask("DELETE", path, by=by, headers=given(headers))

    async def show(self, did: str, rkey: str, after: Answer | None = None, **query: Any) -> Answer:
        """Read a record, once what was answered is to be seen."""
        return await self.read(f"/records/{did}/{NOTES}/{rkey}", after, **query)

    async def page(self, did: str, after: Answer | None = None, **query: Any) -> Answer:
        """Read a page of an owner's notes."""
        return await self.read("/records", after, did=did, collection=NOTES, **query)

    async def read(self, path: str, after: Answer | None = None, **query: Any) -> Answer:
        """Read, once what was answered is to be seen."""
        if after is not None:
            query["min_position"] = after.headers["Muniment-Position"]
        asked = "&".join(f"{name}={value}" for name, value in query.items() if value is not None)
        return await self.registry.ask("GET", f"{path}?{asked}")

    async def erase(self, by: SigningKey, **headers: str) -> Answer:
        """Erase everything of a key's DID."""
        path, body = f"/dids/{by.did}/erase", {"confirm": by.did}
        return await self.registry.ask("POST", path, body, by=by, headers=given(headers))


def given(headers: Mapping[str, str]) -> dict[str, str]:
    """Name headers as HTTP does."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def person(number: int) -> SigningKey:
    """Give the key of somebody who keeps records."""
    return key(1_000 + number)


@contextlib.asynccontextmanager
async def keeping(registry: Registry, postgres: Postgres) -> AsyncIterator[Keeper]:
    """Give a registry vaults and reads, kept up by a projector of its records."""
    registry.api.vaults = Vaults(VaultKeys(postgres, VAULT_KEY), registry.api.mirror)
    registry.api.reads = Reads(postgres)
    found = Keeper(registry, postgres)
    projecting = asyncio.create_task(Projector(postgres, writing(VAULT_KEY)).run(registry.log, "records"))
    try:
        async with asyncio.timeout(10):
            while (await found.page(person(0).did, wait_ms=0)).status != 200:
                await asyncio.sleep(0.02)
        yield found
    finally:
        projecting.cancel()
        await asyncio.gather(projecting, return_exceptions=True)
