"""Operations as they are read: every one that a DID's log holds, those that were taken back too."""

from typing import Any

from domain.identity.completion import GuardianRecoveryCompleted
from domain.identity.guardian import RecoveryCancelled
from domain.identity.operation import SignedOperation
from domain.identity.recovery import DidRecovered
from projections.generations import Table
from projections.postgres import Transaction
from projections.rows import Place, Rows

OPERATIONS = Table(
    "identity_operations",
    (
        "did", "hash", "prev", "signed_by", "operation", "signature", "part", "pos", "at", "nullified", "nullified_pos",
        "effective_at", "effective_pos",
    ),
    ("did", "hash"),
)  # fmt: skip
VARYING = {"nullified": "boolean", "nullified_pos": "bigint", "effective_at": "bigint", "effective_pos": "bigint"}
DEFINITION = """
CREATE TABLE {schema}.identity_operations (
  did text COLLATE "C" NOT NULL, hash text COLLATE "C" NOT NULL, prev text COLLATE "C", signed_by text NOT NULL,
  operation text NOT NULL, signature text NOT NULL, part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL,
  nullified boolean NOT NULL, nullified_pos bigint, effective_at bigint, effective_pos bigint,
  PRIMARY KEY (did, hash));
CREATE INDEX identity_operations_log ON {schema}.identity_operations (did, pos);
"""


def nullified(event: Any) -> tuple[str, ...]:
    """Give the hashes of the operations that an event takes back."""
    match event:
        case DidRecovered():
            return event.nullified
        case RecoveryCancelled():
            return (event.operation,)
    return ()


class Operations:
    """What a batch makes of operations."""

    def __init__(self, schema: str) -> None:
        self._rows = Rows(schema, OPERATIONS, VARYING)

    def want(self, event: Any) -> None:
        """Note the operations that are taken back or take effect."""
        if isinstance(event, GuardianRecoveryCompleted):
            self._rows.want(event.did, event.operation)
        for each in nullified(event):
            self._rows.want(event.did, each)

    async def load(self, transaction: Transaction) -> None:
        """Read them."""
        await self._rows.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold an event that holds an operation, or that lets a guardians' recovery take effect."""
        if isinstance(event, GuardianRecoveryCompleted):
            self._rows.changed(event.did, event.operation).update(effective_at=place.at, effective_pos=place.pos)
            return
        for each in nullified(event):
            self._rows.changed(event.did, each).update(nullified=True, nullified_pos=place.pos)
        signed: SignedOperation = event.signed
        self._rows.put({
            "did": event.did, "hash": signed.hash, "prev": signed.prev, "signed_by": signed.signed_by,
            "operation": signed.operation, "signature": signed.signature, "part": place.part, "pos": place.pos,
            "at": place.at, "nullified": False, "nullified_pos": None, "effective_at": None, "effective_pos": None,
        })  # fmt: skip

    async def save(self, transaction: Transaction) -> None:
        """Write those that are new, taken back or take effect."""
        await self._rows.save(transaction)
