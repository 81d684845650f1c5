"""The identity projection: every DID as it is, the windows of its keys, and its operation log."""

from collections.abc import Sequence
from typing import Any

from domain.identity.completion import GuardianRecoveryCompleted
from domain.identity.creation import DidCreated
from domain.identity.guardian import GuardianRecoveryBegun, GuardiansSet, RecoveryCancelled
from domain.identity.naming import HandleSet
from domain.identity.recovery import DidRecovered
from domain.identity.rotation import KeyRevoked, KeysRotated
from log.following import Decided
from projections import identity_dids, identity_keys, identity_operations, identity_past
from projections.generations import Batch, Table
from projections.postgres import Transaction
from projections.rows import Place

OPERATIONS = (
    DidCreated,
    KeysRotated,
    KeyRevoked,
    DidRecovered,
    GuardiansSet,
    GuardianRecoveryBegun,
    RecoveryCancelled,
    HandleSet,
)
"""Events that hold an operation."""


class IdentityBatch:
    """What a batch makes of DIDs, their keys and their operations."""

    def __init__(self, schema: str) -> None:
        self._dids = identity_dids.Dids(schema)
        self._keys = identity_keys.Keys(schema)
        self._operations = identity_operations.Operations(schema)
        self._past = identity_past.Past(schema)
        self._taken: list[tuple[Any, Place]] = []

    def take(self, event: Any, decided: Decided, at: int) -> None:
        """Keep one event, and note what it is about."""
        self._taken.append((event, Place(decided.partition, decided.offset, 0, at)))
        self._dids.want(event)
        self._operations.want(event)

    async def drain(self, transaction: Transaction) -> None:
        """Send nothing: an operation may be taken back in the same batch."""

    async def write(self, transaction: Transaction) -> None:
        """Fold all events on the rows as they were, and write what changed."""
        await self._dids.load(transaction)
        await self._operations.load(transaction)
        for event, place in self._taken:
            self._dids.fold(event, place)
            self._keys.fold(event, place)
            self._operations.fold(event, place)
            self._past.fold(event, place)
        await self._dids.save(transaction)
        await self._operations.save(transaction)
        await self._keys.save(transaction)
        await self._past.save(transaction)


class IdentityProjection:
    """DIDs as they are read."""

    name = "identity"
    context = "identity"
    events: tuple[type, ...] = (*OPERATIONS, GuardianRecoveryCompleted)
    tables: Sequence[Table] = (
        identity_dids.DIDS,
        identity_keys.KEYS,
        identity_operations.OPERATIONS,
        identity_past.WINDOWS,
        identity_past.HANDLES,
    )

    def definition(self, schema: str) -> str:
        """Write the statements that make its tables."""
        nouns = (identity_dids, identity_keys, identity_operations, identity_past)
        return "".join(noun.DEFINITION.format(schema=schema) for noun in nouns)

    def batch(self, schema: str) -> Batch:
        """Begin a batch."""
        return IdentityBatch(schema)
