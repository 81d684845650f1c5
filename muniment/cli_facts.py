"""Verbs on facts: sign, take back, find, set aside."""

import argparse
from collections.abc import Mapping
from typing import Any, Final

from muniment import cli_fact_feed, cli_fact_files
from muniment.cli_given import json_argument
from muniment.cli_options import Verbs, add_noun
from muniment.cli_outcome import Failure
from muniment.cli_output import add_limit, print_result, print_results, taken
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.client import Fact, Subject
from muniment.client.facts import STAR
from muniment.settings import DEFAULT_FEED_ORIGIN

STATUSES: Final = ("active", "revoked", "expired", "quarantined")
COLUMNS: Final[Mapping[str, str]] = {
    "id": "id",
    "kind": "kind",
    "about": "subject.ref",
    "issuer": "issuer_did",
    "status": "status",
    "issued at": "issued_at",
}


def add_verbs(verbs: Verbs) -> None:
    """Add ``facts`` and its verbs."""
    facts = add_noun(verbs, "facts", "sign facts, take them back, find them, follow them")
    _add_writes(facts)
    show = add_client_verb(facts, "show", _show, "show a fact, whatever its status")
    show.add_argument("fact", metavar="FACT", help="its id, fct_…")
    listed = add_client_verb(facts, "list", _list, "list facts, newest first")
    for name in ("kind", "origin", "type", "ref", "issuer"):
        listed.add_argument(f"--{name}", help=f"only those of this {name}")
    listed.add_argument("--status", choices=STATUSES, help="only those of this status [active]")
    listed.add_argument("--as-of", metavar="POSITION", help="as they stood at a position's token or an RFC 3339 time")
    add_limit(listed)
    history = add_client_verb(facts, "history", _history, "list the events of a fact")
    history.add_argument("fact", metavar="FACT", help="its id, fct_…")
    cli_fact_feed.add_verbs(facts)
    cli_fact_files.add_verbs(facts)


def _add_writes(facts: Verbs) -> None:
    star = add_client_verb(facts, "star", _star, "star a playlist of the feed")
    unstar = add_client_verb(facts, "unstar", _unstar, "take one's star of a playlist back")
    for verb in (star, unstar):
        verb.add_argument("playlist", metavar="PLAYLIST", help="the playlist's id")
        verb.add_argument("--reason", help="why")
        verb.add_argument("--origin", default=DEFAULT_FEED_ORIGIN, help=f"its origin [{DEFAULT_FEED_ORIGIN}]")
    issue = add_client_verb(facts, "issue", _issue, "sign a fact of any kind and issue it")
    issue.add_argument("kind", metavar="KIND", help="endorsement.star, rights.grant or identity.link")
    for name in ("origin", "type", "ref"):
        issue.add_argument(f"--{name}", required=True, help=f"the subject's {name}")
    issue.add_argument("--digest", help="the subject's digest: base64 SHA-256 of one exact version")
    issue.add_argument("--body", type=json_argument, default={}, metavar="JSON", help="JSON, @FILE, or - for stdin")
    issue.add_argument("--dry-run", action="store_true", help="only say what would happen")
    revoke = add_client_verb(facts, "revoke", _revoke, "take one's own fact back")
    quarantine = add_client_verb(facts, "quarantine", _quarantine, "set a fact aside, as an admin")
    release = add_client_verb(facts, "release", _release, "let a quarantined fact count again, as an admin")
    for verb in (revoke, quarantine, release):
        verb.add_argument("fact", metavar="FACT", help="its id, fct_…")
    revoke.add_argument("--reason", help="why")
    quarantine.add_argument("--reason", required=True, help="why")


def _said(fact: Fact, what: str) -> str:
    again = " (it was before)" if fact.repeated else ""
    return f"{what} {fact.id}: {fact.kind} on {fact.subject.ref}{again}"


async def _star(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        body = {} if args.reason is None else {"reason": args.reason}
        fact = await client.facts.issue(STAR, Subject(args.origin, "playlist", args.playlist), body)
        print_result(args, fact, _said(fact, "issued"))


async def _unstar(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        key = signed_in(client)
        star = await client.facts.own(STAR, Subject(args.origin, "playlist", args.playlist))
        if star is None:
            raise Failure("not_found", f"{key.did} has no active star on {args.playlist}")
        fact = await client.facts.revoke(star.id, args.reason)
        print_result(args, fact, _said(fact, "revoked"))


async def _issue(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        signed = client.facts.sign(args.kind, Subject(args.origin, args.type, args.ref, args.digest), args.body)
        if args.dry_run:
            _print_preview(args, await client.facts.preview(signed))
            return
        fact = await client.facts.submit(signed)
        print_result(args, fact, _said(fact, "issued"))


def _print_preview(args: argparse.Namespace, found: Mapping[str, Any]) -> None:
    from muniment.cli_output import print_json, print_members  # noqa: PLC0415 - rarely needed

    (print_json if args.json else print_members)(found)


async def _revoke(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        fact = await client.facts.revoke(args.fact, args.reason)
        print_result(args, fact, _said(fact, "revoked"))


async def _quarantine(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        fact = await client.facts.quarantine(args.fact, args.reason)
        print_result(args, fact, _said(fact, "quarantined"))


async def _release(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        fact = await client.facts.release(args.fact)
        print_result(args, fact, _said(fact, "released"))


async def _show(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        print_result(args, await client.facts.get(args.fact))


async def _list(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        names = ("kind", "origin", "type", "ref", "issuer", "status", "as_of")
        filters = {name: getattr(args, name) for name in names}
        size = 100 if args.all else min(100, args.limit)
        print_results(args, await taken(args, client.facts.list(page_size=size, **filters)), COLUMNS)


async def _history(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        events = await client.facts.history(args.fact)
        print_results(
            args, events, {"at": "at", "event": "type", "by": "by", "reason": "reason", "position": "position"}
        )
