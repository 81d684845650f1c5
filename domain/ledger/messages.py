"""The messages of the ledger by their names on the log."""

from collections.abc import Sequence

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
from domain.message_type import MessageType, message_types

MESSAGES: Sequence[MessageType] = (
    *message_types(
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
    *message_types(
        "ledger",
        registry.REGISTRY,
        {"OpenRegistry": registry.OpenRegistry, "ChangeRegistry": registry.ChangeRegistry},
        {
            "RegistryOpened": registry.RegistryOpened,
            "RegistryChanged": registry.RegistryChanged,
            "ParameterChanged": registry.ParameterChanged,
        },
    ),
    *message_types(
        "ledger",
        developer.DEVELOPER,
        {"IssueInvites": developer.IssueInvites, "RegisterDeveloper": developer.RegisterDeveloper},
        {"InvitesIssued": developer.InvitesIssued, "DeveloperRegistered": developer.DeveloperRegistered},
    ),
    *message_types(
        "ledger", agent.AGENT, {"RegisterAgent": agent.RegisterAgent}, {"AgentRegistered": agent.AgentRegistered}
    ),
    *message_types(
        "ledger",
        account.ACCOUNT,
        {"FreezeAccount": account.FreezeAccount, "UnfreezeAccount": account.UnfreezeAccount},
        {"AccountFrozen": account.AccountFrozen, "AccountUnfrozen": account.AccountUnfrozen},
    ),
    *message_types(
        "ledger",
        transfer.TRANSFER,
        {"PostTransfer": transfer.PostTransfer},
        {"TransferSettled": transfer.TransferSettled},
    ),
    *message_types(
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
    *message_types(
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
    *message_types(
        "ledger",
        stake.STAKE,
        {"PlaceStake": stake.PlaceStake, "WithdrawStake": stake.WithdrawStake},
        {"StakePlaced": stake.StakePlaced, "StakeWithdrawn": stake.StakeWithdrawn},
    ),
    *message_types(
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
    *message_types(
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
