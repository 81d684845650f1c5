"""Verbs for operators and auditors: rebuild a projection, audit the log and everything made of it, export it."""

import argparse
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from muniment.cli_options import Verbs, add_settings, add_verb
from muniment.cli_outcome import DONE, FAILED, Failure, usage_error
from muniment.cli_output import positive, print_json, print_members, progress
from muniment.cli_reach import services
from muniment.settings import Settings

ALL: Final = "all"
PLAYLISTS: Final = "playlists"
RECORDS: Final = "records"
REBUILT: Final = ("facts", "signers", PLAYLISTS, "webhooks", "identity", "ledger", RECORDS, "publishing", ALL)
SUPPLY: Final = "supply"
IDENTITY: Final = "identity"
CLIENT_ID: Final = "muniment-cli"


def add_verbs(verbs: Verbs) -> None:
    """Add ``rebuild``, ``audit`` and ``export``."""
    rebuild = add_verb(
        verbs, "rebuild", _rebuild, "build a projection anew from the log beside the live one, and switch"
    )
    rebuild.add_argument("projection", choices=REBUILT, metavar="PROJECTION", help=", ".join(REBUILT))
    audit = add_verb(verbs, "audit", _audit, "replay the log and look for any lie in it, and in what is made of it")
    audit.add_argument(
        "what",
        nargs="?",
        choices=(SUPPLY, IDENTITY),
        help="the tokens of every frame alone, or every DID's operation log from its genesis [all there is]",
    )
    audit.add_argument("--frame", metavar="FRAME", help="the frame whose supply is audited [all]")
    source = audit.add_mutually_exclusive_group()
    source.add_argument("--from-log", action="store_true", help="the log alone, without the projections")
    source.add_argument(
        "--from-export", type=Path, metavar="DIR", help="an export: no broker and no database is needed"
    )
    audit.add_argument("--chain-only", action="store_true", help="follow the hash chain, check no signatures")
    audit.add_argument("--cores", type=positive, metavar="N", help="how many cores check signatures [all]")
    export = add_verb(verbs, "export", _export, "write the log into files that can be audited anywhere")
    export.add_argument("folder", type=Path, metavar="DIR", help="a folder that is absent or empty")
    for verb in (rebuild, audit, export):
        add_settings(verb, ("data", "kafka", "postgres", "name", "feed_origin"))


@contextlib.asynccontextmanager
async def _log(settings: Settings) -> AsyncIterator[Any]:
    """Open the log to read; nothing is created on it."""
    from log.kafka import KafkaLog  # noqa: PLC0415 - the verbs of clients start faster without it
    from muniment.places import kafka_address  # noqa: PLC0415 - as above

    log = KafkaLog(kafka_address(settings), client_id=CLIENT_ID)
    try:
        yield log
    finally:
        await log.close()


@contextlib.asynccontextmanager
async def _postgres(settings: Settings) -> AsyncIterator[Any]:
    from muniment.places import postgres_dsn  # noqa: PLC0415 - as above
    from projections.postgres import Postgres  # noqa: PLC0415 - as above

    postgres = Postgres(postgres_dsn(settings))
    try:
        yield postgres
    finally:
        await postgres.close()


def feed_folders(settings: Settings) -> list[Path]:
    """Give the folders of the feed's generations that lie in the data directory, one for each api process."""
    return sorted((settings.data / "state").glob("*/feed"))


async def _rebuild(args: argparse.Namespace) -> None:
    from muniment.operator import vault_key  # noqa: PLC0415 - as above
    from muniment.serving import READ_WRITERS  # noqa: PLC0415 - as above
    from projections.dump import PROJECTIONS, writing  # noqa: PLC0415 - as above
    from projections.feed_rebuild import rebuild_playlists  # noqa: PLC0415 - as above
    from projections.rebuilding import rebuilds  # noqa: PLC0415 - as above

    settings = services(args)
    async with _log(settings) as log, _postgres(settings) as postgres:
        opened = args.projection in {RECORDS, ALL}
        projections = writing(vault_key(settings)) if opened else PROJECTIONS
        steps: dict[str, Callable[[], Any]] = dict(rebuilds(log, postgres, projections=projections))
        for folder in feed_folders(settings):
            name = PLAYLISTS if PLAYLISTS not in steps else f"{PLAYLISTS} of {folder.parent.name}"
            steps[name] = partial(rebuild_playlists, log, folder, origin=settings.feed_origin, writers=READ_WRITERS)
        wanted = [name for name in steps if args.projection in {ALL, name.split(" ")[0]}]
        if not wanted:
            raise Failure("not_found", f"{settings.data} holds no state of {args.projection}")
        for name in wanted:
            with progress(args) as bar:
                bar.add_task(f"rebuilding {name}", total=None)
                rebuilt = await steps[name]()
            found = {"projection": name, **asdict(rebuilt)}
            (print_json if args.json else print_members)(found)


async def _audit(args: argparse.Namespace) -> int:
    if args.what == SUPPLY:
        return await _audit_supply(args)
    if args.frame is not None:
        raise usage_error("--frame is of `muniment audit supply`")
    return await (_audit_identity(args) if args.what == IDENTITY else _audit_all(args))


async def _audit_supply(args: argparse.Namespace) -> int:
    from muniment.supply_auditing import audit_exported_supply, audit_supply, summary  # noqa: PLC0415 - as above

    if args.chain_only:
        raise usage_error("--chain-only checks no supply")
    with progress(args) as bar:
        bar.add_task("supply", total=None)
        if args.from_export is not None:
            if not args.from_export.is_dir():
                raise usage_error(f"{args.from_export} is no directory")
            verdict = await audit_exported_supply(args.from_export, args.frame)
        else:
            async with _log(services(args, postgres=False)) as log:
                verdict = await audit_supply(log, args.frame)
    if args.frame is not None and verdict.holds and not verdict.frames:
        raise Failure("not_found", f"there is no frame {args.frame}")
    if args.json:
        print_json(verdict.as_json())
    else:
        print(summary(verdict), flush=True)
    return DONE if verdict.holds else FAILED


async def _audit_identity(args: argparse.Namespace) -> int:
    from muniment.identity_auditing import audit_exported_identity, audit_identity, summary  # noqa: PLC0415 - as above

    if args.chain_only:
        raise usage_error("--chain-only checks no operations")
    with progress(args) as bar:
        bar.add_task("identity", total=None)
        if args.from_export is not None:
            if not args.from_export.is_dir():
                raise usage_error(f"{args.from_export} is no directory")
            verdict = await audit_exported_identity(args.from_export)
        else:
            async with _log(services(args, postgres=False)) as log:
                verdict = await audit_identity(log)
    if args.json:
        print_json(verdict.as_json())
    else:
        print(summary(verdict), flush=True)
    return DONE if verdict.holds else FAILED


async def _audit_all(args: argparse.Namespace) -> int:
    from muniment.auditing import AuditOptions, audit_export, summary  # noqa: PLC0415 - as above

    with progress(args) as bar:
        task = bar.add_task("commands", total=None)

        def on_progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        options = AuditOptions(cores=args.cores, chain_only=args.chain_only, on_progress=on_progress)
        if args.from_export is not None:
            if not args.from_export.is_dir():
                raise usage_error(f"{args.from_export} is no directory")
            verdict = await audit_export(args.from_export, options)
        else:
            verdict = await _audit_running(args, options)
    if args.json:
        print_json(verdict.as_json())
    else:
        print(summary(verdict), flush=True)
    return DONE if verdict.holds else FAILED


async def _audit_running(args: argparse.Namespace, options: Any) -> Any:
    from domain.catalog import CONTEXTS  # noqa: PLC0415 - as above
    from log import status, topic  # noqa: PLC0415 - as above
    from muniment import audited_projections  # noqa: PLC0415 - as above
    from muniment.auditing import audit_log, status_of  # noqa: PLC0415 - as above
    from muniment.operator import has_vault_key, vault_key  # noqa: PLC0415 - as above
    from muniment.vault_opening import opening  # noqa: PLC0415 - as above

    settings = services(args, postgres=not args.from_log)
    async with _log(settings) as log:
        if args.from_log or args.chain_only:
            verdict = await audit_log(log, (), options)
        else:
            partitions = await log.partitions(topic.events(CONTEXTS[0]))
            feeds = feed_folders(settings)
            async with (
                _postgres(settings) as postgres,
                audited_projections.opened(
                    postgres, feeds, partitions=partitions, origin=settings.feed_origin
                ) as dumps,
            ):
                if has_vault_key(settings):
                    options = replace(options, keys_of=opening(postgres, vault_key(settings)))
                verdict = await audit_log(log, dumps, options)
        await status.publish(log, "audit", status.AUDITOR, status_of(verdict))
        return verdict


async def _export(args: argparse.Namespace) -> None:
    from muniment.exporting import ExportRefused, export  # noqa: PLC0415 - as above

    settings = services(args, postgres=False)
    async with _log(settings) as log:
        with progress(args) as bar:
            task = bar.add_task("records", total=None)
            try:
                records = await export(
                    log, args.folder, lambda done, total: bar.update(task, completed=done, total=total)
                )
            except ExportRefused as error:
                raise Failure("export_refused", str(error)) from None
    outcome = {"records": records, "folder": str(args.folder)}
    (print_json if args.json else print_members)(outcome)
