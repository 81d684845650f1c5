"""Expiry: a fact whose time is over becomes expired through an event, never by a clock in a reader."""

import time
from itertools import islice
from typing import Final

from domain.facts.fact import ExpireFact
from log.dids import InvalidDid, parse_did
from processors.agenda import Agenda
from processors.agenda_entries import number
from processors.reactor_commands import Ask, ReactorCommands
from processors.reactor_metrics import EXPIRED

EXPIRED_AT_ONCE: Final = 1000
ASK_AGAIN_MS: Final = 10_000
"""The log's clock decides, and may be behind this one: a refusal is final for its command, so each span has its own."""


class Expiring:
    """Asks for the end of the facts whose time is over."""

    def __init__(self, agenda: Agenda, commands: ReactorCommands) -> None:
        self._agenda, self._commands = agenda, commands

    async def ask(self, now: int | None = None) -> int:
        """Ask for the end of those over now (ms; the machine's clock), some at once; give how many that were.

        Raises LogUnavailable or AppendUnknown: asking again is harmless.
        """
        at = time.time_ns() // 1_000_000 if now is None else now
        asks = []
        for key, _ in islice(self._agenda.store.scan("expires/"), EXPIRED_AT_ONCE):
            _, when, fact_id = key.split("/", 2)
            if when > number(at):
                break
            fact = self._agenda.fact(fact_id)
            if fact is None:
                raise LookupError(f"the agenda has the end of a fact that it hasn't: {fact_id}")
            content = f"expire:{fact_id}:{at // ASK_AGAIN_MS}"
            asks.append(Ask(_partition_key(fact.issuer_did), content, ExpireFact(fact_id), fact.partition))
        if asks:
            await self._commands.append(asks)
            EXPIRED.inc(len(asks))
        return len(asks)


def _partition_key(issuer_did: str) -> str:
    """Give the key that all commands about an issuer's facts have: one text for every spelling of its DID."""
    try:
        return parse_did(issuer_did).identity
    except InvalidDid:
        return issuer_did
