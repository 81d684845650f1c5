"""What the handlers of one api process share, put together once by the process that serves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api import session_standing
from api.caller import Caller
from api.event_bounds import EventBounds
from api.gateway_collections import GatewayCollections
from api.log_ends import LogEnds
from domain.facts.kinds import SUBJECT_TYPES
from domain.facts.signer import signer
from log.checking import Checker
from log.log import Log
from log.topic import partition_of
from projections.mirror import Mirror

if TYPE_CHECKING:
    from api.media_depot import Depot
    from api.metrics import Metrics
    from api.rate_limits import RateLimits
    from api.registry_sessions import RegistrySessions
    from api.replies import Replies
    from api.session_tokens import Sessions
    from api.vault import Vaults
    from log.status import StatusBoard

CONTEXT = "facts"


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What can be set about an api process.

    ``subject_types`` is the list of subject types; ``feed_origin`` the origin whose playlists the feed shows;
    ``any_webhook_target`` allows targets on this host and in private networks; ``hook_secret`` checks what other
    registries send (``whsec_…``); ``decision_timeout_s`` is how long a write waits for its decision.
    """

    subject_types: tuple[str, ...] = SUBJECT_TYPES
    feed_origin: str = "feed.ff"
    any_webhook_target: bool = False
    hook_secret: str | None = None
    decision_timeout_s: float = 10.0
    transfer_timeout_ms: int = 60_000
    """How long a transfer across registries waits to be accepted before it is given up."""
    event_bounds: EventBounds = field(default_factory=EventBounds)
    records_per_owner: int = 1_000_000
    record_bytes_per_owner: int = 1 << 30
    """What a vault holds at most; bytes are those of the values as RFC 8785 writes them."""
    gateway: GatewayCollections = field(default_factory=GatewayCollections)


@dataclass(slots=True)
class Api:
    """The parts of one api process.

    ``reads`` is what the read routes ask (they know its type), ``feed`` what the feed's routes ask.
    """

    log: Log
    mirror: Mirror
    replies: "Replies"
    sessions: "Sessions"
    rate_limits: "RateLimits"
    metrics: "Metrics"
    sealing_key: bytes = field(repr=False)
    status: "StatusBoard"
    partitions: int
    settings: ApiSettings = field(default_factory=ApiSettings)
    checker: Checker = field(default_factory=Checker)
    reads: Any = None
    vaults: "Vaults | None" = None
    """Owners' keys; without them no value is written."""
    media: "Depot | None" = None
    """Where media are kept."""
    visitors: "RegistrySessions | None" = None
    """Checks sessions by the published keys, for routes that are served as if elsewhere; without it, as all others."""
    feed: Any = None
    events: Any = None
    """The event stream and its readers, where the routes that tell of it are served."""
    open_values: Any = None
    """Opens sealed values of records for the event stream; without it events come without them."""
    anchorage: Any = None
    """The chain, where this process asks one (`api.anchorage` knows its type)."""
    health: Mapping[str, Any] = field(default_factory=dict)
    """What an operator is told besides what the processes report, the broker's bootstrap address for one."""

    record_ends: LogEnds = field(init=False)
    """Where the log of the records ends now."""
    caught_up: bool = True
    """Whether the mirror holds what the log held when serving began; until then nobody's roles are known."""

    def __post_init__(self) -> None:
        self.record_ends = LogEnds(self.log, "records", self.partitions)

    def roles(self, identity: str) -> frozenset[str]:
        """Give a DID's roles as the log has them now; none for a revoked signer."""
        known = signer(self.mirror.store, identity)  # type: ignore[arg-type]  # only asked by key
        return frozenset() if known is None or known.revoked_at is not None else frozenset(known.roles)

    def standing(self, caller: Caller) -> Caller | None:
        """Give a caller whose session stands by the log as it is now; nothing for one whose session is over."""
        return session_standing.standing(self.mirror, caller)

    def partition(self, key: str) -> int:
        """Give the partition of a key."""
        return partition_of(key, self.partitions)

    def authority(self, identity: str) -> str:
        """Name the position at which a DID was seen to have its roles: ``context/partition/offset``."""
        partition = self.partition(identity)
        return f"{CONTEXT}/{partition}/{self.mirror.reached.get((CONTEXT, partition), -1)}"
