"""The rows of the ledger's projection as an auditor folds them from events, by code that shares none with it."""

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from processors import audit_ledger_money, audit_ledger_nouns
from processors.audit_ledger_money import posted
from processors.audit_ledger_nouns import written_card
from processors.audit_ledger_sheet import SUMS, Sheet, Where
from processors.audit_rows import AUXILIARY, Change, Get, RowRules

COUNTED: Final = AUXILIARY + "counted"
"""How many events and postings of the decision that was read last were folded."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS: Final = 253_402_300_799_999
AS_TEXT: Final = frozenset({
    "amount", "fee", "grant", "due", "budget", "paid", "shortfall", "power", "yes", "no", "abstain", "electorate",
    "volume", "circulating", "genesis_grant", "velocity_bps",
})  # fmt: skip
"""Members of an event that are decimal strings in JSON."""
AS_TIME: Final = frozenset({"deadline", "expires_at", "unlocks_at", "timeout_at", "ends_at"})
"""Members of an event that are RFC 3339 in JSON."""


class LedgerRows(RowRules):
    """The ledger projection: every table of it, and every event as JSON."""

    def change(self, get: Get, event: Any, place: tuple[int, int], at: int) -> Iterable[Change]:
        """Give the rows that an event changes."""
        counted = get(COUNTED) or {}
        index, posting = counted.get("next", (0, 0)) if counted.get("place") == [*place] else (0, 0)
        where, sheet = Where(*place, index, at), Sheet(get)
        for folds in (audit_ledger_money.FOLDS, audit_ledger_nouns.FOLDS):
            fold = folds.get(type(event))
            if fold is not None:
                fold(sheet, event, where)
        if getattr(event, "postings", None):
            posting = posted(sheet, event, where, posting)
        sheet.put(
            "ledger_events", frame_id=event.frame_id, part=where.part, pos=where.pos, idx=index, at=at,
            type=type(event).__name__, event=written(event),
        )  # fmt: skip
        sheet.changed[COUNTED] = {"place": [*place], "next": [index + 1, posting]}
        return sheet.changed.items()

    def found(self, row: Any) -> Any:
        """Give a row as these rules write theirs: sums as decimal text, a card as text."""
        told = {name: str(value) if name in SUMS and type(value) is int else value for name, value in row.items()}
        if isinstance(told.get("card"), dict):
            told["card"] = written_card(told["card"])
        return told


def written(event: Any) -> str:
    """Write an event as JSON in the conventions of the API, an agent's card behind all else."""
    said = _said(event)
    card = said.pop("card", None)
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return text if card is None else f'{text[:-1]},"card":{card}}}'


def _said(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_said(each) for each in value]
    if not is_dataclass(value):
        return value
    said: dict[str, Any] = {}
    for each in fields(value):
        member = getattr(value, each.name)
        if member is None:
            continue
        if each.name in AS_TEXT:
            said[each.name] = str(member)
        else:
            said[each.name] = _moment(member) if each.name in AS_TIME else _said(member)
    return said


def _moment(at_ms: int) -> str:
    """Write a time as RFC 3339, one behind the year 9999 as that year's end."""
    moment = EPOCH + timedelta(milliseconds=min(max(at_ms, 0), LAST_MS))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
