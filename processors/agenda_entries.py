"""The entries of an agenda and the keys that they lie under; numbers in keys are padded: text order is theirs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from domain.facts.fact import FactExpired, FactIssued, FactQuarantined, FactReleased, FactRevoked
from domain.facts.mark import FactKeyCleared, FactKeyCompromised

DIGITS: Final = 16
STATUS_AFTER: Final[Mapping[type, str]] = {
    FactIssued: "active",
    FactRevoked: "revoked",
    FactExpired: "expired",
    FactQuarantined: "quarantined",
    FactReleased: "active",
}


class Endpoint(NamedTuple):
    """Where a webhook goes and what it hears of; a secret is (sealed, in hex; until when (ms) it signs, if it ends)."""

    status: str
    url: str
    kinds: tuple[str, ...]
    secrets: tuple[tuple[str, int | None], ...]
    registered_at: int

    @classmethod
    def of(cls, entry: Sequence[Any]) -> Self:
        """Read an entry as a store gives it."""
        status, url, kinds, secrets, registered_at = entry
        return cls(status, url, tuple(kinds), tuple((sealed, until) for sealed, until in secrets), registered_at)

    def hears(self, kind: str) -> bool:
        """Tell whether changes of facts of this kind are for this endpoint; a disabled one's are kept parked."""
        return self.status != "deleted" and (not self.kinds or kind in self.kinds)

    def rotated(self, sealed: str, overlap_until: int, at: int) -> Self:
        """Give the endpoint with a new secret, the ones before it signing until the overlap is over."""
        older = (
            (each, overlap_until if until is None else min(until, overlap_until))
            for each, until in self.secrets
            if until is None or until > at
        )
        return self._replace(secrets=((sealed, None), *older))

    def signing(self, now: int) -> Sequence[bytes]:
        """Give the sealed secrets that sign now (ms), newest first."""
        return [bytes.fromhex(sealed) for sealed, until in self.secrets if until is None or until > now]


class FactEntry(NamedTuple):
    """What a delivery says of a fact, whatever its status, and the partition that its issuer's facts are in."""

    kind: str
    subject: tuple[str, str, str, str | None]
    issuer_did: str
    issued_at: int
    expires_at: int | None
    partition: int


class Due(NamedTuple):
    """A change that is due to an endpoint: the fact, its status after it, where it was decided and when (ms).

    ``compromised`` says that the key which signed the fact was in other hands then.
    """

    fact_id: str
    status: str
    partition: int
    offset: int
    at: int
    replay: str
    compromised: bool = False

    @property
    def about(self) -> str:
        """Name the change by its position."""
        return about_of(self.partition, self.offset)


def due_of(event: Any, place: tuple[int, int], at: int, replay: str) -> Due:
    """Make due what an event changed at (partition, offset)."""
    marks = isinstance(event, FactKeyCompromised | FactKeyCleared)
    status = event.status if marks else STATUS_AFTER[type(event)]
    compromised = getattr(event, "compromised_by", None) is not None
    return Due(event.fact_id, status, *place, at, replay, compromised)


class Delivery(NamedTuple):
    """A delivery that is neither delivered nor parked; times in ms, ``changed_at`` 0 where it isn't known."""

    attempts: int
    ready_at: int
    first_failed_at: int | None
    body: str
    replay: str
    changed_at: int


def number(value: int) -> str:
    """Write a number so that text order is its order."""
    return f"{value:0{DIGITS}d}"


def about_of(partition: int, offset: int) -> str:
    """Name a decision of the facts context by its position."""
    return f"facts/{partition}/{offset}"


def endpoint_key(webhook_id: str) -> str:
    """Give the key of an endpoint."""
    return f"endpoint/{webhook_id}"


def pending_key(webhook_id: str) -> str:
    """Give the key of how many deliveries an endpoint has that are neither delivered nor parked."""
    return f"pending/{webhook_id}"


def fact_key(fact_id: str) -> str:
    """Give the key of what a delivery says of a fact."""
    return f"fact/{fact_id}"


def expires_key(expires_at: int, fact_id: str) -> str:
    """Give the key of a fact's end."""
    return f"expires/{number(expires_at)}/{fact_id}"


def due_prefix(webhook_id: str) -> str:
    """Give what the keys of all changes due to an endpoint begin with."""
    return f"due/{webhook_id}/"


def due_key(webhook_id: str, at: int, about: str, replay: str) -> str:
    """Give the key of a change that is due to an endpoint."""
    return f"{due_prefix(webhook_id)}{number(at)}/{about}/{replay}"


def matched_key(webhook_id: str, about: str, replay: str) -> str:
    """Give the key under which a change that is due and its scheduling meet, whichever is folded first."""
    return f"matched/{webhook_id}/{about}/{replay}"


def delivery_key(webhook_id: str, sequence: int) -> str:
    """Give the key of a delivery."""
    return f"delivery/{webhook_id}/{number(sequence)}"


def ready_prefix(webhook_id: str) -> str:
    """Give what the keys of when an endpoint's deliveries are tried begin with."""
    return f"ready/{webhook_id}/"


def ready_key(webhook_id: str, ready_at: int, sequence: int) -> str:
    """Give the key of when a delivery is tried."""
    return f"{ready_prefix(webhook_id)}{number(ready_at)}/{number(sequence)}"


def clock_key(partition: int) -> str:
    """Give the key of how far the fold of a partition is: (offset, log's time in ms)."""
    return f"clock/{partition}"


def checkpoint_prefix(partition: int) -> str:
    """Give what the keys of a partition's checkpoints begin with."""
    return f"checkpoint/{partition}/"


def checkpoint_key(partition: int, offset: int) -> str:
    """Give the key of a place to begin reading at: (offset, log's time in ms, chain value in hex)."""
    return checkpoint_prefix(partition) + number(offset)


def job_key(webhook_id: str, replay: str) -> str:
    """Give the key of a look behind the fold."""
    return f"job/{webhook_id}/{replay}"
