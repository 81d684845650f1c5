"""DIDs as they stood: every form that a window of a key had, and every handle, with the decision from which it was.

A recovery rewrites what the windows of keys are, so what a document showed before can't be read from what they are.
"""

from typing import Any

from domain.identity.creation import DidCreated
from domain.identity.naming import HandleSet
from domain.identity.recovery import DidRecovered
from projections.generations import Table
from projections.lines import line
from projections.postgres import Transaction
from projections.rows import Place, appending, text

WINDOWS = Table(
    "identity_windows",
    ("did", "key_id", "valid_from", "pos", "at", "type", "public_key", "purposes", "valid_until"),
    ("did", "key_id", "valid_from", "pos"),
)
HANDLES = Table("identity_handles", ("did", "pos", "at", "handle"), ("did", "pos"))
DEFINITION = """
CREATE TABLE {schema}.identity_windows (
  did text COLLATE "C" NOT NULL, key_id text COLLATE "C" NOT NULL, valid_from bigint NOT NULL, pos bigint NOT NULL,
  at bigint NOT NULL, type text NOT NULL, public_key text NOT NULL, purposes text NOT NULL, valid_until bigint,
  PRIMARY KEY (did, key_id, valid_from, pos));
CREATE TABLE {schema}.identity_handles (
  did text COLLATE "C" NOT NULL, pos bigint NOT NULL, at bigint NOT NULL, handle text COLLATE "C",
  PRIMARY KEY (did, pos));
"""


class Past:
    """What a batch adds to how DIDs stood; nothing that was written before changes."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._windows: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._handles: dict[tuple[str, int], dict[str, Any]] = {}

    def fold(self, event: Any, place: Place) -> None:
        """Keep what an event made of windows and of the handle; of two events in one decision the later counts."""
        for window in getattr(event, "windows", ()):
            self._windows[event.did, window.id, window.valid_from, place.pos] = {
                "did": event.did, "key_id": window.id, "valid_from": window.valid_from, "pos": place.pos,
                "at": place.at, "type": window.type, "public_key": window.public_key_multibase,
                "purposes": " ".join(window.purposes), "valid_until": window.valid_until,
            }  # fmt: skip
        if isinstance(event, DidCreated | HandleSet | DidRecovered):
            row = {"did": event.did, "pos": place.pos, "at": place.at, "handle": event.handle}
            self._handles[event.did, place.pos] = row

    async def save(self, transaction: Transaction) -> None:
        """Write what was added."""
        for table, rows in ((WINDOWS, self._windows), (HANDLES, self._handles)):
            copying = appending(self._schema, table)
            for row in rows.values():
                copying.add(line([text(row[name]) for name in table.columns]))
            await copying.end(transaction)
