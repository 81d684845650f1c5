"""Keys as they are read: each window of each key, where it began and changed, and what said it was compromised."""

from collections.abc import Mapping
from typing import Any

from domain.catalog import BY_CLASS
from domain.identity.key import KeyWindow
from projections.generations import Table
from projections.lines import Copying, line
from projections.postgres import Transaction
from projections.rows import Place, text

KEYS = Table(
    "identity_keys",
    (
        "did", "key_id", "valid_from", "type", "public_key", "purposes", "valid_until", "compromised_since", "part",
        "pos", "changed_pos", "compromised_by",
    ),
    ("did", "key_id", "valid_from"),
)  # fmt: skip
COLUMNS = """
  did text COLLATE "C" NOT NULL, key_id text COLLATE "C" NOT NULL, valid_from bigint NOT NULL, type text NOT NULL,
  public_key text NOT NULL, purposes text NOT NULL, valid_until bigint, compromised_since bigint,
  part integer NOT NULL, pos bigint NOT NULL, changed_pos bigint NOT NULL, compromised_by text"""
DEFINITION = f"""
CREATE TABLE {{schema}}.identity_keys ({COLUMNS}, PRIMARY KEY (did, key_id, valid_from));
CREATE INDEX identity_keys_compromised ON {{schema}}.identity_keys (did, key_id) WHERE compromised_since IS NOT NULL;
CREATE INDEX identity_keys_public ON {{schema}}.identity_keys (public_key);
"""
MAKE_DRAFT = f"CREATE TEMPORARY TABLE identity_keys_draft ({COLUMNS}) ON COMMIT DROP"
MERGE = """
INSERT INTO {schema}.identity_keys AS known ({columns}) SELECT {columns} FROM identity_keys_draft
ON CONFLICT (did, key_id, valid_from) DO UPDATE SET valid_until = excluded.valid_until,
  changed_pos = excluded.changed_pos, compromised_since = excluded.compromised_since,
  compromised_by = CASE WHEN excluded.compromised_since IS DISTINCT FROM known.compromised_since
    THEN excluded.compromised_by ELSE known.compromised_by END
"""


class Keys:
    """What a batch makes of keys: an event gives windows whole, so that what they were before needn't be read."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._rows: dict[tuple[str, str, int], dict[str, Any]] = {}

    def fold(self, event: Any, place: Place) -> None:
        """Fold the windows that an event changed."""
        for window in getattr(event, "windows", ()):
            name = (event.did, window.id, window.valid_from)
            self._rows[name] = _row(self._rows.get(name), event, window, place)

    async def save(self, transaction: Transaction) -> None:
        """Write what changed: a window that was there keeps where it began, and what said it was compromised."""
        if not self._rows:
            return
        columns = ", ".join(KEYS.columns)
        await transaction.run(MAKE_DRAFT)
        copying = Copying(f"identity_keys_draft ({columns})")
        for row in self._rows.values():
            copying.add(line([text(row[name]) for name in KEYS.columns]))
        await copying.end(transaction)
        await transaction.run(MERGE.format(schema=self._schema, columns=columns))
        await transaction.run("DROP TABLE identity_keys_draft")


def _row(known: Mapping[str, Any] | None, event: Any, window: KeyWindow, place: Place) -> dict[str, Any]:
    since = window.compromised_since
    word = f"{BY_CLASS[type(event)].name} identity/{place.part}/{place.pos}"
    row = {
        "did": event.did, "key_id": window.id, "valid_from": window.valid_from, "type": window.type,
        "public_key": window.public_key_multibase, "purposes": " ".join(window.purposes),
        "valid_until": window.valid_until, "compromised_since": since, "part": place.part, "pos": place.pos,
        "changed_pos": place.pos, "compromised_by": None if since is None else word,
    }  # fmt: skip
    if known is not None:
        row["pos"] = known["pos"]
        if known["compromised_since"] == since:
            row["compromised_by"] = known["compromised_by"]
    return row
