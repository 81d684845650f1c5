"""Verbs for readers: feeds, profiles, search, and a tip for what was read."""

import argparse
from collections.abc import Sequence

from muniment.cli_amounts import avt, avt_argument
from muniment.cli_options import Verbs, add_noun
from muniment.cli_output import add_limit, print_result, print_results, taken
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.client import Post, Profile

LANGUAGES = ("en", "de", "fr", "es")
PERSON = "a DID or a handle"


def add_verbs(verbs: Verbs) -> None:
    """Add ``feeds``, ``profile``, ``search`` and ``tip``."""
    feeds = add_noun(verbs, "feeds", "read posts, newest first")
    author = add_client_verb(feeds, "author", _author, "read what somebody posted")
    author.add_argument("did", metavar="DID", help="whose posts")
    following = add_client_verb(feeds, "following", _following, "read what those posted whom one follows")
    profile = add_client_verb(verbs, "profile", _profile, "show people, with whom they follow and who follows them")
    profile.add_argument("ids", nargs="+", metavar="WHO", help=PERSON)
    search = add_client_verb(verbs, "search", _search, "find posts, or people, by words")
    search.add_argument("q", metavar="WORDS", help='words, "a phrase", or, -without')
    search.add_argument("--profiles", action="store_true", help="find people, also by handles that look alike")
    search.add_argument("--lang", choices=LANGUAGES, help="take words by their stems in this language")
    for listed in (author, following, search):
        add_limit(listed)
    tip = add_client_verb(verbs, "tip", _tip, "move AVT from an account of one's own to another, for a record")
    tip.add_argument("sender", metavar="FROM", help="the account that pays, acc_…")
    tip.add_argument("receiver", metavar="TO", help="the account that is paid, acc_…")
    tip.add_argument("amount", type=avt_argument, metavar="AMOUNT", help="AVT with at most six decimals, 1.5")
    tip.add_argument("record", metavar="RECORD", help="the record's uri, mun://…")
    tip.add_argument("--no-wait", action="store_true", help="don't wait for the end of one across registries")


async def _author(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        _print_posts(args, await taken(args, client.feeds.author(args.did)))


async def _following(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        _print_posts(args, await taken(args, client.feeds.following()))


async def _profile(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        if len(args.ids) == 1:
            found = await client.profiles.get(args.ids[0])
            print_result(args, found, f"{found.display_name or found.handle or found.did}: {_counts(found)}")
            return
        _print_profiles(args, await client.profiles.get_many(args.ids))


async def _search(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        if args.profiles:
            _print_profiles(args, await taken(args, client.search.profiles(args.q, lang=args.lang)))
        else:
            _print_posts(args, await taken(args, client.search.posts(args.q, lang=args.lang)))


async def _tip(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        sent = await client.ledger.transfers.tip(
            args.sender, args.receiver, args.amount, args.record, wait=not args.no_wait
        )
        amount = "" if sent.amount is None else f": {avt(sent.amount)}"
        print_result(args, sent, f"{sent.status} {sent.id}{amount} for {args.record}")


def _print_posts(args: argparse.Namespace, posts: Sequence[Post]) -> None:
    print_results(args, posts, {"AT": "indexed_at", "URI": "uri", "SAYS": "value.text"})


def _print_profiles(args: argparse.Namespace, people: Sequence[Profile]) -> None:
    columns = {"HANDLE": "handle", "NAME": "display_name", "FOLLOWERS": "followers", "FOLLOWING": "following"}
    print_results(args, people, {"DID": "did", **columns, "POSTS": "posts"})


def _counts(found: Profile) -> str:
    return f"{found.followers} followers, {found.following} followed, {found.posts} posts"
