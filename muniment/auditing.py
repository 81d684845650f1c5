"""`muniment audit`: the log, or an export of it, and every projection against it; the first difference ends it."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

from log import released
from log.log import Log
from log.message import Message
from muniment.exported import Exported
from processors.audit import Audit, Ends, ends_of
from processors.audit_chain import check_chain
from processors.audit_roles import Roles
from processors.audit_rows import Dump, Expected, compare
from processors.audit_source import LogSource
from processors.audit_supply import SupplyAudit
from processors.audit_verdict import Difference, Differs, Source, Verdict

POOL_FROM_COMMANDS: Final = 4_000
"""Fewer commands than these are checked sooner than more processes have started."""

LEDGER: Final = "ledger"
RULING: Final = "ruling"

OnProgress = Callable[[int, int], None]


def _quiet(_done: int, _total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """How an audit runs: ``cores`` for signatures (all, when absent), ``chain_only`` to follow the hash chain alone.

    ``patience_s`` is how long a log that ends in messages that don't count is waited for.
    """

    cores: int | None = None
    chain_only: bool = False
    patience_s: float = 5.0
    on_progress: OnProgress = _quiet


async def audit_log(log: Log, dumps: Sequence[Dump] = (), options: AuditOptions | None = None) -> Verdict:
    """Audit what lies on the log, and each dump of a projection as of its own marks. Raises LogUnavailable."""
    return await audit_source(LogSource(log), dumps, options)


async def audit_export(folder: Path, options: AuditOptions | None = None) -> Verdict:
    """Audit an export, with no broker and no database: every byte of its files first, then what they say."""
    try:
        exported = Exported(folder)
        exported.check()
        # An export says no more than it does: nothing is waited for.
        verdict = await audit_source(exported, (), replace(options or AuditOptions(), patience_s=0.0))
    except Differs as found:
        verdict = Verdict(difference=found.difference)
    verdict.scope = "export"
    return verdict


async def audit_source(source: Source, dumps: Sequence[Dump] = (), options: AuditOptions | None = None) -> Verdict:
    """Audit every context of a source."""
    options = options or AuditOptions()
    if options.chain_only:
        return _joined([await check_chain(source, context) for context in released.contexts()], "chain")
    # What a context cites of one before it was decided there before: so the last one's ends are asked for first.
    ends = {context: await ends_of(source, context) for context in reversed(released.contexts())}
    verdicts: list[Verdict] = []
    roles: Roles | None = None
    for context in released.contexts():
        here = [dump for dump in dumps if dump.context == context]
        verdict, roles = await _audit_context(_Part(source, context, ends[context], roles), here, options)
        verdicts.append(verdict)
        if not verdict.holds:
            break
    return _joined(verdicts, "log and projections" if dumps else "log")


class _Part(NamedTuple):
    """One context of a source, up to its ends, and the roles that it cites."""

    source: Source
    context: str
    ends: Ends
    roles: Roles | None


async def _audit_context(part: _Part, dumps: Sequence[Dump], options: AuditOptions) -> tuple[Verdict, Roles | None]:
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="muniment-audit-")))
        executor = _pool(held, sum(part.ends.commands.values()), options)
        expected = [Expected(dump, folder / f"rows-{index}") for index, dump in enumerate(dumps)]
        for one in expected:
            held.callback(one.close)

        def fold_rows(message: Message, events: Sequence[Any], at: int) -> None:
            for one in expected:
                one.take(message, events, at)

        audit = Audit(
            part.source,
            part.context,
            folder,
            roles=part.roles,
            ends=part.ends,
            executor=executor,
            on_decision=fold_rows,
            on_progress=options.on_progress,
            patience_s=options.patience_s,
        )
        verdict = await audit.run()
        if part.context == LEDGER:
            await _count_supply(part.source, verdict)
        if verdict.holds:
            try:
                for one in expected:
                    verdict.projections[one.dump.projection] = await compare(one)
            except Differs as found:
                verdict.difference = found.difference
        return verdict, audit.roles


async def _count_supply(source: Source, verdict: Verdict) -> None:
    """Count every frame's tokens from postings alone; of a decision that isn't by the rules that says what is wrong."""
    supply = SupplyAudit(source)
    verdict.supplies = {each.frame_id: each.as_json() for each in await supply.advance()}
    found, before = supply.difference, verdict.difference
    if found is not None and (before is None or (before.rule == RULING and before.place == found.place)):
        verdict.difference = found


def _pool(held: ExitStack, commands: int, options: AuditOptions) -> Executor | None:
    cores = options.cores or os.cpu_count() or 1
    if commands < POOL_FROM_COMMANDS or cores == 1:
        return None
    return held.enter_context(ProcessPoolExecutor(cores, mp_context=get_context("spawn")))


def _joined(verdicts: Sequence[Verdict], scope: str) -> Verdict:
    """Give one verdict over all contexts."""
    whole = Verdict(scope=scope)
    for verdict in verdicts:
        for name in ("decisions", "commands", "events", "facts", "signatures", "refusals", "undecodable", "skipped"):
            setattr(whole, name, getattr(whole, name) + getattr(verdict, name))
        whole.pending += verdict.pending
        whole.genesis = whole.genesis or verdict.genesis
        whole.positions |= verdict.positions
        whole.projections |= verdict.projections
        whole.supplies |= verdict.supplies
        whole.duration_s += verdict.duration_s
        whole.difference = whole.difference or verdict.difference
    return whole


def summary(verdict: Verdict) -> str:
    """Write a verdict for people: a few lines, the first difference last."""
    lines = [
        f"decisions   {verdict.decisions:,} ({verdict.refusals:,} refusals), {verdict.skipped:,} messages skipped",
        f"facts       {verdict.facts:,}",
        f"signatures  {verdict.signatures:,} verified",
    ]
    if verdict.pending:
        lines.append(f"pending     {verdict.pending:,} commands are not decided yet")
    lines += [f"projection  {name}: {rows:,} rows equal" for name, rows in verdict.projections.items()]
    lines += [
        f"supply      {frame}: {each['tokens_circulating']} micro-AVT" for frame, each in verdict.supplies.items()
    ]
    lines += [f"position    {where}/{offset}" for where, offset in sorted(verdict.positions.items())]
    lines.append(f"duration    {verdict.duration_s:.1f} s")
    difference: Difference | None = verdict.difference
    lines.append("no difference found" if difference is None else f"first difference: {difference}")
    return "\n".join(lines)


def status_of(verdict: Verdict) -> Mapping[str, Any]:
    """Give what operators are shown of the last audit."""
    return verdict.as_json()
