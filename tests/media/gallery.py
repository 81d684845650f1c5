"""People who upload files, over HTTP, to a registry with vaults and a media storage."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from api.media_bounds import MediaBounds
from api.media_depot import Depot
from api.media_tokens import upload_key
from api.vault import Vaults
from muniment.signing_key import SigningKey
from processors.media_storage import MediaStorage
from projections.postgres import Postgres
from projections.vault_keys import VaultKeys
from tests.api.serving import ISSUER, Answer, Registry, key

VAULT_KEY = bytes(range(32, 64))


def person(number: int) -> SigningKey:
    """Give the key of somebody who uploads."""
    return key(2_000 + number)


@dataclass
class Gallery:
    """What a test of media asks."""

    registry: Registry
    storage: MediaStorage
    vault_keys: VaultKeys

    async def reserve(
        self, by: SigningKey, data: bytes, mime: str = "image/png", query: str = "", **headers: str
    ) -> Answer:
        """Reserve a file for these bytes."""
        body = {"mime": mime, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.registry.ask("POST", f"/media{query}", body, by=by, headers=sent)

    async def upload(self, reserved: Answer, data: bytes, **headers: str) -> tuple[int, Any]:
        """Send bytes as the reservation says; give the status and the body."""
        asked = reserved.json["upload"]
        return await self.send(asked["method"], asked["url"], io.BytesIO(data), {**asked["headers"], **headers})

    async def send(self, method: str, url: str, data: Any, headers: Mapping[str, str]) -> tuple[int, Any]:
        """Send a request to us, or past us to the storage."""
        if url.startswith(ISSUER):
            target = self.registry.client.make_url(url.removeprefix(ISSUER))
            async with self.registry.client.session.request(method, target, data=data, headers=headers) as answer:
                return answer.status, json.loads(await answer.read() or b"null")
        async with aiohttp.ClientSession() as session, session.request(method, url, data=data, headers=headers) as past:
            return past.status, None

    async def finalize(self, by: SigningKey, media_id: str, query: str = "", **headers: str) -> Answer:
        """Finalize a file."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.registry.ask("POST", f"/media/{media_id}/finalize{query}", by=by, headers=sent)

    async def keep(self, by: SigningKey, data: bytes, mime: str = "image/png") -> Answer:
        """Reserve, upload and finalize a file, and give the last answer."""
        reserved = await self.reserve(by, data, mime)
        assert reserved.status == 201, reserved.text
        status, _ = await self.upload(reserved, data)
        assert status == 200
        finalized = await self.finalize(by, reserved.json["id"])
        assert finalized.status == 200, finalized.text
        return finalized

    async def content(self, media_id: str, method: str = "GET", **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Read a file's bytes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.registry.client.request(method, f"/media/{media_id}/content", headers=sent) as answer:
            return answer.status, answer.headers, await answer.read()

    async def erase(self, by: SigningKey) -> Answer:
        """Erase everything of a key's DID."""
        return await self.registry.ask("POST", f"/dids/{by.did}/erase", {"confirm": by.did}, by=by)


def opened(registry: Registry, postgres: Postgres, storage: MediaStorage, **bounds: Any) -> Gallery:
    """Give a registry vaults and a media storage."""
    keys = VaultKeys(postgres, VAULT_KEY)
    registry.api.vaults = Vaults(keys, registry.api.mirror)
    registry.api.media = Depot(storage, upload_key(registry.api.sealing_key), MediaBounds(**bounds))
    return Gallery(registry, storage, keys)
