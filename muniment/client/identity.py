"""DIDs, as their owners create, rotate and recover them, and as anybody resolves them; all is signed here."""

import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from muniment.client.identity_refusals import StalePrev
from muniment.client.noun import Noun, path_of
from muniment.client.pages import pages
from muniment.client.shapes import Json, Result
from muniment.did_operations import DAY_S, NamedKey, genesis, operation, signed
from muniment.private_key import PrivateKey

HANDLE: Final = "mun://"


@dataclass(frozen=True, kw_only=True)
class DidDocument(Result):
    """A DID document (W3C); ``id`` is the DID, and ``also_known_as`` holds its handle as ``mun://<handle>``."""

    id: str
    also_known_as: Sequence[str] = ()

    named: ClassVar[Mapping[str, str]] = {"also_known_as": "alsoKnownAs"}

    @property
    def handle(self) -> str | None:
        """Give its handle, if it has one."""
        return next((name[len(HANDLE) :] for name in self.also_known_as if name.startswith(HANDLE)), None)


@dataclass(frozen=True, kw_only=True)
class Operation(Result):
    """An operation of a DID's log; one that was taken back is ``nullified``."""

    operation: Json
    hash: str
    signature: str
    at: str
    nullified: bool = False


class Identity(Noun):
    """The DIDs of a registry. Writes raise InvalidOperation, StalePrev, and Refused in general.

    Each is signed by a rotation key that is given; ``prev`` is the operation that it follows, the latest one where it
    isn't named.
    """

    async def create(
        self, rotation: Sequence[PrivateKey], keys: Iterable[NamedKey], handle: str | None = None
    ) -> DidDocument:
        """Create a DID with these rotation keys, the highest first, and keys. Raises HandleTaken."""
        return await self.submit(signed(genesis(rotation, keys, handle), rotation[0]))

    async def submit(
        self, body: Mapping[str, Any], did: str | None = None, *, idempotency_key: str | None = None
    ) -> DidDocument:
        """Send an operation that was signed before; the same one again is its first outcome, and ``repeated``.

        One that was refused is refused again, unless it comes under another idempotency key.
        """
        path = "/dids" if did is None else path_of("dids", did, "operations")
        answer = await self._order(path, dict(body), idempotency_key)
        return DidDocument.read(answer.json, answer)

    async def rotate(
        self,
        did: str,
        by: PrivateKey,
        *,
        add: Iterable[NamedKey] = (),
        end: Iterable[str] = (),
        overlap_s: int = DAY_S,
        prev: str | None = None,
    ) -> DidDocument:
        """Add keys, and end those of these ids in ``overlap_s`` seconds, 0 to seven days."""
        added = [each.to_json() for each in add]
        return await self._say("rotate", did, by, prev, add=added, end=list(end), overlap_s=overlap_s)

    async def revoke(
        self, did: str, by: PrivateKey, key_id: str, reason: str, since: str | None = None, *, prev: str | None = None
    ) -> DidDocument:
        """End a key at once, compromised, retired or lost since a moment (RFC 3339)."""
        return await self._say("revoke", did, by, prev, key_id=key_id, reason=reason, since=since)

    async def recover(
        self,
        did: str,
        by: PrivateKey,
        rotation: Sequence[PrivateKey],
        keys: Iterable[NamedKey],
        *,
        prev: str | None = None,
    ) -> DidDocument:
        """Begin anew with these rotation keys and keys; with ``prev`` all that followed that operation is nullified."""
        said = {
            "rotation_keys": [each.multibase for each in rotation],
            "keys": [each.to_json() for each in keys],
        }
        return await self._say("recover", did, by, prev, **said)

    async def set_handle(self, did: str, by: PrivateKey, handle: str, *, prev: str | None = None) -> DidDocument:
        """Take another handle. Raises HandleTaken, HandleChangeTooSoon."""
        return await self._say("set_handle", did, by, prev, handle=handle)

    async def set_guardians(
        self,
        did: str,
        by: PrivateKey,
        dids: Sequence[str],
        threshold: int,
        delay_s: int = DAY_S,
        *,
        prev: str | None = None,
    ) -> DidDocument:
        """Let so many of these DIDs recover this one together, which takes effect ``delay_s`` seconds later."""
        return await self._say("set_guardians", did, by, prev, dids=list(dids), threshold=threshold, delay_s=delay_s)

    async def recover_by_guardians(
        self, said: Mapping[str, Any], approvals: Sequence[Mapping[str, Any]], by: PrivateKey
    ) -> DidDocument:
        """Send a recovery (`rescue`) with its guardians' approvals (`approval`); a rotation key that it names signs."""
        whole = {**said, "approvals": [dict(each) for each in approvals]}
        return await self.submit(signed(whole, by), str(said["did"]))

    async def cancel(self, did: str, by: PrivateKey, recovery: str, *, prev: str | None = None) -> DidDocument:
        """Cancel a guardians' recovery, named by its hash, before it takes effect."""
        return await self._say("cancel", did, by, prev, operation=recovery)

    async def resolve(self, did: str, *, as_of: str | None = None, min_position: str | None = None) -> DidDocument:
        """Show a DID's document, as it stood at a position's token or an RFC 3339 time where one is named.

        Raises NotFound.
        """
        answer = await self._transport.read(path_of("dids", did), {"as_of": as_of, "min_position": min_position})
        return DidDocument.read(answer.json, answer)

    async def log(self, did: str) -> AsyncIterator[Operation]:
        """Give every operation of a DID, oldest first, nullified ones too. Raises NotFound."""
        async for found, answer in pages(self._transport, path_of("dids", did, "log"), {}):
            yield Operation.read(found, answer)

    async def head(self, did: str) -> str:
        """Give the hash of a DID's latest operation. Raises NotFound."""
        latest = ""
        async for each in self.log(did):
            latest = each.hash
        return latest

    async def _say(self, kind: str, did: str, by: PrivateKey, prev: str | None, **members: Any) -> DidDocument:
        behind = await self.head(did) if prev is None else prev
        attempt = secrets.token_hex(16)  # asked for again another day, the same operation is another attempt
        try:
            body = signed(operation(kind, did, behind, **members), by)
            return await self.submit(body, did, idempotency_key=attempt)
        except StalePrev as stale:
            if prev is not None or stale.head is None:
                raise
            # What was read is older than the log: the operation is to follow the latest one.
            return await self.submit(signed(operation(kind, did, stale.head, **members), by), did)
