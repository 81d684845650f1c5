"""The ledger's events as they are read: every one of a frame in its order, as JSON in the conventions of the API.

Amounts are decimal strings and times RFC 3339, as everywhere over HTTP; an agent's card is the object that it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final

from domain.catalog import CATALOG
from log.strict_json import dump
from projections.generations import Table
from projections.lines import line
from projections.postgres import Transaction
from projections.rows import Place, appending
from projections.times import written_time

EVENTS: Final = Table(
    "ledger_events", ("frame_id", "part", "pos", "idx", "at", "type", "event"), ("frame_id", "pos", "idx")
)
DEFINITION: Final = """
CREATE TABLE {schema}.ledger_events (
  frame_id text COLLATE "C" NOT NULL, part integer NOT NULL, pos bigint NOT NULL, idx integer NOT NULL,
  at bigint NOT NULL, type text COLLATE "C" NOT NULL, event text NOT NULL, PRIMARY KEY (frame_id, pos, idx));
CREATE INDEX ledger_events_at ON {schema}.ledger_events (frame_id, at, pos);
"""
LEDGER_EVENTS: Final[tuple[type, ...]] = tuple(
    entry.cls for entry in CATALOG if entry.context == "ledger" and entry.role == "event"
)
LARGE: Final = frozenset({
    "amount", "fee", "grant", "due", "budget", "paid", "shortfall", "power", "yes", "no", "abstain", "electorate",
    "volume", "circulating", "genesis_grant", "velocity_bps",
})  # fmt: skip
"""Members that can pass 2^53, which are decimal strings."""
TIMES: Final = frozenset({"deadline", "expires_at", "unlocks_at", "timeout_at", "ends_at"})
CARD: Final = "card"


def members(value: Any) -> Any:
    """Give a part of an event as JSON's values."""
    if isinstance(value, tuple):
        return [members(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {
            name: write(found) for name, write in writers(type(value)) if (found := getattr(value, name)) is not None
        }
    return value


@cache
def writers(cls: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Give for each member of a class how it is written."""
    by_name: Mapping[str, Callable[[Any], Any]] = dict.fromkeys(LARGE, str) | dict.fromkeys(TIMES, written_time)
    return tuple((each.name, by_name.get(each.name, members)) for each in fields(cls))


def written(event: Any) -> str:
    """Write an event; members that are None are left out."""
    card = getattr(event, CARD, None)
    if card is None:
        return dump(members(event)).decode()
    rest = dump({name: found for name, found in members(event).items() if name != CARD}).decode()
    return f'{rest[:-1]},"{CARD}":{card}}}'


class Events:
    """What a batch makes of events: each goes to Postgres while the next are decoded."""

    def __init__(self, schema: str) -> None:
        self._new = appending(schema, EVENTS)

    def add(self, event: Any, place: Place) -> None:
        """Take one event."""
        part, pos, idx, at = place
        self._new.add(
            line((event.frame_id, str(part), str(pos), str(idx), str(at), type(event).__name__, written(event)))
        )

    async def send(self, transaction: Transaction) -> None:
        """Send those taken so far."""
        await self._new.send(transaction)

    async def save(self, transaction: Transaction) -> None:
        """Send the rest and wait until Postgres has them."""
        await self._new.end(transaction)
