"""The routes of a feed that runs apart from its registry: what every feed shows, the hook, and its own playlists."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from aiohttp import web
from pydantic import BaseModel

from api import feed, registry_hook
from api.caller import Caller
from api.feed import Feed
from api.freshness import POSITION, not_caught_up
from api.operations import metrics
from api.playlists import PlaylistRequest
from api.problems import ProblemError, invalid
from api.registry_sessions import RegistrySessions, Visitor
from api.results import PlaylistView
from api.route import ROLES_OF, Asked, Route, Who, json_response
from api.shapes import WriteQuery
from api.times import InvalidTime, read_time, rfc3339
from api.wiring import Api
from log.log import AppendUnknown, LogUnavailable
from log.token import write_token
from log.topic import FACTS_INGEST
from projections import feed_keys
from projections.feed_messages import playlist_message
from projections.feed_queue import CONTEXT, QueueFold

BEARER = "Bearer "


@dataclass(slots=True)
class FeedApi(Api):
    """The parts of a feed process; ``healed`` says whether the last backfill reached the registry.

    ``stands`` asks the registry whether the session of a token was ended; raises ConnectionError.
    """

    queue: QueueFold = field(kw_only=True)
    visitors: RegistrySessions = field(kw_only=True)
    stands: Callable[[str], Awaitable[bool]] = field(kw_only=True)
    healed: bool = False

    def roles(self, identity: str) -> frozenset[str]:
        """Give no roles: they are the registry's to say, in a session's token."""
        del identity
        return frozenset()

    def standing(self, caller: Caller) -> Caller:
        """Take a session by its token: what the registry says of it is asked where something is posted."""
        return caller


class FeedHealthView(BaseModel):
    """Whether the feed can serve, and whether it hears the registry."""

    status: str
    registry: str
    highwater: str | None = None


def _api(asked: Asked) -> FeedApi:
    return cast("FeedApi", asked.api)


async def _publisher(asked: Asked) -> Visitor:
    """Give who asks, with a role that may post; raises ``unauthenticated`` and ``forbidden``."""
    header = asked.request.headers.get("Authorization", "")
    token = header.removeprefix(BEARER)
    visitor = await _api(asked).visitors.admit(token) if header.startswith(BEARER) else None
    if visitor is None or not await _stands(asked, token):
        detail = "open a session at the registry first: POST /auth/nonce there"
        raise ProblemError("unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})
    if visitor.roles.isdisjoint(ROLES_OF[Who.PUBLISHER]):
        raise ProblemError("forbidden", "this needs the role admin or publisher")
    return visitor


async def _stands(asked: Asked, token: str) -> bool:
    try:
        return await _api(asked).stands(token)
    except ConnectionError:
        detail = "the registry can't be asked now whether the session stands"
        raise ProblemError("read_model_unavailable", detail, headers={"Retry-After": "5"}) from None


def _check(asked: Asked) -> None:
    try:
        read_time(asked.body.created)
    except InvalidTime as error:
        raise invalid("/created", str(error)) from None


async def post(asked: Asked) -> web.StreamResponse:
    """Post a playlist onto the queue; it is answered once the store shows it."""
    visitor = await _publisher(asked)
    api, body = _api(asked), asked.body
    created = read_time(body.created)
    _check_publisher(api, body.id, visitor)
    view = {"dpVersion": feed.DP_VERSION, "id": body.id, "slug": body.slug, "title": body.title}
    answer = view | {"created": rfc3339(created), "items": body.items}
    if asked.query.dry_run:
        return json_response(answer, 201)
    record = playlist_message(
        playlist_id=body.id,
        slug=body.slug,
        title=body.title,
        created=created,
        items=body.items,
        posted_by=visitor.identity,
    )
    try:
        # Durable once this answers: the store can be lost from here on.
        offset = await (await api.log.append(FACTS_INGEST, 0, [record]))
    except AppendUnknown:
        raise ProblemError("outcome_unknown") from None
    except LogUnavailable:
        raise ProblemError("log_unavailable", headers={"Retry-After": "1"}) from None
    place = {(CONTEXT, 0): offset}
    if not await api.queue.wait_for(place, api.settings.decision_timeout_s):
        raise not_caught_up()
    _check_publisher(api, body.id, visitor)
    return json_response(answer, 201, {POSITION: write_token(place)})


def _check_publisher(api: FeedApi, playlist_id: str, visitor: Visitor) -> None:
    """Refuse to replace another's playlist; asked again afterwards, because two may post at once."""
    shown = cast("Feed", api.feed).view.playlist(playlist_id)
    if shown is not None and shown.playlist.posted_by != visitor.identity:
        raise ProblemError("not_the_publisher", members={"id": playlist_id})


async def health(asked: Asked) -> web.StreamResponse:
    """Say whether the feed can serve; without its registry it goes on with what it knows."""
    api = _api(asked)
    known = api.queue.store.get(feed_keys.HIGHWATER)
    body = {"status": "ok" if api.healed else "degraded", "registry": "ok" if api.healed else "unavailable"}
    return json_response(body if known is None else body | {"highwater": known[0]})


ROUTES: Sequence[Route] = [
    *feed.ROUTES,
    *registry_hook.ROUTES,
    Route(
        "POST",
        "/playlists",
        post,
        "Post a playlist, or replace one's own, with a session of the registry",
        request_model=PlaylistRequest,
        query_model=WriteQuery,
        responses={201: PlaylistView},
        problems=(
            "unauthenticated",
            "forbidden",
            "not_the_publisher",
            "log_unavailable",
            "read_model_unavailable",
            "outcome_unknown",
        ),
        shape=_check,
    ),
    Route("GET", "/health", health, "Whether the feed can serve", responses={200: FeedHealthView}, limited=False),
    Route("GET", "/metrics", metrics, "Metrics for Prometheus", response_type="text/plain", limited=False),
]
