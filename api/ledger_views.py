"""The ledger's objects as the write and the read routes show them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.json_value import JsonObject
from domain.ledger.registry import Terms


class GenesisView(BaseModel):
    """What a new developer is granted, in micro-AVT."""

    enabled: bool
    grant: str


class StakingView(BaseModel):
    """What stakes earn, in basis points a year."""

    base_apy_bps: int
    premiums_bps: dict[str, int]
    mint_rewards: bool


class GovernanceView(BaseModel):
    """What a proposal needs, in basis points."""

    quorum_bps: int
    threshold_bps: int


class FrameView(BaseModel):
    """One economy."""

    model_config = ConfigDict(title="Frame")

    frame_id: str
    mode: str
    minting: str


class SupplyView(BaseModel):
    """A frame's tokens in micro-AVT, and whether they add up."""

    model_config = ConfigDict(title="Supply")

    frame_id: str
    tokens_issued: str
    tokens_destroyed: str
    transit_net: str
    tokens_circulating: str
    in_flight: str
    holds: bool
    position: str | None = None


class RegistryView(BaseModel):
    """A registry with its terms."""

    model_config = ConfigDict(title="Registry")

    registry_id: str
    frame_id: str
    treasury: str | None = None
    fee_bps: int
    step_bps: int
    genesis: GenesisView
    invite_required: bool
    staking: StakingView
    governance: GovernanceView


class InvitesView(BaseModel):
    """Invite codes, shown once."""

    model_config = ConfigDict(title="Invites")

    registry_id: str
    codes: list[str] | None = None


class DeveloperView(BaseModel):
    """A developer with its account and what it was granted."""

    model_config = ConfigDict(title="Developer")

    did: str
    registry_id: str
    frame_id: str
    name: str
    email: str | None = None
    account_id: str
    grant: str


class AgentView(BaseModel):
    """An agent with its A2A card."""

    model_config = ConfigDict(title="Agent")

    agent_id: str
    did: str
    developer_did: str
    registry_id: str
    frame_id: str
    account_id: str
    origin_registry_location: str


class TransferView(BaseModel):
    """A transfer; across registries its status moves on.

    ``key_compromised`` says that the key which signed it was in other hands then, by the word of the event
    ``key_compromised_by`` ("<event> <position>"), as is known now. It moved what it moved.
    """

    model_config = ConfigDict(title="Transfer")

    id: str
    from_: str = Field(alias="from")
    to: str
    amount: str
    fee: str
    from_registry_id: str
    to_registry_id: str | None = None
    status: str
    position: str | None = None
    key_compromised: Literal[True] | None = None
    key_compromised_by: str | None = None


class PaymentView(BaseModel):
    """An amount held for one payee."""

    model_config = ConfigDict(title="Payment")

    id: str
    from_: str = Field(alias="from")
    to: str
    amount: str
    fee: str
    expires_at: str
    status: str
    transfer_id: str | None = None


class StakeView(BaseModel):
    """A stake."""

    model_config = ConfigDict(title="Stake")

    id: str
    account: str
    owner: str
    registry_id: str
    amount: str
    lock_days: int
    unlocks_at: str
    status: str


class ProposalView(BaseModel):
    """A proposal."""

    model_config = ConfigDict(title="Proposal")

    id: str
    registry_id: str
    kind: str
    title: str
    ends_at: str
    status: str


class VoteView(BaseModel):
    """A vote with the power that it was cast with."""

    model_config = ConfigDict(title="Vote")

    proposal_id: str
    voter: str
    choice: str
    power: str


class MoneyView(BaseModel):
    """What was minted or burned."""

    model_config = ConfigDict(title="Money")

    frame_id: str
    account: str
    minted: str | None = None
    burned: str | None = None


class FreezingView(BaseModel):
    """Whether an account is frozen."""

    model_config = ConfigDict(title="Freezing")

    account_id: str
    frozen: bool


def terms_view(terms: Terms) -> JsonObject:
    """Show a registry's terms."""
    premiums: JsonObject = {str(each.lock_days): each.bps for each in terms.premiums}
    staking: JsonObject = {"base_apy_bps": terms.base_apy_bps, "premiums_bps": premiums}
    return {
        "fee_bps": terms.fee_bps,
        "step_bps": terms.step_bps,
        "genesis": {"enabled": terms.genesis_enabled, "grant": str(terms.genesis_grant)},
        "invite_required": terms.invite_required,
        "staking": staking | {"mint_rewards": terms.mint_rewards},
        "governance": {"quorum_bps": terms.quorum_bps, "threshold_bps": terms.threshold_bps},
    }
