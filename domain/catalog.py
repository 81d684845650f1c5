"""The one table of message types: stable name, version, class, context, and the decider that rules on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.facts import fact, playlist, signer, webhook


@dataclass(frozen=True, slots=True)
class MessageType:
    """A command or an event by the name that lies on the log; ``version`` grows when its meaning changes."""

    name: str
    version: int
    cls: type
    context: str
    role: Literal["command", "event"]
    decider: Decider


def _types(context: str, decider: Decider, commands: Sequence[type], events: Sequence[type]) -> Iterable[MessageType]:
    for role, classes in (("command", commands), ("event", events)):
        for cls in classes:
            yield MessageType(NAMES[cls], 1, cls, context, role, decider)  # type: ignore[arg-type]  # literals above


NAMES: Mapping[type, str] = {
    signer.AddSigner: "AddSigner",
    signer.RevokeSigner: "RevokeSigner",
    signer.SignerAdded: "SignerAdded",
    signer.SignerRolesSet: "SignerRolesSet",
    signer.SignerRevoked: "SignerRevoked",
    fact.IssueFact: "IssueFact",
    fact.RevokeFact: "RevokeFact",
    fact.ExpireFact: "ExpireFact",
    fact.QuarantineFact: "QuarantineFact",
    fact.ReleaseFact: "ReleaseFact",
    fact.FactIssued: "FactIssued",
    fact.FactRevoked: "FactRevoked",
    fact.FactExpired: "FactExpired",
    fact.FactQuarantined: "FactQuarantined",
    fact.FactReleased: "FactReleased",
    playlist.PostPlaylist: "PostPlaylist",
    playlist.PlaylistPosted: "PlaylistPosted",
    webhook.RegisterWebhook: "RegisterWebhook",
    webhook.RotateWebhookSecret: "RotateWebhookSecret",
    webhook.DeleteWebhook: "DeleteWebhook",
    webhook.ReplayWebhook: "ReplayWebhook",
    webhook.ScheduleDelivery: "ScheduleDelivery",
    webhook.ReportAttempt: "ReportAttempt",
    webhook.DisableWebhook: "DisableWebhook",
    webhook.WebhookRegistered: "WebhookRegistered",
    webhook.WebhookSecretRotated: "WebhookSecretRotated",
    webhook.WebhookDeleted: "WebhookDeleted",
    webhook.WebhookDisabled: "WebhookDisabled",
    webhook.WebhookReplayed: "WebhookReplayed",
    webhook.DeliveryScheduled: "DeliveryScheduled",
    webhook.DeliveryAttempted: "DeliveryAttempted",
}
"""Names are chosen, never taken from a Python path: a class may be renamed, its name on the log may not."""

CATALOG: Sequence[MessageType] = (
    *_types(
        "facts",
        signer.SIGNER,
        (signer.AddSigner, signer.RevokeSigner),
        (signer.SignerAdded, signer.SignerRolesSet, signer.SignerRevoked),
    ),
    *_types(
        "facts",
        fact.FACT,
        (fact.IssueFact, fact.RevokeFact, fact.ExpireFact, fact.QuarantineFact, fact.ReleaseFact),
        (fact.FactIssued, fact.FactRevoked, fact.FactExpired, fact.FactQuarantined, fact.FactReleased),
    ),
    *_types("facts", playlist.PLAYLIST, (playlist.PostPlaylist,), (playlist.PlaylistPosted,)),
    *_types(
        "facts",
        webhook.WEBHOOK,
        (
            webhook.RegisterWebhook,
            webhook.RotateWebhookSecret,
            webhook.DeleteWebhook,
            webhook.ReplayWebhook,
            webhook.ScheduleDelivery,
            webhook.ReportAttempt,
            webhook.DisableWebhook,
        ),
        (
            webhook.WebhookRegistered,
            webhook.WebhookSecretRotated,
            webhook.WebhookDeleted,
            webhook.WebhookDisabled,
            webhook.WebhookReplayed,
            webhook.DeliveryScheduled,
            webhook.DeliveryAttempted,
        ),
    ),
)

CONTEXTS: Sequence[str] = tuple(dict.fromkeys(entry.context for entry in CATALOG))
BY_CLASS: Mapping[type, MessageType] = {entry.cls: entry for entry in CATALOG}
BY_NAME: Mapping[str, MessageType] = {entry.name: entry for entry in CATALOG}


def decide(state: State, command: Any, around: Circumstances) -> Sequence[Any] | Refusal:
    """Rule on a command by the decider that the catalog names for it."""
    return BY_CLASS[type(command)].decider.decide(state, command, around)


def evolve(state: State, event: Any, at: int) -> Iterable[Change]:
    """Fold an event by the decider that the catalog names for it."""
    return BY_CLASS[type(event)].decider.evolve(state, event, at)
