"""The api process: its parts, put together on the feed's store and the read models."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry

from api.assembly import serving
from api.feed import feed_of
from api.metrics import Metrics
from api.rate_limits import InvalidRateLimits, RateLimits
from api.replies import Replies
from api.service_keys import InvalidServiceKey, ServiceKeys, service_key_of_text
from api.session_tokens import Sessions
from api.wiring import CONTEXT, Api, ApiSettings
from log import topic
from log.status import StatusBoard, keep_publishing
from muniment.operator import sealing_key
from muniment.places import Place, postgres_dsn, together
from muniment.settings import InvalidSetting, Settings
from projections.feed_store import FeedStore
from projections.issued import write_issued
from projections.mirror import Writer
from projections.postgres import Postgres
from projections.reads import Reads
from projections.used_nonces import UsedNonces

READ_WRITERS: Final[Sequence[Writer]] = (write_issued,)
"""What an api process keeps in its store besides the feed."""


def service_keys(settings: Settings) -> ServiceKeys:
    """Give the keys that sign sessions: the one that is set, or the files of the data directory, made if need be.

    Raises InvalidSetting.
    """
    try:
        if settings.service_key is not None:
            return ServiceKeys([service_key_of_text(settings.service_key)])
        return ServiceKeys(folder=settings.keys)
    except InvalidServiceKey as error:
        raise InvalidSetting(f"the service's key: {error}") from None


def rate_limits(settings: Settings) -> RateLimits:
    """Read the rate limits. Raises InvalidSetting."""
    try:
        return RateLimits.of_setting(settings.rate_limits)
    except InvalidRateLimits as error:
        raise InvalidSetting(f"MUNIMENT_RATE_LIMITS: {error}") from None


def public_url(settings: Settings) -> str:
    """Give the URL that sessions name as their issuer."""
    return settings.issuer or settings.url or f"http://{settings.host}:{settings.port}"


async def serve(place: Place) -> None:
    """Serve the api until cancelled."""
    settings = place.settings
    replies = Replies()
    limits, sealing = rate_limits(settings), sealing_key(settings)
    postgres = Postgres(postgres_dsn(settings))
    sessions = Sessions(service_keys(settings), public_url(settings), UsedNonces(postgres))
    store = FeedStore(
        place.log,
        settings.state(place.role) / "feed",
        origin=settings.feed_origin,
        writers=READ_WRITERS,
        on_decided=replies.on_decided,
    )
    try:
        api = Api(
            log=place.log,
            mirror=store.mirror,
            replies=replies,
            sessions=sessions,
            rate_limits=limits,
            metrics=Metrics(),
            sealing_key=sealing,
            status=StatusBoard(),
            partitions=await place.log.partitions(topic.commands(CONTEXT)),
            settings=_api_settings(settings),
            reads=Reads(postgres),
            feed=feed_of(store),
            health={"broker": place.address.servers},
        )
        with place.metrics_served(_registry(api)):
            async with serving(api, settings.host, settings.port):
                said = keep_publishing(place.log, place.name, "api", lambda: _standing(api))
                await together(store.run(), api.status.follow(place.log), said)
    finally:
        store.close()
        await postgres.close()


def _api_settings(settings: Settings) -> ApiSettings:
    return ApiSettings(
        subject_types=settings.subject_types,
        feed_origin=settings.feed_origin,
        any_webhook_target=settings.webhook_targets == "any",
        hook_secret=settings.hook_secret,
        transfer_timeout_ms=settings.transfer_timeout * 1000,
    )


def _registry(api: Api) -> CollectorRegistry:
    return api.metrics.registry


def _standing(api: Api) -> Mapping[str, Any]:
    reached = {f"{context}/{part}": offset for (context, part), offset in api.mirror.reached.items()}
    return {"position": reached, "awaiting": len(api.replies)}
