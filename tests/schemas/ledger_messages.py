"""One payload of each of the ledger's messages, written for ever."""

from typing import Any

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
from domain.ledger.posting import Posting

DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
AT = 1_760_324_400_000
HERE, THERE = "facts/1/12", "ledger/2/34"
HOME, AWAY, SHOP = "local", "away", "shop"
ACCOUNT, OTHER = "acc_" + "a" * 26, "acc_" + "b" * 26
TREASURY = "acc_" + "t" * 26
TRANSFER, PAYMENT, STAKE = ("trf_" + "a" * 52, "pay_" + "b" * 52, "stk_" + "c" * 52)
PROPOSAL, AGENT = "prp_" + "d" * 52, "agt_" + "e" * 52
WORD = account.Mandate(DID, "nonce-0000000001", AT + 60_000)
CODES = ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",)
CARD = '{"name":"Weather"}'
TERMS = registry.Terms()
RATES = reward.Rates(500, (registry.Premium(30, 100), registry.Premium(365, 500)))
ROUTE = (ACCOUNT, OTHER, HOME)
SIDES = (AWAY, HOME, ACCOUNT, OTHER, 10_000, THERE)


def postings(*moves: tuple[str, str, int]) -> tuple[Posting, ...]:
    """Write postings."""
    return tuple(Posting(*move) for move in moves)


SETTLED = postings((ACCOUNT, "available", -10_050), (OTHER, "available", 10_000), (TREASURY, "available", 50))
DEPARTED = postings((ACCOUNT, "available", -10_000), ("transit", "counter", 10_000))
RETURNED = postings(("transit", "counter", -10_000), (ACCOUNT, "available", 10_000))
ARRIVED = postings(("transit", "counter", -10_000), (OTHER, "available", 9_950), (TREASURY, "available", 50))
HELD = postings((ACCOUNT, "available", -10_050), (ACCOUNT, "held", 10_050))
RELEASED = postings((ACCOUNT, "held", -10_050), (ACCOUNT, "available", 10_050))
STAKED = postings((ACCOUNT, "available", -500), (ACCOUNT, "staked", 500))
UNSTAKED = postings((ACCOUNT, "staked", -500), (ACCOUNT, "available", 500))
GRANTED = postings(("issued", "counter", -1_000), (ACCOUNT, "available", 1_000))
BURNED = postings((ACCOUNT, "available", -7), ("destroyed", "counter", 7))
ASIDE = postings((TREASURY, "available", -9), (TREASURY, "held", 9))
PAID = postings((TREASURY, "held", -8), (ACCOUNT, "available", 8))
LEFT = postings((TREASURY, "held", -1), (TREASURY, "available", 1))
ASKED = ("parameter", "Charge more", None, "fee_bps", "100", AT + 5_000)
CHANGES = (60, None, None, None, 5, True, None, (registry.Premium(30, 100),), None, None, 6_000)

LEDGER_PAYLOADS: tuple[Any, ...] = (
    frame.OpenFrame(HOME, "sovereign", "enabled", HERE),
    frame.MintTokens(HOME, ACCOUNT, 1_000, HERE),
    frame.BurnTokens(HOME, ACCOUNT, 7, HERE),
    frame.MeasureVelocity(HOME),
    frame.FrameOpened(HOME, "sovereign", "enabled", DID, HERE),
    frame.TokensMinted(HOME, ACCOUNT, 1_000, DID, HERE, GRANTED),
    frame.TokensBurned(HOME, ACCOUNT, 7, DID, HERE, BURNED),
    frame.VelocityMeasured(HOME, 500, 1_000, 5_000),
    registry.OpenRegistry(HOME, SHOP, TERMS, HERE),
    registry.ChangeRegistry(HOME, SHOP, *CHANGES, HERE),
    registry.RegistryOpened(HOME, SHOP, TREASURY, TERMS, DID, HERE),
    registry.RegistryChanged(HOME, SHOP, TERMS, DID, HERE),
    registry.ParameterChanged(HOME, SHOP, PROPOSAL, "fee_bps", "100"),
    developer.IssueInvites(HOME, SHOP, CODES, HERE),
    developer.RegisterDeveloper(HOME, SHOP, DID, "Ada", "ada@example.org", CODES[0], None),
    developer.InvitesIssued(HOME, SHOP, CODES, DID, HERE),
    developer.DeveloperRegistered(
        HOME, SHOP, DID, "Ada", "ada@example.org", CODES[0], ACCOUNT, 1_000, DID, None, GRANTED
    ),
    agent.RegisterAgent(HOME, SHOP, AGENT, DID, CARD, "https://registry.example"),
    agent.AgentRegistered(HOME, SHOP, AGENT, DID, DID, CARD, "https://registry.example", ACCOUNT),
    account.FreezeAccount(HOME, ACCOUNT, HERE),
    account.UnfreezeAccount(HOME, ACCOUNT, HERE),
    account.AccountFrozen(HOME, ACCOUNT, DID, HERE),
    account.AccountUnfrozen(HOME, ACCOUNT, DID, HERE),
    transfer.PostTransfer(TRANSFER, HOME, *ROUTE, 10_000, "for bread", WORD, 60_000),
    transfer.TransferSettled(TRANSFER, HOME, SHOP, ACCOUNT, OTHER, 10_000, 50, "for bread", WORD, None, SETTLED),
    transit.AcceptTransfer(TRANSFER, *SIDES),
    transit.RejectTransfer(TRANSFER, *SIDES),
    transit.CommitTransfer(TRANSFER, HOME, THERE),
    transit.AbortTransfer(TRANSFER, HOME, "timeout", THERE),
    transit.TransferPrepared(
        TRANSFER, HOME, SHOP, ACCOUNT, OTHER, AWAY, 10_000, "for bread", WORD, None, AT + 60_000, DEPARTED
    ),
    transit.TransferAccepted(TRANSFER, AWAY, "mall", HOME, ACCOUNT, OTHER, 10_000, 50, THERE, ARRIVED),
    transit.TransferRejected(TRANSFER, AWAY, HOME, ACCOUNT, OTHER, 10_000, "timeout", THERE),
    transit.TransferCommitted(TRANSFER, HOME, ACCOUNT, OTHER, 10_000, THERE),
    transit.TransferAborted(TRANSFER, HOME, ACCOUNT, OTHER, 10_000, "timeout", THERE, RETURNED),
    payment.HoldPayment(PAYMENT, HOME, *ROUTE, DID, 10_000, AT + 60_000, WORD),
    payment.ClaimPayment(PAYMENT, HOME, TRANSFER, 60_000),
    payment.CancelPayment(PAYMENT, HOME),
    payment.ExpirePayment(PAYMENT, HOME),
    payment.PaymentHeld(PAYMENT, HOME, SHOP, *ROUTE, DID, 10_000, 50, AT + 60_000, WORD, HELD),
    payment.PaymentClaimed(PAYMENT, HOME, TRANSFER, DID),
    payment.PaymentCancelled(PAYMENT, HOME, DID, RELEASED),
    payment.PaymentExpired(PAYMENT, HOME, RELEASED),
    stake.PlaceStake(STAKE, HOME, ACCOUNT, 500, 30, WORD),
    stake.WithdrawStake(STAKE, HOME, WORD),
    stake.StakePlaced(STAKE, HOME, SHOP, ACCOUNT, DID, 500, 30, AT + 30 * 86_400_000, WORD, STAKED),
    stake.StakeWithdrawn(STAKE, HOME, SHOP, ACCOUNT, DID, 500, WORD, UNSTAKED),
    reward.OpenRewardDay(HOME, SHOP, 20_374, 9, RATES),
    reward.RewardStakes(HOME, SHOP, 20_374, (STAKE,)),
    reward.CloseRewardDay(HOME, SHOP, 20_374),
    reward.RewardDayOpened(HOME, SHOP, 20_374, 9, RATES, 9, minted=False, postings=ASIDE),
    reward.StakesRewarded(HOME, SHOP, 20_374, (reward.Reward(STAKE, ACCOUNT, 8, 8),), PAID),
    reward.RewardDayClosed(HOME, SHOP, 20_374, 8, 0, LEFT),
    proposal.OpenProposal(PROPOSAL, HOME, SHOP, *ASKED),
    proposal.CastVote(PROPOSAL, HOME, "yes", WORD),
    proposal.TallyProposal(PROPOSAL, HOME),
    proposal.ProposalOpened(PROPOSAL, HOME, SHOP, 1, *ASKED, 500, DID),
    proposal.VoteCast(PROPOSAL, HOME, DID, "yes", 500, WORD),
    proposal.ProposalTallied(PROPOSAL, HOME, SHOP, "passed", 500, 0, 0, 500),
)
