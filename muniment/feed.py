"""``muniment feed``: a feed with its own store that knows the registry by webhook and delta feed alone."""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast

import aiohttp
import uvloop

from api.assembly import serving
from api.feed import Feed
from api.feed_process import ROUTES, FeedApi
from api.metrics import Metrics
from api.rate_limits import RateLimits
from api.registry_sessions import RegistrySessions
from api.replies import Replies
from api.session_tokens import Sessions
from api.webhooks import new_secret
from api.wiring import ApiSettings
from log.jwks import KEY_SET_PATH
from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.log import Log, LogUnavailable, Topic
from log.status import StatusBoard
from log.store import MemoryStore, Store
from log.topic import FACTS_INGEST
from muniment.client import Client
from muniment.client.refusals import ClientError
from muniment.signing_key import SigningKey
from muniment.stack import embedded
from muniment.stack.data_directory import write_private
from muniment.stack.embedded import Stack
from muniment.stack.ports import LOOPBACK
from processors.feed_backfill import RemoteFacts, Since, backfill_forever, read_json
from processors.together import together
from projections.feed import DEFAULT_ORIGIN
from projections.feed_queue import CONTEXT, Held, QueueFold, follow_queue
from projections.feed_view import FeedView
from projections.mirror import Mirror

journal = logging.getLogger("muniment.feed")

DEFAULT_DATA: Final = Path(".muniment-feed")
DEFAULT_PORT: Final = 8090
BACKFILL_EVERY_S: Final = 60.0
REGISTER_RETRY_S: Final = 5.0
LOG_RETRY_S: Final = 0.5
ASKING_TIMEOUT_S: Final = 5.0
SECRET_FILE: Final = "keys/hook.secret"  # noqa: S105  # where it lies, not what it is
NO_POSTGRES: Final = "none"
"""A feed has no database: named as external, none is started."""


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """What a feed process is run with.

    ``registry`` is the registry's URL, ``issuer`` the name that its sessions have (its URL where absent); ``secret``
    checks webhooks; ``signing_key`` is an admin's, with which the feed registers its own; ``public_url`` is where the
    registry reaches this process.
    """

    registry: str
    data: Path = DEFAULT_DATA
    host: str = LOOPBACK
    port: int = DEFAULT_PORT
    kafka: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    signing_key: Path | None = None
    public_url: str | None = None
    issuer: str | None = None
    origin: str = DEFAULT_ORIGIN
    rate_limits: str = "default"
    backfill_every_s: float = BACKFILL_EVERY_S

    @property
    def hook_url(self) -> str:
        """Give the URL to which the registry sends."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/") + "/registry-hook"


def run(settings: FeedSettings) -> int:
    """Run a feed until SIGINT, SIGTERM or SIGHUP and give the exit status; raises StackError and KeyFileError."""
    key = None if settings.signing_key is None else SigningKey.load(settings.signing_key)

    async def serve(stack: Stack) -> None:
        log = KafkaLog(KafkaAddress.parse(stack.services.kafka), client_id="muniment-feed")
        try:
            await _prepared(log)
            store = Store(stack.directory.path / "state" / "feed")
            try:
                await serve_feed(log, store, settings, key, on_ready=lambda url: print(_ready(url), flush=True))
            finally:
                store.close()
        finally:
            await log.close()

    stack = embedded.Settings(settings.data, settings.port, settings.kafka, NO_POSTGRES)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(embedded.run(stack, on_ready=serve))
    return 0


def _ready(url: str) -> str:
    return f"muniment feed is ready on {url}"


async def _prepared(log: Log) -> None:
    """Create the queue; a broker that isn't there yet is waited for."""
    while True:
        try:
            await log.create([Topic(FACTS_INGEST, 1)])
        except LogUnavailable:
            await asyncio.sleep(LOG_RETRY_S)
        else:
            return


async def serve_feed(
    log: Log,
    store: Store | MemoryStore,
    settings: FeedSettings,
    key: SigningKey | None = None,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Consume the queue, heal by the delta feed, and serve, until cancelled."""
    queue = QueueFold(Held(store), settings.origin)
    async with aiohttp.ClientSession() as session:
        api = _assembled(log, queue, settings, session)
        since = _watched(RemoteFacts(session, settings.registry), api)
        async with serving(api, settings.host, settings.port, ROUTES) as port:
            on_ready(f"http://{settings.host}:{port}")
            healing = backfill_forever(
                log,
                since,
                every_s=settings.backfill_every_s,
                wanted=queue.wanted,
                failed=lambda error: _failed(api, error),
            )
            registering = [] if key is None else [_keep_registered(api, settings, key)]
            await together(follow_queue(log, queue), healing, *registering)


def _assembled(log: Log, queue: QueueFold, settings: FeedSettings, session: aiohttp.ClientSession) -> FeedApi:
    registry = settings.registry.rstrip("/")
    visitors = RegistrySessions(settings.issuer or registry, lambda: read_json(session, registry + KEY_SET_PATH))
    return FeedApi(
        log=log,
        mirror=cast("Mirror", queue),  # the feed's routes ask nothing of it but how far it is
        replies=Replies(),
        sessions=cast("Sessions", visitors),  # asked for callers and the issuer only
        rate_limits=RateLimits.of_setting(settings.rate_limits),
        metrics=Metrics(),
        sealing_key=b"",
        status=StatusBoard(),
        partitions=1,
        settings=ApiSettings(feed_origin=settings.origin, hook_secret=hook_secret(settings)),
        feed=Feed(FeedView(Held(queue.store)), queue, (CONTEXT,)),
        queue=queue,
        visitors=visitors,
        stands=lambda token: _stands(session, registry + "/auth/session", token),
    )


async def _stands(http: aiohttp.ClientSession, url: str, token: str) -> bool:
    """Ask the registry whether a session stands. Raises ConnectionError."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        timeout = aiohttp.ClientTimeout(total=ASKING_TIMEOUT_S)
        async with http.get(url, headers=headers, timeout=timeout, allow_redirects=False) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ConnectionError(type(error).__name__) from error
    if status not in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}:
        raise ConnectionError(f"status {status}")
    return status == HTTPStatus.OK


def hook_secret(settings: FeedSettings) -> str | None:
    """Give the secret that webhooks are checked by; with a key to register one, it is made on the first start."""
    path = settings.data / SECRET_FILE
    if settings.secret is not None:
        return settings.secret
    if settings.signing_key is None:
        return None
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, new_secret().encode())
    return path.read_text().strip()


def _watched(since: Since, api: FeedApi) -> Since:
    async def watched(cursor: str) -> "dict[str, object]":
        page = dict(await since(cursor))
        api.healed = True
        return page

    return watched


def _failed(api: FeedApi, error: Exception) -> None:
    api.healed = False
    journal.warning("feed_backfill_failed", extra={"detail": str(error)})


async def _keep_registered(api: FeedApi, settings: FeedSettings, key: SigningKey) -> None:
    """Register this feed's webhook where it isn't there yet; the registry being away is waited out."""
    while True:
        try:
            async with Client(settings.registry, key) as client:
                await register(client, settings.hook_url, str(api.settings.hook_secret), settings.data)
        except ClientError as error:
            journal.warning("feed_webhook_not_registered", extra={"detail": str(error)})
            await asyncio.sleep(REGISTER_RETRY_S)
        else:
            return


async def register(client: Client, url: str, secret: str, data: Path) -> None:
    """Let the registry send to this URL with this secret; done once for each data directory. Raises ClientError."""
    done = data / "state" / "webhook"
    known = done.read_text().strip() if done.exists() else None
    print_of = hashlib.sha256(secret.encode()).hexdigest()
    async for webhook in client.webhooks.list():
        if webhook.url == url and webhook.status == "active":
            if f"{webhook.id} {print_of}" != known:
                await client.webhooks.rotate(webhook.id, secret)
            break
    else:
        webhook = await client.webhooks.create(url, secret=secret, idempotency_key=f"feed-{secrets.token_hex(8)}")
    done.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    done.write_text(f"{webhook.id} {print_of}")
