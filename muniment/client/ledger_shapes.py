"""What the ledger answers, as values: amounts are integers of micro-AVT, times and positions as everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from muniment.amounts import InvalidAmount, read_amount
from muniment.client.refusals import Refused, UnexpectedAnswer
from muniment.client.shapes import Json, Readers, Result


def micro_avt(found: Any) -> int | None:
    """Read an amount that may be absent. Raises UnexpectedAnswer."""
    try:
        return None if found is None else read_amount(found)
    except InvalidAmount as error:
        raise UnexpectedAnswer(str(error)) from None


def _amounts(*names: str) -> Readers:
    return dict.fromkeys(names, micro_avt)


@dataclass(frozen=True, kw_only=True)
class Frame(Result):
    """One economy; ``mode`` is federated or sovereign, ``minting`` disabled or enabled."""

    frame_id: str
    mode: str
    minting: str


@dataclass(frozen=True, kw_only=True)
class Supply(Result):
    """A frame's tokens; ``issued - destroyed + transit_net == circulating`` where it ``holds``."""

    frame_id: str
    tokens_issued: int
    tokens_destroyed: int
    transit_net: int
    tokens_circulating: int
    holds: bool
    in_flight: int = 0

    nested: ClassVar[Readers] = _amounts(
        "tokens_issued", "tokens_destroyed", "transit_net", "tokens_circulating", "in_flight"
    )


@dataclass(frozen=True, kw_only=True)
class Registry(Result):
    """An operator's shop in a frame, with its terms; ``treasury`` is the account that its fees go to."""

    registry_id: str
    frame_id: str
    treasury: str | None = None
    fee_bps: int | None = None
    step_bps: int | None = None
    genesis: Json | None = None
    invite_required: bool | None = None
    staking: Json | None = None
    governance: Json | None = None


@dataclass(frozen=True, kw_only=True)
class Invites(Result):
    """Codes that let one developer in each; they are there once, in the answer that made them."""

    codes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Developer(Result):
    """A developer of a frame, with its account and what it was granted."""

    did: str
    account_id: str
    grant: int
    registry_id: str | None = None
    name: str | None = None

    nested: ClassVar[Readers] = _amounts("grant")


@dataclass(frozen=True, kw_only=True)
class Agent(Result):
    """What a developer offers: ``card`` is an A2A agent card."""

    agent_id: str
    did: str
    account_id: str | None = None
    developer_did: str | None = None
    registry_id: str | None = None
    card: Json | None = None
    origin_registry_location: str | None = None


@dataclass(frozen=True, kw_only=True)
class Account(Result):
    """What one owner has in one registry; ``kind`` is user, agent, treasury, staking or escrow."""

    account_id: str
    frame_id: str
    registry_id: str
    owner: str
    kind: str
    available: int
    staked: int
    held: int
    frozen: bool = False

    nested: ClassVar[Readers] = _amounts("available", "staked", "held")


@dataclass(frozen=True, kw_only=True)
class Freezing(Result):
    """Whether an account is frozen."""

    account_id: str
    frozen: bool


@dataclass(frozen=True, kw_only=True)
class Money(Result):
    """What an admin brought into being in an account, or ended there."""

    frame_id: str
    account: str
    minted: int | None = None
    burned: int | None = None

    nested: ClassVar[Readers] = _amounts("minted", "burned")


@dataclass(frozen=True, kw_only=True)
class StatementLine(Result):
    """An amount that came to a part of an account, or left it (negative), and what the account has after it.

    ``type`` is the event that moved it, and the ids say which transfer, payment or stake that was.
    """

    amount: int
    at: str | None = None
    type: str | None = None
    part: str | None = None
    transfer_id: str | None = None
    payment_id: str | None = None
    stake_id: str | None = None
    counterparty: str | None = None
    memo: str | None = None
    available: int | None = None
    staked: int | None = None
    held: int | None = None

    nested: ClassVar[Readers] = _amounts("amount", "available", "staked", "held")


@dataclass(frozen=True, kw_only=True)
class Transfer(Result):
    """Money on its way or there: ``status`` is settled, prepared, accepted, rejected, committed or aborted.

    One that is ``key_compromised`` was signed by a key in other hands, by the word of ``key_compromised_by``.
    """

    id: str
    sender: str
    receiver: str
    amount: int
    status: str
    fee: int | None = None
    memo: str | None = None
    reason: str | None = None
    from_registry_id: str | None = None
    to_registry_id: str | None = None
    key_compromised: bool = False
    key_compromised_by: str | None = None

    named: ClassVar[Mapping[str, str]] = {"sender": "from", "receiver": "to"}
    nested: ClassVar[Readers] = _amounts("amount", "fee")

    @property
    def ended(self) -> bool:
        """Tell whether nothing more becomes of it."""
        return self.status in {"settled", "committed", "aborted"}


@dataclass(frozen=True, slots=True)
class TransferItem:
    """What became of one transfer of a batch: ``transfer``, or ``refused``; ``status`` is HTTP's as if sent alone."""

    status: int
    transfer: Transfer | None
    refused: Refused | None


@dataclass(frozen=True, kw_only=True)
class Payment(Result):
    """What is held for one payee: ``status`` is held, claimed, cancelled or expired."""

    id: str
    status: str
    sender: str | None = None
    receiver: str | None = None
    amount: int | None = None
    fee: int | None = None
    expires_at: str | None = None
    transfer_id: str | None = None

    named: ClassVar[Mapping[str, str]] = {"sender": "from", "receiver": "to"}
    nested: ClassVar[Readers] = _amounts("amount", "fee")


@dataclass(frozen=True, kw_only=True)
class Stake(Result):
    """An amount that its owner locked until ``unlocks_at``; ``status`` is staked or withdrawn."""

    id: str
    account: str
    amount: int
    lock_days: int
    owner: str | None = None
    registry_id: str | None = None
    unlocks_at: str | None = None
    status: str | None = None
    earned: int | None = None

    nested: ClassVar[Readers] = _amounts("amount", "earned")


@dataclass(frozen=True, kw_only=True)
class Proposal(Result):
    """What a registry's stakers are asked: ``status`` is open, passed or rejected, the rest counts stakes."""

    id: str
    registry_id: str
    kind: str
    title: str
    ends_at: str
    status: str
    text: str | None = None
    parameter: str | None = None
    value: str | None = None
    yes: int | None = None
    no: int | None = None
    abstain: int | None = None
    electorate: int | None = None

    nested: ClassVar[Readers] = _amounts("yes", "no", "abstain", "electorate")


@dataclass(frozen=True, kw_only=True)
class Vote(Result):
    """One DID's choice; ``power`` is what it had staked when the proposal was made."""

    proposal_id: str
    choice: str
    voter: str | None = None
    power: int | None = None

    nested: ClassVar[Readers] = _amounts("power")


@dataclass(frozen=True, kw_only=True)
class LedgerEvent(Result):
    """One event of a frame: its type, and in ``event`` what it says.

    ``resume`` is a cursor from which nothing behind this event is missed; at most a page comes again.
    """

    type: str
    at: str
    event: Json
    frame_id: str | None = None
    resume: str = "0"
