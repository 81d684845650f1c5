"""The ledger projection: frames, registries, developers, agents, accounts and all that moves money between them.

One batch reads the rows that its events are about, folds the events on them in the order of the log, and writes what
changed; events themselves go to Postgres as they come. An account's partition is its frame's, so balances after each
posting are computed in memory, whatever else is read meanwhile.
"""

from collections.abc import Sequence
from typing import Any

from log.following import Decided
from projections import (
    ledger_accounts,
    ledger_agents,
    ledger_developers,
    ledger_events,
    ledger_frames,
    ledger_payments,
    ledger_postings,
    ledger_proposals,
    ledger_registries,
    ledger_stakes,
    ledger_transfers,
)
from projections.generations import Batch, Table
from projections.postgres import Transaction
from projections.rows import Noun, Place

DEFINITIONS = (
    ledger_frames.DEFINITION,
    ledger_registries.DEFINITION,
    ledger_developers.DEFINITION,
    ledger_agents.DEFINITION,
    ledger_accounts.DEFINITION,
    ledger_postings.DEFINITION,
    ledger_transfers.DEFINITION,
    ledger_payments.DEFINITION,
    ledger_stakes.DEFINITION,
    ledger_proposals.DEFINITION,
    ledger_events.DEFINITION,
)


def nouns(schema: str) -> Sequence[Noun]:
    """Begin what a batch makes of each noun, in the order in which they fold one event."""
    accounts, payments = ledger_accounts.Accounts(schema), ledger_payments.Payments(schema)
    return (
        accounts,
        payments,
        ledger_postings.Postings(schema, accounts, payments),
        ledger_frames.Frames(schema),
        ledger_registries.Registries(schema),
        ledger_developers.Developers(schema),
        ledger_agents.Agents(schema),
        ledger_transfers.Transfers(schema),
        ledger_stakes.Stakes(schema),
        ledger_proposals.Proposals(schema),
    )


class LedgerBatch:
    """What a batch makes of the ledger's events."""

    def __init__(self, schema: str) -> None:
        self._events, self._nouns = ledger_events.Events(schema), nouns(schema)
        self._of: dict[type, list[Noun]] = {event: [] for event in ledger_events.LEDGER_EVENTS}
        for noun in self._nouns:
            for event in noun.events:
                self._of[event].append(noun)
        self._taken: list[tuple[Any, Place]] = []
        self._decision, self._next = (-1, -1), 0

    def take(self, event: Any, decided: Decided, at: int) -> None:
        """Keep one event, and note what it is about."""
        decision = decided.partition, decided.offset
        if decision != self._decision:
            self._decision, self._next = decision, 0
        place = Place(*decision, self._next, at)
        self._next += 1
        self._taken.append((event, place))
        self._events.add(event, place)
        for noun in self._of[type(event)]:
            noun.want(event)

    async def drain(self, transaction: Transaction) -> None:
        """Send the events taken so far."""
        await self._events.send(transaction)

    async def write(self, transaction: Transaction) -> None:
        """Fold all events on the rows as they were, and write what changed."""
        await self._events.save(transaction)
        for noun in self._nouns:
            await noun.load(transaction)
        for event, place in self._taken:
            for noun in self._of[type(event)]:
                noun.fold(event, place)
        for noun in self._nouns:
            await noun.save(transaction)


class LedgerProjection:
    """The ledger as it is read."""

    name = "ledger"
    context = "ledger"
    events: tuple[type, ...] = ledger_events.LEDGER_EVENTS
    tables: Sequence[Table] = (
        ledger_frames.FRAMES,
        ledger_registries.REGISTRIES,
        ledger_developers.DEVELOPERS,
        ledger_agents.AGENTS,
        ledger_accounts.ACCOUNTS,
        ledger_accounts.FREEZES,
        ledger_postings.POSTINGS,
        ledger_transfers.TRANSFERS,
        ledger_payments.PAYMENTS,
        ledger_stakes.STAKES,
        ledger_proposals.PROPOSALS,
        ledger_proposals.VOTES,
        ledger_events.EVENTS,
    )

    def definition(self, schema: str) -> str:
        """Write the statements that make its tables."""
        return "".join(definition.format(schema=schema) for definition in DEFINITIONS)

    def batch(self, schema: str) -> Batch:
        """Begin a batch."""
        return LedgerBatch(schema)
