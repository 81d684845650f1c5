"""Records and their schemas, as owners keep them and everybody reads them."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from muniment.client.noun import Noun, given, path_of
from muniment.client.pages import pages
from muniment.client.record_shapes import Collection, Deletion, Record, SchemaVersion


class Records(Noun):
    """What owners keep in their vaults; writes go into that of the key's DID unless another is named.

    Writes raise UnknownCollection, SchemaViolation, QuotaExceeded and Erased; reads of an owner who had all erased
    raise Erased.
    """

    async def post(
        self, collection: str, value: Any, rkey: str | None = None, *, idempotency_key: str | None = None
    ) -> Record:
        """Keep a JSON value under a key that is not taken, or under one that is made. Raises RkeyTaken."""
        body = {**given(collection=collection, rkey=rkey), "value": value}
        answer = await self._post("/records", body, idempotency_key)
        return Record.read(answer.json, answer)

    async def put(
        self,
        collection: str,
        rkey: str,
        value: Any,
        *,
        did: str | None = None,
        if_match: str | Sequence[str] | None = None,
        if_none_match: bool = False,
        idempotency_key: str | None = None,
    ) -> Record:
        """Keep a JSON value under a key, whatever is there.

        With ``if_match`` only over a record of this cid, of one of these, or of any (``*``); with ``if_none_match``
        only where there is none. Raises CidMismatch, and NotFound for a condition on a record that isn't there.
        """
        headers = _if_match(if_match) | ({"If-None-Match": "*"} if if_none_match else {})
        path = self._path(did or self._key.did, collection, rkey)
        answer = await self._transport.write(
            "PUT", path, {"value": value}, idempotency_key=idempotency_key, headers=headers
        )
        return Record.read(answer.json, answer)

    async def get(
        self, did: str, collection: str, rkey: str, *, as_of: str | None = None, min_position: str | None = None
    ) -> Record:
        """Show a record, as it stood at a position's token or an RFC 3339 time where one is named. Raises NotFound."""
        query = {"as_of": as_of, "min_position": min_position}
        answer = await self._transport.read(self._path(did, collection, rkey), query)
        return Record.read(answer.json, answer)

    async def delete(
        self,
        collection: str,
        rkey: str,
        *,
        did: str | None = None,
        if_match: str | Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Deletion:
        """Let go of a record, on the condition of `put`. Raises NotFound, CidMismatch."""
        owner = did or self._key.did
        answer = await self._transport.write(
            "DELETE",
            self._path(owner, collection, rkey),
            idempotency_key=idempotency_key,
            headers=_if_match(if_match),
        )
        return Deletion.read({"uri": f"mun://{owner}/{collection}/{rkey}"}, answer)

    async def list(
        self, did: str, collection: str | None = None, *, page_size: int = 100, min_position: str | None = None
    ) -> AsyncIterator[Record]:
        """Give an owner's records, newest first by ``indexed_at``, as they were when the walk began."""
        query = {"did": did, "collection": collection, "limit": page_size, "min_position": min_position}
        async for found, answer in pages(self._transport, "/records", query):
            yield Record.read(found, answer)

    @staticmethod
    def _path(did: str, collection: str, rkey: str) -> str:
        return path_of("records", did) + path_of(collection, rkey)


class Schemas(Noun):
    """What the values of each collection must be."""

    async def put(
        self, collection: str, schema: Any, *, breaking: bool = False, idempotency_key: str | None = None
    ) -> SchemaVersion:
        """Put the next version (JSON Schema 2020-12), as an admin; the one that is in force is no further version.

        ``breaking`` where records that are valid now may not be under it. Raises IncompatibleSchema.
        """
        body = {"schema": schema, **({"breaking": True} if breaking else {})}
        path = path_of("schemas", collection)
        answer = await self._transport.write("PUT", path, body, idempotency_key=idempotency_key)
        return SchemaVersion.read(answer.json, answer)

    async def show(self, collection: str, *, min_position: str | None = None) -> Collection:
        """Show a collection with every version of its schema. Raises NotFound."""
        answer = await self._transport.read(path_of("schemas", collection), {"min_position": min_position})
        return Collection.read(answer.json, answer)


def _if_match(wanted: str | Sequence[str] | None) -> dict[str, str]:
    if wanted is None:
        return {}
    cids = [wanted] if isinstance(wanted, str) else wanted
    return {"If-Match": ", ".join(cid if cid == "*" else f'"{cid}"' for cid in cids)}
