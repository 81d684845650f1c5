"""`muniment audit supply`: every frame's tokens counted again from the log, or from an export of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from log.log import Log
from muniment.exported import Exported
from processors.audit_source import LogSource
from processors.audit_supply import FrameSupply, SupplyAudit
from processors.audit_verdict import Difference, Differs, Source

LOOK_AGAIN_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class SupplyVerdict:
    """Every frame's supply, and the first difference, if there is one."""

    frames: Sequence[FrameSupply]
    difference: Difference | None

    @property
    def holds(self) -> bool:
        """Say whether no difference was found."""
        return self.difference is None

    def as_json(self) -> dict[str, Any]:
        """Give the verdict as a JSON object."""
        difference = None if self.difference is None else asdict(self.difference)
        return {"holds": self.holds, "frames": [each.as_json() for each in self.frames], "difference": difference}


async def audit_supply(log: Log, frame: str | None = None, patience_s: float = 5.0) -> SupplyVerdict:
    """Audit the supply on a log; ``patience_s`` is how long a log that ends in what doesn't count is waited for.

    Raises LogUnavailable.
    """
    return await _audited(LogSource(log), frame, patience_s)


async def audit_exported_supply(folder: Path, frame: str | None = None) -> SupplyVerdict:
    """Audit the supply in an export: every byte of its files first, then what they say."""
    try:
        exported = Exported(folder)
        exported.check()
        return await _audited(exported, frame, 0.0)
    except Differs as found:
        return SupplyVerdict((), found.difference)


async def _audited(source: Source, frame: str | None, patience_s: float) -> SupplyVerdict:
    audit = SupplyAudit(source)
    figures = await audit.advance()
    while patience_s > 0 and audit.broken() is not None:
        await asyncio.sleep(LOOK_AGAIN_S)
        patience_s -= LOOK_AGAIN_S
        figures = await audit.advance()
    if frame is None:
        return SupplyVerdict(figures, audit.difference or audit.broken())
    of_frame = audit.difference_of(frame) or audit.broken()
    return SupplyVerdict([each for each in figures if each.frame_id == frame], of_frame)


def summary(verdict: SupplyVerdict) -> str:
    """Write a verdict for people: a line for each frame, in micro-AVT, and the first difference last."""
    lines = [_line(each) for each in verdict.frames] or ["no frame"]
    if verdict.difference is not None:
        lines.append(f"first difference: {verdict.difference}")
    return "\n".join(lines)


def _line(of: FrameSupply) -> str:
    equation = f"{of.tokens_issued} issued - {of.tokens_destroyed} destroyed + {of.transit_net} transit_net"
    figures = f"{equation} == {of.tokens_circulating} circulating, {of.in_flight} in flight"
    return f"{of.frame_id}: {figures}: {'holds at' if of.holds else 'fails at'} {of.position}"
