"""The feed: playlists with their stars, out of the key-value store of the process that is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict

from api.freshness import ReadModel, as_of, wait_until_fresh
from api.pages import page, read_cursor, write_cursor
from api.problems import ProblemError
from api.route import Asked, Route, json_response
from api.shapes import FreshQuery, Maybe, PageQuery
from api.times import rfc3339
from api.wiring import CONTEXT
from domain.json_value import JsonObject, JsonValue
from log import strict_json
from projections.feed import Recent
from projections.feed_store import FeedStore
from projections.feed_view import FeedView, Shown

DP_VERSION = "1.0.0"


@dataclass(frozen=True, slots=True)
class Feed:
    """What the feed's routes ask; ``contexts`` are those whose positions ``reached`` knows."""

    view: FeedView
    reached: ReadModel
    contexts: Sequence[str] = (CONTEXT,)


def feed_of(store: FeedStore) -> Feed:
    """Give the feed of an api process that follows the registry's log."""
    return Feed(store.view, store.mirror)


class StarView(BaseModel):
    """An active star; ``position`` is the token of the change by which it is active."""

    model_config = ConfigDict(title="Star")

    fact_id: str
    issuer_did: str
    issued_at: str
    reason: str | None = None
    position: str


class PlaylistView(BaseModel):
    """A playlist with its stars; ``stars_recent`` are the last 10, newest first."""

    model_config = ConfigDict(title="Playlist")

    dpVersion: Literal["1.0.0"]  # noqa: N815  # the name on the wire
    id: str
    slug: str
    title: str
    star: bool
    created: str
    items: list[dict[str, Any]]
    stars_recent: list[StarView]


class PlaylistPage(BaseModel):
    """Playlists in the order of ``created``."""

    items: list[PlaylistView]
    next_cursor: str | None


def _flag(value: object) -> object:
    return {"true": True, "false": False}.get(value, "") if isinstance(value, str) else value


class PlaylistsQuery(PageQuery):
    """``star=true``: starred playlists only; ``false``: only those without a star; absent: all."""

    star: Maybe[Annotated[bool, BeforeValidator(_flag)]] = None
    sort: Literal["created"] = "created"
    order: Literal["asc", "desc"] = "desc"


def _feed(asked: Asked) -> Feed:
    if asked.api.feed is None:
        raise ProblemError("read_model_unavailable")
    return cast("Feed", asked.api.feed)


def star_view(star: Recent) -> JsonObject:
    """Write a star; one without a reason has no member for it."""
    given: Mapping[str, JsonValue] = {} if star.reason is None else {"reason": star.reason}
    issued_at = rfc3339(star.issued_at)
    return {
        "fact_id": star.fact_id,
        "issuer_did": star.issuer_did,
        "issued_at": issued_at,
        **given,
        "position": star.position,
    }


def playlist_view(shown: Shown) -> JsonObject:
    """Write a playlist joined with its stars."""
    playlist = shown.playlist
    return {
        "dpVersion": DP_VERSION,
        "id": playlist.playlist_id,
        "slug": playlist.slug,
        "title": playlist.title,
        "star": shown.starred,
        "created": rfc3339(playlist.created),
        "items": strict_json.parse_own(playlist.items),
        "stars_recent": [star_view(star) for star in shown.recent],
    }


async def show(asked: Asked) -> web.StreamResponse:
    """Show a playlist."""
    feed = _feed(asked)
    await wait_until_fresh(feed.reached, asked.query, feed.contexts)
    headers = as_of(feed.reached)
    shown = feed.view.playlist(asked.path("id"))
    if shown is None:
        raise ProblemError("not_found", "there is no playlist of this id", headers=headers)
    return json_response(playlist_view(shown), headers=headers)


async def browse(asked: Asked) -> web.StreamResponse:
    """List playlists by the time they were created."""
    feed, query = _feed(asked), asked.query
    filters: Mapping[str, JsonValue] = {"of": "playlists", "star": query.star, "sort": query.sort, "order": query.order}
    after = None if query.cursor is None else read_cursor(query.cursor, filters, (int, str))
    await wait_until_fresh(feed.reached, query, feed.contexts)
    headers = as_of(feed.reached)
    found, more = feed.view.page(
        starred=query.star,
        descends=query.order == "desc",
        after=None if after is None else (cast("int", after[0]), cast("str", after[1])),
        limit=query.limit,
    )
    last = found[-1].playlist if found else None
    cursor = write_cursor(filters, (last.created, last.playlist_id)) if more and last is not None else None
    return json_response(page([playlist_view(shown) for shown in found], cursor), headers=headers)


ROUTES = [
    Route(
        "GET",
        "/playlists",
        browse,
        "List playlists by the time they were created",
        query_model=PlaylistsQuery,
        responses={200: PlaylistPage},
        problems=("invalid_cursor", "not_caught_up"),
    ),
    Route(
        "GET",
        "/playlists/{id}",
        show,
        "Show a playlist with its stars",
        query_model=FreshQuery,
        responses={200: PlaylistView},
        problems=("not_found", "not_caught_up"),
    ),
]
