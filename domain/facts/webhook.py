"""A webhook is an endpoint that hears of changes: its deliveries are numbered without gaps, sent, and never dropped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State


@dataclass(frozen=True, slots=True)
class WebhookRegistered:
    """An endpoint hears of changes of these kinds (none: of all); ``secret`` is sealed with the deployment's key."""

    webhook_id: str
    url: str
    kinds: tuple[str, ...]
    sealed_secret: bytes
    registered_by: str
    authority: str


@dataclass(frozen=True, slots=True)
class WebhookSecretRotated:
    """From now on the new secret signs; until ``overlap_until`` (ms) the old one signs too."""

    webhook_id: str
    sealed_secret: bytes
    overlap_until: int
    rotated_by: str


@dataclass(frozen=True, slots=True)
class WebhookDeleted:
    """An endpoint hears of nothing more."""

    webhook_id: str
    deleted_by: str


@dataclass(frozen=True, slots=True)
class WebhookDisabled:
    """An endpoint said that it is gone (410); what is due to it is parked."""

    webhook_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class WebhookReplayed:
    """An endpoint hears again of every change after a cursor of the delta feed, under the replay's own name."""

    webhook_id: str
    replay: str
    since: str
    requested_by: str


@dataclass(frozen=True, slots=True)
class DeliveryScheduled:
    """A change is due to an endpoint, as its ``sequence``-th.

    ``about`` is the position of the change (``context/partition/offset``), ``body`` the JSON that is sent, without its
    ``sequence``, and ``replay`` names the replay that asked for it, empty for the live feed.
    """

    webhook_id: str
    sequence: int
    about: str
    replay: str
    body: str


@dataclass(frozen=True, slots=True)
class DeliveryAttempted:
    """A delivery was tried: ``delivered``, ``failed`` (and tried again at ``retry_at``, ms) or ``parked``."""

    webhook_id: str
    sequence: int
    attempt: int
    outcome: str
    status: int | None
    detail: str
    retry_at: int | None


WebhookEvent = (
    WebhookRegistered
    | WebhookSecretRotated
    | WebhookDeleted
    | WebhookDisabled
    | WebhookReplayed
    | DeliveryScheduled
    | DeliveryAttempted
)


class Webhook(NamedTuple):
    """An endpoint's entry; ``status`` is ``active``, ``disabled`` or ``deleted``."""

    status: str
    sequence: int


class Delivery(NamedTuple):
    """A delivery's entry, until it is delivered."""

    attempts: int
    parked: bool


def webhook_key(webhook_id: str) -> str:
    """Give the key of an endpoint's entry."""
    return f"webhook/{webhook_id}"


def delivery_key(webhook_id: str, sequence: int) -> str:
    """Give the key of a delivery's entry."""
    return f"delivery/{webhook_id}/{sequence}"


def evolve(state: State, event: WebhookEvent, _at: int) -> Iterable[Change]:
    """Fold one event of an endpoint."""
    key = webhook_key(event.webhook_id)
    known = Webhook(*state.get(key, ("active", 0)))
    match event:
        case WebhookRegistered():
            yield key, Webhook("active", 0)
        case WebhookDeleted():
            yield key, known._replace(status="deleted")
        case WebhookDisabled():
            yield key, known._replace(status="disabled")
        case DeliveryScheduled(webhook_id, sequence):
            yield key, known._replace(sequence=sequence)
            yield delivery_key(webhook_id, sequence), Delivery(0, parked=known.status == "disabled")
        case DeliveryAttempted(webhook_id, sequence, attempt, outcome):
            after = None if outcome == "delivered" else Delivery(attempt, parked=outcome == "parked")
            yield delivery_key(webhook_id, sequence), after
        case WebhookSecretRotated() | WebhookReplayed():
            return


@dataclass(frozen=True, slots=True)
class RegisterWebhook:
    """Tell this endpoint of changes."""

    webhook_id: str
    url: str
    kinds: tuple[str, ...]
    sealed_secret: bytes
    authority: str


@dataclass(frozen=True, slots=True)
class RotateWebhookSecret:
    """Sign with this secret, and with the old one too for ``overlap_ms``."""

    webhook_id: str
    sealed_secret: bytes
    overlap_ms: int
    authority: str


@dataclass(frozen=True, slots=True)
class DeleteWebhook:
    """Tell this endpoint of nothing more."""

    webhook_id: str
    authority: str


@dataclass(frozen=True, slots=True)
class ReplayWebhook:
    """Tell this endpoint again of every change after a cursor of the delta feed."""

    webhook_id: str
    replay: str
    since: str
    authority: str


@dataclass(frozen=True, slots=True)
class ScheduleDelivery:
    """A reactor saw a change that is due to this endpoint."""

    webhook_id: str
    about: str
    replay: str
    body: str


@dataclass(frozen=True, slots=True)
class ReportAttempt:
    """A reactor tried a delivery, and this is what came of it; members as in DeliveryAttempted."""

    webhook_id: str
    sequence: int
    attempt: int
    outcome: str
    status: int | None
    detail: str
    retry_at: int | None


@dataclass(frozen=True, slots=True)
class DisableWebhook:
    """A reactor was told by this endpoint that it is gone."""

    webhook_id: str
    reason: str


WebhookCommand = (
    RegisterWebhook
    | RotateWebhookSecret
    | DeleteWebhook
    | ReplayWebhook
    | ScheduleDelivery
    | ReportAttempt
    | DisableWebhook
)


class WebhookRefusal(StrEnum):
    """Why an endpoint stays as it is, in order of precedence."""

    ALREADY_REGISTERED = "already_registered"
    NOT_FOUND = "not_found"
    NOT_ACTIVE = "not_active"
    NOT_DUE = "not_due"


def decide(state: State, command: WebhookCommand, around: Circumstances) -> Sequence[WebhookEvent] | Refusal:
    """Rule on a command about an endpoint."""
    webhook_id = command.webhook_id
    entry = state.get(webhook_key(webhook_id))
    if isinstance(command, RegisterWebhook):
        if entry is not None:
            return Refusal(WebhookRefusal.ALREADY_REGISTERED, {"id": webhook_id})

        return [
            WebhookRegistered(
                webhook_id, command.url, command.kinds, command.sealed_secret, around.actor, command.authority
            )
        ]
    if entry is None or entry[0] == "deleted":
        return Refusal(WebhookRefusal.NOT_FOUND, {"id": webhook_id})
    known = Webhook(*entry)
    match command:
        case RotateWebhookSecret(_, sealed_secret, overlap_ms):
            return [WebhookSecretRotated(webhook_id, sealed_secret, around.now + overlap_ms, around.actor)]
        case DeleteWebhook():
            return [WebhookDeleted(webhook_id, around.actor)]
        case ReplayWebhook(_, replay, since):
            return [WebhookReplayed(webhook_id, replay, since, around.actor)]
        case ScheduleDelivery(_, about, replay, body):
            return [DeliveryScheduled(webhook_id, known.sequence + 1, about, replay, body)]
        case DisableWebhook(_, reason):
            if known.status != "active":
                return Refusal(WebhookRefusal.NOT_ACTIVE, {"id": webhook_id, "webhook_status": known.status})

            return [WebhookDisabled(webhook_id, reason)]
        case ReportAttempt():
            return decide_attempt(state, command)


def decide_attempt(state: State, command: ReportAttempt) -> Sequence[WebhookEvent] | Refusal:
    """Rule on a report: a delivery that is done or already reported that far is not due."""
    entry = state.get(delivery_key(command.webhook_id, command.sequence))
    if entry is None or Delivery(*entry).attempts >= command.attempt:
        return Refusal(WebhookRefusal.NOT_DUE, {"sequence": str(command.sequence)})

    return [
        DeliveryAttempted(
            command.webhook_id,
            command.sequence,
            command.attempt,
            command.outcome,
            command.status,
            command.detail,
            command.retry_at,
        )
    ]


WEBHOOK = Decider(initial={}, decide=decide, evolve=evolve)
