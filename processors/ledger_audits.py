"""The ledger's auditors as tasks: supply, settlement and invariants, which go on with one reading of the log.

Each reads on from where the last of them stood, so the log is read once. None of them asks for anything: run again they
find the same. What one found stays until its process starts anew, and reads the log from its beginning.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from processors.audit_findings import Findings
from processors.audit_invariants import Invariants
from processors.audit_reading import LedgerReading
from processors.audit_settlement import Settlement
from processors.audit_supply import AMOUNTS, Supply
from processors.audit_verdict import Source
from processors.reactor_metrics import (
    INVARIANTS_HOLD,
    OLDEST_UNSETTLED,
    SETTLEMENT_AGREES,
    SUPPLY,
    SUPPLY_HOLDS,
    TREASURY,
    UNSETTLED,
)
from processors.task import DIFFERS, DONE, Run

journal = logging.getLogger("muniment.reactors")


class LedgerAudits:
    """Three auditors of one reading; ``clock`` gives ms."""

    def __init__(self, source: Source, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._reading, self._clock = LedgerReading(source), clock
        self._supply, self._settlement = Supply(self._reading), Settlement(self._reading)
        self._invariants = Invariants(self._reading)
        self._one_reads = asyncio.Lock()
        self.found: Mapping[str, Any] | None = None
        """When each frame's supply was last counted (ms), and what it was, as JSON."""

    async def supply(self) -> Run:
        """Count every frame's tokens. Raises LogUnavailable."""
        await self._read_on()
        frames = self._supply.check()
        for each in frames:
            SUPPLY_HOLDS.labels(each.frame_id).set(each.holds)
            for figure in AMOUNTS:
                SUPPLY.labels(each.frame_id, figure).set(getattr(each, figure))
        self.found = {"at": self._clock(), "frames": [each.as_json() for each in frames]}
        return _run("supply", self._supply.findings, {"frames": len(frames)})

    async def settlement(self) -> Run:
        """Compare both sides of each transfer across registries. Raises LogUnavailable."""
        await self._read_on()
        unsettled, now = self._settlement.check(), self._clock()
        run = _run("settlement", self._settlement.findings, unsettled.as_json(now))
        for frame_id in self._reading.frames:
            SETTLEMENT_AGREES.labels(frame_id).set(self._settlement.findings.of(frame_id) is None)
        for answer, count in unsettled.answers.items():
            UNSETTLED.labels(answer).set(count)
        OLDEST_UNSETTLED.set(run.said["oldest_s"])
        return run

    async def invariants(self) -> Run:
        """Compare treasuries, stakes and escrow with what lies there for a reason. Raises LogUnavailable."""
        await self._read_on()
        frames = self._invariants.check()
        for each in frames:
            INVARIANTS_HOLD.labels(each.frame_id).set(each.holds)
            for registry_id, parts in each.treasuries.items():
                for part, amount in parts.items():
                    TREASURY.labels(each.frame_id, registry_id, part).set(amount)
        counted = {
            "treasuries": sum(len(each.treasuries) for each in frames),
            "stakes": sum(each.stakes for each in frames),
            "payments": sum(each.payments for each in frames),
            "reward_days": sum(each.days for each in frames),
        }
        return _run("invariants", self._invariants.findings, counted)

    async def _read_on(self) -> None:
        # Two that read at once would hear an event twice.
        async with self._one_reads:
            await self._reading.read_on()


def _run(auditor: str, findings: Findings, said: Mapping[str, Any]) -> Run:
    difference = findings.first()
    if difference is None:
        return Run(DONE, said)
    journal.error("ledger_differs", extra={"auditor": auditor, "place": difference.place, "rule": difference.rule})
    shown = {"place": difference.place, "rule": difference.rule, "detail": difference.detail}
    return Run(DIFFERS, {**said, "difference": shown})
