"""Verbs on the feed's playlists, and the feed that runs apart from the registry."""

import argparse

from muniment.cli_given import file_argument
from muniment.cli_options import Verbs, add_noun
from muniment.cli_output import add_limit, print_result, print_results, taken
from muniment.cli_reach import add_client_verb, reached, signed_in


def add_verbs(verbs: Verbs) -> None:
    """Add ``playlists`` and its verbs."""
    playlists = add_noun(verbs, "playlists", "post and find the feed's playlists")
    post = add_client_verb(playlists, "post", _post, "post a playlist, as an admin or publisher")
    doc = "JSON with id, slug, title, created and items; - for standard input"
    post.add_argument("playlist", type=file_argument, metavar="FILE", help=doc)
    listed = add_client_verb(playlists, "list", _list, "list the playlists by their time of creation")
    listed.add_argument("--starred", action="store_true", help="only those that a curator's active star is on")
    listed.add_argument("--order", choices=("asc", "desc"), default="desc", help="oldest or newest first [desc]")
    add_limit(listed)
    show = add_client_verb(playlists, "show", _show, "show a playlist and its last stars")
    show.add_argument("playlist", metavar="PLAYLIST", help="its id")


async def _post(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        playlist = await client.playlists.post(args.playlist)
        print_result(args, playlist, f"posted {playlist.id}: {playlist.title}")


async def _list(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        size = 100 if args.all else min(100, args.limit)
        star = True if args.starred else None
        listed = client.playlists.list(star=star, sort="created", order=args.order, page_size=size)
        columns = {"id": "id", "title": "title", "created": "created", "star": "star"}
        print_results(args, await taken(args, listed), columns)


async def _show(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        print_result(args, await client.playlists.get(args.playlist))
