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
from processors.audit_identity_reading import IdentityAudit
from processors.audit_roles import Roles
from processors.audit_rows import Dump, Expected, compare
from processors.audit_sealed import KeysOf, SealedAudit
from processors.audit_signing_keys import SigningKeys
from processors.audit_source import LogSource
from processors.audit_supply import SupplyAudit
from processors.audit_verdict import Difference, Differs, Source, Verdict

POOL_FROM_COMMANDS: Final = 4_000
"""Fewer commands than these are checked sooner than more processes have started."""

IDENTITY: Final = "identity"
LEDGER: Final = "ledger"
RECORDS: Final = "records"
RULING: Final = "ruling"

OnProgress = Callable[[int, int], None]


def _quiet(_done: int, _total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """How an audit runs: ``cores`` for signatures (all, when absent), ``chain_only`` to follow the hash chain alone.

    ``patience_s`` is how long a log that ends in messages that don't count is waited for; ``keys_of`` gives the keys
    that open sealed values, which are only counted without it.
    """

    cores: int | None = None
    chain_only: bool = False
    patience_s: float = 5.0
    on_progress: OnProgress = _quiet
    keys_of: KeysOf | None = None


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
    cited = _Cited(None, SigningKeys(), IdentityAudit(source))
    for context in released.contexts():
        here = [dump for dump in dumps if dump.context == context]
        verdict, roles = await _audit_context(_Part(source, context, ends[context], cited), here, options)
        cited = cited._replace(roles=roles)
        verdicts.append(verdict)
        if not verdict.holds:
            break
    else:
        # Every context was heard up to ends that identity was read past.
        verdicts[-1].difference = cited.keys.check(cited.identity.citations)
    return _joined(verdicts, "log and projections" if dumps else "log")


class _Cited(NamedTuple):
    """What contexts cite of others: roles from the first, and keys of identity, whose audit knows their windows."""

    roles: Roles | None
    keys: SigningKeys
    identity: IdentityAudit


class _Part(NamedTuple):
    """One context of a source, up to its ends, and what it cites."""

    source: Source
    context: str
    ends: Ends
    cited: _Cited


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
            roles=part.cited.roles,
            keys=part.cited.keys,
            ends=part.ends,
            executor=executor,
            on_decision=fold_rows,
            on_progress=options.on_progress,
            patience_s=options.patience_s,
        )
        verdict = await audit.run()
        if part.context == LEDGER:
            await _count_supply(part.source, verdict)
        if part.context == IDENTITY:
            _say(await part.cited.identity.run(), verdict)
        if part.context == RECORDS:
            sealed = SealedAudit(part.source, options.keys_of)
            _say(await sealed.run(), verdict)
            verdict.sealed = sealed.figures.as_json()
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
    _say(supply.difference, verdict)


def _say(found: Difference | None, verdict: Verdict) -> None:
    """Let a reading of events alone say what it found where deciding again found nothing, or less."""
    before = verdict.difference
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
        whole.sealed |= verdict.sealed
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
    lines += _sealed_lines(verdict.sealed)
    lines += [f"position    {where}/{offset}" for where, offset in sorted(verdict.positions.items())]
    lines.append(f"duration    {verdict.duration_s:.1f} s")
    difference: Difference | None = verdict.difference
    lines.append("no difference found" if difference is None else f"first difference: {difference}")
    return "\n".join(lines)


def _sealed_lines(sealed: Mapping[str, int]) -> list[str]:
    """Write what became of sealed values, where there are any."""
    said = {
        "opened": "opened",
        "erased": "erased",
        "tampered": "tampered with",
        "unopened": "not opened: their keys are not here",
    }
    told = [f"{sealed[name]:,} {words}" for name, words in said.items() if sealed.get(name)]
    lines = [f"sealed      values: {', '.join(told)}"] if told else []
    if sealed.get("keys_left"):
        lines.append(f"sealed      {sealed['keys_left']:,} erased owners' keys are still there")
    return lines


def status_of(verdict: Verdict) -> Mapping[str, Any]:
    """Give what operators are shown of the last audit."""
    return verdict.as_json()
