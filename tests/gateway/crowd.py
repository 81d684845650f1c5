"""People who post, follow and show themselves, over HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from domain.records.built_in import BUILT_IN, FOLLOW, POST, PROFILE
from log.token import later, read_token, write_token
from muniment.signing_key import SigningKey
from projections.dump import writing
from projections.postgres import Postgres
from projections.projector import Projector
from tests.api.serving import Answer, Registry
from tests.api_identity.owning import Owner, owned
from tests.api_records.keeping import VAULT_KEY, Keeper, keeping, person

__all__ = ["FOLLOW", "POST", "PROFILE", "Crowd", "gathered", "person", "texts"]


@dataclass
class Crowd:
    """What a test of the gateway asks; each read sees what was written before it."""

    registry: Registry
    keeper: Keeper
    written: dict[tuple[str, int], int] = field(default_factory=dict)

    async def keep(self, by: SigningKey, collection: str, value: Any, rkey: str | None = None) -> str:
        """Keep a record and give its uri."""
        if rkey is None:
            answer = await self.registry.ask("POST", "/records", {"collection": collection, "value": value}, by=by)
        else:
            path = f"/records/{by.did}/{collection}/{rkey}"
            answer = await self.registry.ask("PUT", path, {"value": value}, by=by)
        uri: str = self.heard(answer).json["uri"]
        return uri

    async def post(self, by: SigningKey, text: str, rkey: str | None = None) -> str:
        """Post a text."""
        return await self.keep(by, POST, {"text": text}, rkey)

    async def follow(self, by: SigningKey, subject: str, rkey: str | None = None) -> str:
        """Follow somebody, and give the key of the record that says so."""
        return (await self.keep(by, FOLLOW, {"subject": subject}, rkey)).rsplit("/", 1)[1]

    async def show_as(self, by: SigningKey, name: str, **more: str) -> None:
        """Keep a profile."""
        await self.keep(by, PROFILE, {"display_name": name, **more}, "self")

    async def forget(self, by: SigningKey, collection: str, rkey: str) -> None:
        """Let go of a record."""
        self.heard(await self.registry.ask("DELETE", f"/records/{by.did}/{collection}/{rkey}", by=by))

    async def erase(self, by: SigningKey) -> None:
        """Erase everything of somebody's."""
        self.heard(await self.keeper.erase(by))

    async def owned(self, name: str, handle: str) -> Owner:
        """Register a DID with a handle."""
        found = await owned(self.registry, name, handle=handle)
        self.heard(await found.create(handle))
        return found

    def heard(self, answer: Answer) -> Answer:
        """See that a write was done, and have later reads see it."""
        assert answer.status in {200, 201, 204}, answer.text
        self.written = later([self.written, read_token(answer.headers["Muniment-Position"])])
        return answer

    async def read(self, path: str, by: SigningKey | None = None, **query: Any) -> Answer:
        """Read as of everything that was written."""
        asked = {"min_position": write_token(self.written), "wait_ms": 10_000} | query
        if not self.written:
            del asked["min_position"]
        return await self.registry.ask("GET", f"{path}?{urlencode(asked)}", by=by)

    async def following(self, by: SigningKey, **query: Any) -> list[str]:
        """Give the texts of somebody's feed."""
        return texts(await self.read("/feeds/following", by, **query))

    async def profile(self, name: str) -> Any:
        """Give a profile."""
        answer = await self.read(f"/profiles/{name}")
        assert answer.status == 200, answer.text
        return answer.json

    async def search(self, q: str, **query: Any) -> Any:
        """Give what a search finds."""
        answer = await self.read("/search", q=q, **query)
        assert answer.status == 200, answer.text
        return answer.json["items"]


def texts(answer: Answer) -> list[str]:
    """Give the texts of a page of posts."""
    assert answer.status == 200, answer.text
    return [each["value"]["text"] for each in answer.json["items"]]


@contextlib.asynccontextmanager
async def gathered(registry: Registry, postgres: Postgres) -> AsyncIterator[Crowd]:
    """Give a registry the first collections, and projectors of identity and records."""
    projector = Projector(postgres, writing(VAULT_KEY))
    async with keeping(registry, postgres) as keeper:
        projecting = asyncio.create_task(projector.run(registry.log, "identity"))
        try:
            for name, schema in BUILT_IN.items():
                assert (await keeper.collection(name, schema)).status == 201
            async with asyncio.timeout(10):
                while (await keeper.read("/profiles", ids="nobody", wait_ms=0)).status != 200:
                    await asyncio.sleep(0.02)
            yield Crowd(registry, keeper)
        finally:
            projecting.cancel()
            await asyncio.gather(projecting, return_exceptions=True)
