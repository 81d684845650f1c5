"""Verbs that run processes: the whole stack, or one process for production."""

import argparse
from collections.abc import Mapping
from typing import Final

from muniment.cli_options import Verbs, add_verb, settings_of
from muniment.settings import TABLE

UP_SETTINGS: Final = (
    "data", "port", "rate_limits", "partitions", "kafka", "postgres", "webhook_targets", "feed_origin", "issuer",
    "subject_types", "log_level", "first_frame", "transfer_timeout", "audit_every", "event_readers",
    "records_per_owner", "record_bytes_per_owner", "service_key_days", "post_collections", "follow_collection",
    "profile_collection",
)  # fmt: skip
PROCESSES: Final[Mapping[str, str]] = {
    "api": "run an api: it checks, appends, reads, and serves the feed",
    "decide": "run a decider: the only writer of the partitions that it is given",
    "project": "run a projector: decisions become rows in PostgreSQL",
    "react": "run a reactor: webhooks, expiry, and the feed's backfill",
}


def add_verbs(verbs: Verbs) -> None:
    """Add ``up`` and the single processes."""
    up = add_verb(verbs, "up", _up, "start broker, PostgreSQL and every process, until a signal", settings=UP_SETTINGS)
    up.set_defaults(url=None)
    for role, doc in PROCESSES.items():
        names = [setting.name for setting in TABLE if setting.name not in {"url", "registry"}]
        add_verb(verbs, role, _process, doc, settings=names).set_defaults(role=role)


def _up(args: argparse.Namespace) -> int:
    from muniment.up import up  # noqa: PLC0415 - the other verbs start faster without it

    return up(settings_of(args), as_json=args.json)


def _process(args: argparse.Namespace) -> None:
    from muniment.processes import run_process  # noqa: PLC0415 - as above

    run_process(args.role, settings_of(args))
