"""Playlists: a publisher posts them, and they are kept as sent."""

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from api.intent import idempotency_key, request_hash, session_intent
from api.problems import invalid
from api.results import PlaylistView, write
from api.route import Asked, Route, Who
from api.shapes import Shape, Text, WriteQuery
from api.times import InvalidTime, read_time
from domain.facts.playlist import PostPlaylist
from log import strict_json

ITEMS_MAX = 10_000
TITLE_MAX = 512


class PlaylistRequest(Shape):
    """A playlist; ``items`` are kept as sent."""

    id: Text
    slug: Text
    title: Annotated[str, Field(min_length=1, max_length=TITLE_MAX)]
    created: Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
    items: Annotated[list[dict[str, Any]], Field(max_length=ITEMS_MAX)]


def _check(asked: Asked) -> None:
    try:
        read_time(asked.body.created)
    except InvalidTime as error:
        raise invalid("/created", str(error)) from None


async def post(asked: Asked) -> web.StreamResponse:
    """Post a playlist."""
    body: PlaylistRequest = asked.body
    payload = PostPlaylist(
        body.id,
        body.slug,
        body.title,
        read_time(body.created),
        strict_json.dump(body.items).decode(),
        asked.api.authority(asked.caller.identity),
    )
    asked_hash = request_hash("POST /playlists", {}, asked.json)
    return await write(
        asked, session_intent(asked.caller, asked_hash, idempotency_key(asked.request), body.id, payload)
    )


ROUTES = [
    Route(
        "POST",
        "/playlists",
        post,
        "Post a playlist, or replace one's own",
        Who.PUBLISHER,
        PlaylistRequest,
        WriteQuery,
        {201: PlaylistView},
        ("idempotency_conflict", "log_unavailable", "outcome_unknown", "not_the_publisher"),
        _check,
    ),
]
