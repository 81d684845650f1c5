"""The one table of message types: stable name, version, class, context, and the decider that rules on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.facts import fact, playlist, signer, webhook
from domain.ledger import (
    account,
    agent,
    developer,
    frame,
    payment,
    proposal,
    registry,
    reward,
    stake,
    transfer,
    transit,
)


@dataclass(frozen=True, slots=True)
class MessageType:
    """A command or an event by the name that lies on the log; ``version`` grows when its meaning changes."""

    name: str
    version: int
    cls: type
    context: str
    role: Literal["command", "event"]
    decider: Decider


def _types(
    context: str, decider: Decider, commands: Mapping[str, type], events: Mapping[str, type]
) -> Iterable[MessageType]:
    for name, cls in commands.items():
        yield MessageType(name, 1, cls, context, "command", decider)
    for name, cls in events.items():
        yield MessageType(name, 1, cls, context, "event", decider)


CATALOG: Sequence[MessageType] = (
    *_types(
        "facts",
        signer.SIGNER,
        {"AddSigner": signer.AddSigner, "RevokeSigner": signer.RevokeSigner},
        {
            "SignerAdded": signer.SignerAdded,
            "SignerRolesSet": signer.SignerRolesSet,
            "SignerRevoked": signer.SignerRevoked,
        },
    ),
    *_types(
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
    *_types(
        "facts", playlist.PLAYLIST, {"PostPlaylist": playlist.PostPlaylist}, {"PlaylistPosted": playlist.PlaylistPosted}
    ),
    *_types(
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
    *_types(
        "ledger",
        frame.FRAME,
        {
            "OpenFrame": frame.OpenFrame,
            "MintTokens": frame.MintTokens,
            "BurnTokens": frame.BurnTokens,
            "MeasureVelocity": frame.MeasureVelocity,
        },
        {
            "FrameOpened": frame.FrameOpened,
            "TokensMinted": frame.TokensMinted,
            "TokensBurned": frame.TokensBurned,
            "VelocityMeasured": frame.VelocityMeasured,
        },
    ),
    *_types(
        "ledger",
        registry.REGISTRY,
        {"OpenRegistry": registry.OpenRegistry, "ChangeRegistry": registry.ChangeRegistry},
        {
            "RegistryOpened": registry.RegistryOpened,
            "RegistryChanged": registry.RegistryChanged,
            "ParameterChanged": registry.ParameterChanged,
        },
    ),
    *_types(
        "ledger",
        developer.DEVELOPER,
        {"IssueInvites": developer.IssueInvites, "RegisterDeveloper": developer.RegisterDeveloper},
        {"InvitesIssued": developer.InvitesIssued, "DeveloperRegistered": developer.DeveloperRegistered},
    ),
    *_types("ledger", agent.AGENT, {"RegisterAgent": agent.RegisterAgent}, {"AgentRegistered": agent.AgentRegistered}),
    *_types(
        "ledger",
        account.ACCOUNT,
        {"FreezeAccount": account.FreezeAccount, "UnfreezeAccount": account.UnfreezeAccount},
        {"AccountFrozen": account.AccountFrozen, "AccountUnfrozen": account.AccountUnfrozen},
    ),
    *_types(
        "ledger",
        transfer.TRANSFER,
        {"PostTransfer": transfer.PostTransfer},
        {"TransferSettled": transfer.TransferSettled},
    ),
    *_types(
        "ledger",
        transit.TRANSIT_TRANSFER,
        {
            "AcceptTransfer": transit.AcceptTransfer,
            "RejectTransfer": transit.RejectTransfer,
            "CommitTransfer": transit.CommitTransfer,
            "AbortTransfer": transit.AbortTransfer,
        },
        {
            "TransferPrepared": transit.TransferPrepared,
            "TransferAccepted": transit.TransferAccepted,
            "TransferRejected": transit.TransferRejected,
            "TransferCommitted": transit.TransferCommitted,
            "TransferAborted": transit.TransferAborted,
        },
    ),
    *_types(
        "ledger",
        payment.PAYMENT,
        {
            "HoldPayment": payment.HoldPayment,
            "ClaimPayment": payment.ClaimPayment,
            "CancelPayment": payment.CancelPayment,
            "ExpirePayment": payment.ExpirePayment,
        },
        {
            "PaymentHeld": payment.PaymentHeld,
            "PaymentClaimed": payment.PaymentClaimed,
            "PaymentCancelled": payment.PaymentCancelled,
            "PaymentExpired": payment.PaymentExpired,
        },
    ),
    *_types(
        "ledger",
        stake.STAKE,
        {"PlaceStake": stake.PlaceStake, "WithdrawStake": stake.WithdrawStake},
        {"StakePlaced": stake.StakePlaced, "StakeWithdrawn": stake.StakeWithdrawn},
    ),
    *_types(
        "ledger",
        reward.REWARD,
        {
            "OpenRewardDay": reward.OpenRewardDay,
            "RewardStakes": reward.RewardStakes,
            "CloseRewardDay": reward.CloseRewardDay,
        },
        {
            "RewardDayOpened": reward.RewardDayOpened,
            "StakesRewarded": reward.StakesRewarded,
            "RewardDayClosed": reward.RewardDayClosed,
        },
    ),
    *_types(
        "ledger",
        proposal.PROPOSAL,
        {"OpenProposal": proposal.OpenProposal, "CastVote": proposal.CastVote, "TallyProposal": proposal.TallyProposal},
        {
            "ProposalOpened": proposal.ProposalOpened,
            "VoteCast": proposal.VoteCast,
            "ProposalTallied": proposal.ProposalTallied,
        },
    ),
)
"""Names are chosen, never taken from a Python path: a class may be renamed, its name on the log may not."""

NAMES: Mapping[type, str] = {entry.cls: entry.name for entry in CATALOG}
CONTEXTS: Sequence[str] = tuple(dict.fromkeys(entry.context for entry in CATALOG))
BY_CLASS: Mapping[type, MessageType] = {entry.cls: entry for entry in CATALOG}
BY_NAME: Mapping[str, MessageType] = {entry.name: entry for entry in CATALOG}


def decide(state: State, command: Any, around: Circumstances) -> Sequence[Any] | Refusal:
    """Rule on a command by the decider that the catalog names for it."""
    return BY_CLASS[type(command)].decider.decide(state, command, around)


def evolve(state: State, event: Any, at: int) -> Iterable[Change]:
    """Fold an event by the decider that the catalog names for it."""
    return BY_CLASS[type(event)].decider.evolve(state, event, at)
