"""The messages of the facts by their names on the log."""

from collections.abc import Sequence

from domain.facts import fact, mark, playlist, signer, webhook
from domain.message_type import MessageType, message_types

MESSAGES: Sequence[MessageType] = (
    *message_types(
        "facts",
        signer.SIGNER,
        {"AddSigner": signer.AddSigner, "RevokeSigner": signer.RevokeSigner},
        {
            "SignerAdded": signer.SignerAdded,
            "SignerRolesSet": signer.SignerRolesSet,
            "SignerRevoked": signer.SignerRevoked,
        },
    ),
    *message_types(
        "facts",
        fact.FACT,
        {
            "IssueFact": fact.IssueFact,
            "RevokeFact": fact.RevokeFact,
            "ExpireFact": fact.ExpireFact,
            "QuarantineFact": fact.QuarantineFact,
            "ReleaseFact": fact.ReleaseFact,
        },
        {
            "FactIssued": fact.FactIssued,
            "FactRevoked": fact.FactRevoked,
            "FactExpired": fact.FactExpired,
            "FactQuarantined": fact.FactQuarantined,
            "FactReleased": fact.FactReleased,
        },
    ),
    *message_types(
        "facts",
        mark.MARK,
        {"MarkFactKey": mark.MarkFactKey, "ClearFactKey": mark.ClearFactKey},
        {"FactKeyCompromised": mark.FactKeyCompromised, "FactKeyCleared": mark.FactKeyCleared},
    ),
    *message_types(
        "facts", playlist.PLAYLIST, {"PostPlaylist": playlist.PostPlaylist}, {"PlaylistPosted": playlist.PlaylistPosted}
    ),
    *message_types(
        "facts",
        webhook.WEBHOOK,
        {
            "RegisterWebhook": webhook.RegisterWebhook,
            "RotateWebhookSecret": webhook.RotateWebhookSecret,
            "DeleteWebhook": webhook.DeleteWebhook,
            "ReplayWebhook": webhook.ReplayWebhook,
            "ScheduleDelivery": webhook.ScheduleDelivery,
            "ReportAttempt": webhook.ReportAttempt,
            "DisableWebhook": webhook.DisableWebhook,
        },
        {
            "WebhookRegistered": webhook.WebhookRegistered,
            "WebhookSecretRotated": webhook.WebhookSecretRotated,
            "WebhookDeleted": webhook.WebhookDeleted,
            "WebhookDisabled": webhook.WebhookDisabled,
            "WebhookReplayed": webhook.WebhookReplayed,
            "DeliveryScheduled": webhook.DeliveryScheduled,
            "DeliveryAttempted": webhook.DeliveryAttempted,
        },
    ),
)
