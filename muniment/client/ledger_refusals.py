"""What the ledger refuses, as exceptions: one class for each code that a caller may want to tell apart."""

from collections.abc import Mapping

from muniment.client.refusals import ClientError, Conflict, Forbidden, InvalidRequest, NotFound, Refused


class StillInTransit(ClientError):
    """A transfer across registries did not end while it was waited for; it will, and ``transfer_id`` tells how."""

    def __init__(self, transfer_id: str, status: str) -> None:
        super().__init__(f"{transfer_id} is {status} and was waited for long enough; it ends without being asked again")
        self.transfer_id, self.status = transfer_id, status


class OutOfBounds(InvalidRequest):
    """What is asked leaves the bounds that no operator and no vote can leave; ``bound`` names the one."""

    @property
    def bound(self) -> str | None:
        """Name the bound."""
        found = self.members.get("bound")
        return found if isinstance(found, str) else None


class InvalidCard(InvalidRequest):
    """The agent's card is no A2A agent card."""


class NotTheOwner(Forbidden):
    """Only the account's owner may do this, by its own signature."""


class NotThePayee(Forbidden):
    """Only the payment's payee may claim it."""


class DeveloperNotRegistered(Forbidden):
    """An agent is registered by a developer of the frame."""


class InviteRequired(Forbidden):
    """The registry lets nobody in without an invite."""


class InviteInvalid(Forbidden):
    """The invite is none of this registry's, or was used."""


class NoVotingPower(Forbidden):
    """Whoever asks had no stake in the registry when the proposal was made."""


class UnknownAccount(NotFound):
    """There is no such account."""


class AlreadyExists(Conflict):
    """A frame or a registry of this id is open already."""


class AlreadyRegistered(Conflict):
    """The developer, the agent, the webhook or the public key is registered already."""


class DeadlinePassed(Conflict):
    """The signature held until its deadline."""


class NonceUsed(Conflict):
    """The account's owner, or the publisher's key, signed something else under this nonce."""

    @property
    def job_id(self) -> str | None:
        """Name the job of the record that was signed under it."""
        found = self.members.get("jobId")
        return found if isinstance(found, str) else None


class SameAccount(Conflict):
    """An account sends nothing to itself."""


class AmountNotPositive(Conflict):
    """The amount is zero."""


class AmountTooSmall(Conflict):
    """The fee of crossing registries would eat the whole amount."""


class InsufficientFunds(Conflict):
    """The account has less than is needed; both in micro-AVT."""

    @property
    def available(self) -> int:
        """Give what the account has."""
        return int(self.members.get("available", 0))

    @property
    def needed(self) -> int:
        """Give what it would take, with the fee."""
        return int(self.members.get("needed", 0))


class AccountFrozen(Conflict):
    """A frozen account neither sends nor receives."""


class PaymentExpired(Conflict):
    """The payment's time is over, and its payer has the money back."""


class PaymentCancelled(Conflict):
    """The payer took the payment back before."""


class AlreadyClaimed(Conflict):
    """The payee took the payment before."""


class AlreadyWithdrawn(Conflict):
    """The owner took the stake back before."""


class StakeLocked(Conflict):
    """The stake's lock is not over; ``until`` says when it is (RFC 3339)."""

    @property
    def until(self) -> str | None:
        """Say when the lock is over."""
        found = self.members.get("unlocks_at")
        return found if isinstance(found, str) else None


class VotingClosed(Conflict):
    """The proposal's time is over."""


class MintingDisabled(Conflict):
    """The frame brings no tokens into being, and ends none."""


LEDGER_BY_CODE: Mapping[str, type[Refused]] = {
    "out_of_bounds": OutOfBounds,
    "invalid_card": InvalidCard,
    "not_the_owner": NotTheOwner,
    "not_the_payee": NotThePayee,
    "developer_not_registered": DeveloperNotRegistered,
    "invite_required": InviteRequired,
    "invite_invalid": InviteInvalid,
    "no_voting_power": NoVotingPower,
    "unknown_account": UnknownAccount,
    "already_exists": AlreadyExists,
    "already_registered": AlreadyRegistered,
    "deadline_passed": DeadlinePassed,
    "nonce_used": NonceUsed,
    "same_account": SameAccount,
    "amount_not_positive": AmountNotPositive,
    "amount_too_small": AmountTooSmall,
    "insufficient_funds": InsufficientFunds,
    "account_frozen": AccountFrozen,
    "payment_expired": PaymentExpired,
    "payment_cancelled": PaymentCancelled,
    "already_claimed": AlreadyClaimed,
    "already_withdrawn": AlreadyWithdrawn,
    "stake_locked": StakeLocked,
    "voting_closed": VotingClosed,
    "minting_disabled": MintingDisabled,
}
