"""The api process: its parts, put together on the feed's store and the read models."""

import logging
import resource
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiohttp
from prometheus_client import CollectorRegistry

from api.assembly import serving
from api.event_bounds import EventBounds
from api.feed import feed_of
from api.gateway_collections import GatewayCollections
from api.metrics import Metrics
from api.rate_limits import InvalidRateLimits, RateLimits
from api.registry_sessions import RegistrySessions
from api.replies import Replies
from api.service_key_files import keys_kept_in
from api.service_keys import InvalidServiceKey, ServiceKeys, service_keys_of_text
from api.session_tokens import Sessions
from api.vault import Vaults
from api.wiring import CONTEXT, Api, ApiSettings
from domain.json_value import JsonValue
from log import topic
from log.jwks import KEY_SET_PATH
from log.status import StatusBoard, keep_publishing
from muniment.media import media_depot
from muniment.operator import sealing_key, vault_key
from muniment.places import Place, postgres_dsn
from muniment.press import opened_anchorage
from muniment.settings import InvalidSetting, Settings
from processors.feed_backfill import read_json
from processors.together import together
from projections.feed_store import FeedStore
from projections.issued import write_issued
from projections.mirror import Writer
from projections.postgres import Postgres
from projections.reads import Reads
from projections.record_events import write_record_events
from projections.used_nonces import UsedNonces
from projections.vault_keys import VaultKeys

journal = logging.getLogger("muniment.api")

READ_WRITERS: Final[Sequence[Writer]] = (write_issued, write_record_events)
"""What an api process keeps in its store besides the feed."""
OWN_FILES: Final = 1_000
"""How many files and connections an api process may have besides those of the event stream's readers."""


def service_keys(settings: Settings) -> ServiceKeys:
    """Give the keys that sign sessions: those that are set, or the files of the data directory, made if need be.

    Raises InvalidSetting.
    """
    try:
        if settings.service_key is not None:
            return ServiceKeys(service_keys_of_text(settings.service_key))
        return keys_kept_in(settings.keys)
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


def visitors(settings: Settings, http: aiohttp.ClientSession) -> RegistrySessions:
    """Give what checks sessions as a service elsewhere would, by the keys that it fetches."""
    issuer = public_url(settings)
    url = settings.key_set or issuer + KEY_SET_PATH

    async def fetch() -> JsonValue:
        try:
            return await read_json(http, url)
        except ConnectionError as error:
            journal.warning("keys_unavailable", extra={"url": url, "detail": str(error)})
            raise

    return RegistrySessions(issuer, fetch)


async def serve(place: Place) -> None:
    """Serve the api until cancelled."""
    settings = place.settings
    _make_room(settings.event_readers + OWN_FILES)
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
    vaults = Vaults(VaultKeys(postgres, vault_key(settings)), store.mirror)
    media = media_depot(settings, sealing)
    http = aiohttp.ClientSession()
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
            vaults=vaults,
            media=media,
            visitors=visitors(settings, http),
            feed=feed_of(store),
            open_values=vaults.open_values,
            health={"broker": place.address.servers},
        )
        with place.metrics_served(_registry(api)):
            async with opened_anchorage(settings) as api.anchorage, serving(api, settings.host, settings.port):
                said = keep_publishing(place.log, place.name, "api", lambda: _standing(api))
                await together(store.run(), api.status.follow(place.log), said)
    finally:
        await http.close()
        store.close()
        await postgres.close()


def _api_settings(settings: Settings) -> ApiSettings:
    return ApiSettings(
        subject_types=settings.subject_types,
        feed_origin=settings.feed_origin,
        any_webhook_target=settings.webhook_targets == "any",
        hook_secret=settings.hook_secret,
        transfer_timeout_ms=settings.transfer_timeout * 1000,
        records_per_owner=settings.records_per_owner,
        record_bytes_per_owner=settings.record_bytes_per_owner,
        event_bounds=EventBounds(readers=settings.event_readers),
        gateway=GatewayCollections(settings.post_collections, settings.follow_collection, settings.profile_collection),
    )


def _make_room(files: int) -> None:
    """Let this process have so many files open, connections among them, as far as the machine lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _registry(api: Api) -> CollectorRegistry:
    return api.metrics.registry


def _standing(api: Api) -> Mapping[str, Any]:
    reached = {f"{context}/{part}": offset for (context, part), offset in api.mirror.reached.items()}
    return {"position": reached, "awaiting": len(api.replies), "event_readers": len(api.events.readers)}
