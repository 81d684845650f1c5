"""Vaults in an api process: their owners' keys, kept for a moment, and what is sealed and opened with them."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from api.freshness import RETRY_AFTER_S
from api.problems import ProblemError
from api.route import Asked
from domain.did import identity
from domain.records.record import bound_to
from domain.records.vault import vault
from log.sealing import seal_bound
from projections.mirror import Mirror
from projections.postgres import PostgresUnavailable
from projections.sealed_values import Sealed, opened
from projections.vault_keys import OwnerIsErased, VaultKeys

KEPT_S: Final = 10.0
"""How long a key is in memory. Whatever the clock says, none is used once the erasure of its owner is known here."""
KEYS_MAX: Final = 10_000


class Kept(NamedTuple):
    """A key, and until when it is kept."""

    key: bytes
    until: float


class Vaults:
    """Gives owners' keys, made at their first write, and destroys them."""

    def __init__(self, keys: VaultKeys, mirror: Mirror) -> None:
        self._keys, self._mirror = keys, mirror
        self._kept: dict[str, Kept] = {}
        self._making: dict[str, asyncio.Task[bytes]] = {}

    def __repr__(self) -> str:
        return "Vaults()"

    async def key(self, did: str) -> bytes:
        """Give an owner's key, made where there is none. Raises ``erased``, ``read_model_unavailable``."""
        owner = identity(did)
        kept = self._fresh(owner)
        if kept is not None:
            return kept
        making = self._making.get(owner)
        if making is None:
            making = self._making[owner] = asyncio.create_task(self._keys.make(owner))
            making.add_done_callback(lambda _: self._making.pop(owner, None))
        try:
            key = await asyncio.shield(making)
        except OwnerIsErased:
            raise erased() from None
        except PostgresUnavailable:
            raise ProblemError("read_model_unavailable", headers={"Retry-After": str(RETRY_AFTER_S)}) from None
        self._keep(owner, key)
        return key

    async def seal(self, did: str, collection: str, cid: str, text: bytes) -> bytes:
        """Seal a value with its owner's key. Raises ``erased``, ``read_model_unavailable``."""
        return seal_bound(await self.key(did), text, bound_to(did, collection, cid))

    async def open_values(self, values: Sequence[Sealed]) -> Sequence[bytes | None]:
        """Give the RFC 8785 text of each value, nothing where its owner's key is gone or can't be asked for."""
        found = await self.keys_to_read([value.did for value in values])
        return [opened(found.get(identity(value.did)), value) for value in values]

    async def keys_to_read(self, dids: Sequence[str]) -> dict[str, bytes]:
        """Give the keys of owners that have one, by their identity; none where Postgres is away."""
        owners = {identity(did) for did in dids}
        known = {owner: key for owner in owners if (key := self._fresh(owner)) is not None}
        missing = sorted(owner for owner in owners - known.keys() if erased_at(self._mirror, owner) is None)
        if missing:
            try:
                found = await self._keys.find(missing)
            except PostgresUnavailable:
                return known
            for owner, key in found.items():
                self._keep(owner, key)
            known |= found
        return known

    async def destroy(self, did: str) -> bool:
        """Destroy an owner's key, and say whether that was done; where Postgres is away, the projector does it."""
        self._kept.pop(identity(did), None)
        try:
            await self._keys.destroy(did)
        except PostgresUnavailable:
            return False
        return True

    def _fresh(self, owner: str) -> bytes | None:
        kept = self._kept.get(owner)
        if kept is None:
            return None
        if kept.until < time.monotonic() or erased_at(self._mirror, owner) is not None:
            del self._kept[owner]
            return None
        return kept.key

    def _keep(self, owner: str, key: bytes) -> None:
        while len(self._kept) >= KEYS_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[owner] = Kept(key, time.monotonic() + KEPT_S)


def vaults_of(asked: Asked) -> Vaults:
    """Give the vaults of this process. Raises ``read_model_unavailable`` where it has none."""
    if asked.api.vaults is None:
        raise ProblemError("read_model_unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})
    return asked.api.vaults


def check_not_erased(asked: Asked, did: str) -> None:
    """Refuse what this process knows to be erased. Raises ``erased``."""
    if erased_at(asked.api.mirror, did) is not None:
        raise erased()


def erased_at(mirror: Mirror, did: str) -> int | None:
    """Give when an owner was erased (ms), as far as this process knows."""
    return vault(mirror.store, did).erased_at  # type: ignore[arg-type]  # only asked by key


def erased() -> ProblemError:
    """Make the problem of what an owner had erased."""
    return ProblemError("erased", "its owner had this erased")
