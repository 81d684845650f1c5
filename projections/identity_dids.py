"""DIDs as they are read: each with its head, its rotation keys, its handle and its guardians as they are now."""

from typing import Any

from domain.identity.completion import GuardianRecoveryCompleted
from domain.identity.creation import DidCreated
from domain.identity.guardian import GuardianRecoveryBegun, GuardiansSet, RecoveryCancelled
from domain.identity.identifier import Guardians
from domain.identity.naming import HandleSet
from domain.identity.recovery import DidRecovered
from projections.generations import Table
from projections.handle_queries import COLUMN, FUNCTION, INDEX
from projections.postgres import Transaction
from projections.rows import Place, Rows

DIDS = Table(
    "dids",
    (
        "did", "handle", "head", "rotation_keys", "guardians", "guardian_threshold", "guardian_delay_s", "pending",
        "pending_at", "part", "pos", "created_at", "changed_pos", "changed_at",
    ),
    ("did",),
)  # fmt: skip
DEFINITION = (
    FUNCTION
    + """
CREATE TABLE {schema}.dids (
  did text COLLATE "C" PRIMARY KEY, handle text COLLATE "C", head text NOT NULL, rotation_keys text NOT NULL,
  guardians text, guardian_threshold integer, guardian_delay_s bigint, pending text, pending_at bigint,
  part integer NOT NULL, pos bigint NOT NULL, created_at bigint NOT NULL, changed_pos bigint NOT NULL,
  changed_at bigint NOT NULL, """
    + COLUMN
    + """);
CREATE INDEX dids_handle ON {schema}.dids (handle) WHERE handle IS NOT NULL;
"""
    + INDEX
)


def guarded(guardians: Guardians | None) -> dict[str, Any]:
    """Give the columns of guardians, whose DIDs are joined by spaces."""
    if guardians is None:
        return {"guardians": None, "guardian_threshold": None, "guardian_delay_s": None}
    return {
        "guardians": " ".join(guardians.dids),
        "guardian_threshold": guardians.threshold,
        "guardian_delay_s": guardians.delay_s,
    }


class Dids:
    """What a batch makes of DIDs."""

    def __init__(self, schema: str) -> None:
        self._rows = Rows(schema, DIDS)

    def want(self, event: Any) -> None:
        """Note a DID that was created before."""
        if not isinstance(event, DidCreated):
            self._rows.want(event.did)

    async def load(self, transaction: Transaction) -> None:
        """Read them."""
        await self._rows.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of a DID."""
        if isinstance(event, DidCreated):
            self._rows.put({
                "did": event.did, "handle": event.handle, "head": event.signed.hash,
                "rotation_keys": " ".join(event.rotation_keys), **guarded(None), "pending": None, "pending_at": None,
                "part": place.part, "pos": place.pos, "created_at": place.at, "changed_pos": place.pos,
                "changed_at": place.at,
            })  # fmt: skip
            return
        row = self._rows.changed(event.did)
        row |= {"changed_pos": place.pos, "changed_at": place.at}
        match event:
            case GuardianRecoveryCompleted():
                row |= {"rotation_keys": " ".join(event.rotation_keys), "pending": None, "pending_at": None}
                return
            case DidRecovered():
                row |= {"rotation_keys": " ".join(event.rotation_keys), "handle": event.handle}
                row |= guarded(event.guardians)
                if row["pending"] in event.nullified:
                    row |= {"pending": None, "pending_at": None}
            case HandleSet():
                row["handle"] = event.handle
            case GuardiansSet():
                row |= guarded(event.guardians)
            case GuardianRecoveryBegun():
                row |= {"pending": event.signed.hash, "pending_at": event.effective_at}
            case RecoveryCancelled():
                row |= {"pending": None, "pending_at": None}
        row["head"] = event.signed.hash

    async def save(self, transaction: Transaction) -> None:
        """Write the DIDs that are new or changed."""
        await self._rows.save(transaction)
