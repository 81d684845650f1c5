"""`muniment audit identity`: every operation log re-verified from genesis, from the log or from an export of it."""

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from log.log import Log
from muniment.exported import Exported
from processors.audit_identity_reading import Figures, IdentityAudit
from processors.audit_source import LogSource
from processors.audit_verdict import Difference, Differs, Source

LOOK_AGAIN_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class IdentityVerdict:
    """What was re-verified, and the first difference, if there is one."""

    figures: Figures
    difference: Difference | None

    @property
    def holds(self) -> bool:
        """Say whether no difference was found."""
        return self.difference is None

    def as_json(self) -> dict[str, Any]:
        """Give the verdict as a JSON object."""
        difference = None if self.difference is None else asdict(self.difference)
        return {"holds": self.holds, **asdict(self.figures), "difference": difference}


async def audit_identity(log: Log, patience_s: float = 5.0) -> IdentityVerdict:
    """Audit the operation logs on a log; ``patience_s`` is how long one that ends in what doesn't count is waited for.

    Raises LogUnavailable.
    """
    return await audited(LogSource(log), patience_s)


async def audit_exported_identity(folder: Path) -> IdentityVerdict:
    """Audit the operation logs in an export: every byte of its files first, then what they say."""
    try:
        exported = Exported(folder)
        exported.check()
        return await audited(exported, 0.0)
    except Differs as found:
        return IdentityVerdict(Figures(), found.difference)


async def audited(source: Source, patience_s: float) -> IdentityVerdict:
    """Audit the operation logs of a source."""
    audit = IdentityAudit(source)
    difference = await audit.run()
    while patience_s > 0 and difference is None and audit.broken() is not None:
        await asyncio.sleep(LOOK_AGAIN_S)
        patience_s -= LOOK_AGAIN_S
        difference = await audit.run()
    return IdentityVerdict(audit.figures, difference or audit.broken())


def summary(verdict: IdentityVerdict) -> str:
    """Write a verdict for people: a few lines, the first difference last."""
    figures = verdict.figures
    lines = [
        f"DIDs        {figures.dids:,}",
        f"operations  {figures.operations:,} ({figures.nullified:,} nullified)",
        f"signatures  {figures.signatures:,} verified",
        *(f"position    {where}/{offset}" for where, offset in sorted(figures.positions.items())),
        "no difference found" if verdict.difference is None else f"first difference: {verdict.difference}",
    ]
    return "\n".join(lines)
