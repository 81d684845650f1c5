"""An account is what one owner has in one registry; an admin may freeze it."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity

KINDS: Final = ("user", "agent", "treasury", "staking", "escrow")
ID_LENGTH: Final = 26


@dataclass(frozen=True, slots=True)
class AccountFrozen:
    """An account neither sends nor receives from now on."""

    frame_id: str
    account: str
    frozen_by: str
    authority: str


@dataclass(frozen=True, slots=True)
class AccountUnfrozen:
    """A frozen account sends and receives again."""

    frame_id: str
    account: str
    unfrozen_by: str
    authority: str


class Account(NamedTuple):
    """An account's entry in the state; amounts in micro-AVT."""

    frame_id: str
    registry_id: str
    owner: str
    kind: str
    available: int = 0
    staked: int = 0
    held: int = 0
    frozen: bool = False


def account_id(frame_id: str, registry_id: str, owner: str, kind: str) -> str:
    """Compute an account's id, as anybody can."""
    digest = hashlib.sha256(f"{frame_id}\n{registry_id}\n{owner}\n{kind}".encode()).digest()
    return "acc_" + base64.b32encode(digest).decode().lower()[:ID_LENGTH]


def account_key(account: str) -> str:
    """Give the key of an account's entry."""
    return f"account/{account}"


def account(state: State, name: str) -> Account | None:
    """Find an account."""
    entry = state.get(account_key(name))
    return entry if entry is None or isinstance(entry, Account) else Account(*entry)


def nonce_key(frame_id: str, owner: str, nonce: str) -> str:
    """Give the key under which a nonce lies that an owner has used."""
    return f"nonce/{frame_id}/{identity(owner)}/{nonce}"


def evolve(state: State, event: AccountFrozen | AccountUnfrozen, _at: int) -> Iterable[Change]:
    """Fold one event of an account."""
    key = account_key(event.account)
    yield key, Account(*state[key])._replace(frozen=isinstance(event, AccountFrozen))


@dataclass(frozen=True, slots=True)
class FreezeAccount:
    """Let an account neither send nor receive; ``authority`` is where the actor was seen to be an admin."""

    frame_id: str
    account: str
    authority: str


@dataclass(frozen=True, slots=True)
class UnfreezeAccount:
    """Let a frozen account send and receive again; ``authority`` as in FreezeAccount."""

    frame_id: str
    account: str
    authority: str


class AccountRefusal(StrEnum):
    """Why something asked of an account is refused, in order of precedence."""

    UNKNOWN_ACCOUNT = "unknown_account"
    NOT_THE_OWNER = "not_the_owner"
    DEADLINE_PASSED = "deadline_passed"
    NONCE_USED = "nonce_used"
    SAME_ACCOUNT = "same_account"
    AMOUNT_NOT_POSITIVE = "amount_not_positive"
    AMOUNT_TOO_SMALL = "amount_too_small"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    ACCOUNT_FROZEN = "account_frozen"
    ACCOUNT_NOT_FROZEN = "account_not_frozen"


def unknown(name: str) -> Refusal:
    """Refuse an account that is not there."""
    return Refusal(AccountRefusal.UNKNOWN_ACCOUNT, {"account": name})


def insufficient(available: int, needed: int) -> Refusal:
    """Refuse what an account can't pay."""
    details = {"available": str(available), "needed": str(needed)}
    return Refusal(AccountRefusal.INSUFFICIENT_FUNDS, details)


def frozen(name: str) -> Refusal:
    """Refuse what a frozen account would send or receive."""
    return Refusal(AccountRefusal.ACCOUNT_FROZEN, {"account": name})


def check_thawed(state: State, *names: str) -> Refusal | None:
    """Refuse what moves money of several accounts, of which one is frozen; those of elsewhere are passed over."""
    for name in names:
        known = account(state, name)
        if known is not None and known.frozen:
            return frozen(name)
    return None


@dataclass(frozen=True, slots=True)
class Mandate:
    """An owner's word for one movement: who signed it, under which nonce, and until when it holds (ms).

    ``key_id`` names the key of a registered DID.
    """

    signed_by: str
    nonce: str
    deadline: int
    key_id: str | None = None


def check_mandate(state: State, frame_id: str, owner: str, mandate: Mandate, now: int) -> Refusal | None:
    """Refuse a mandate that isn't the owner's, is too late, or was used."""
    if identity(mandate.signed_by) != identity(owner):
        return Refusal(AccountRefusal.NOT_THE_OWNER, {"owner": owner})
    if mandate.deadline <= now:
        return Refusal(AccountRefusal.DEADLINE_PASSED, {"deadline": str(mandate.deadline), "now": str(now)})
    if state.get(nonce_key(frame_id, owner, mandate.nonce)) is not None:
        return Refusal(AccountRefusal.NONCE_USED, {"nonce": mandate.nonce})
    return None


def decide(
    state: State, command: FreezeAccount | UnfreezeAccount, around: Circumstances
) -> Sequence[AccountFrozen | AccountUnfrozen] | Refusal:
    """Rule on freezing an account."""
    known = account(state, command.account)
    if known is None or known.frame_id != command.frame_id:
        return unknown(command.account)
    if isinstance(command, FreezeAccount):
        if known.frozen:
            return frozen(command.account)

        return [AccountFrozen(command.frame_id, command.account, around.actor, command.authority)]
    if not known.frozen:
        return Refusal(AccountRefusal.ACCOUNT_NOT_FROZEN, {"account": command.account})

    return [AccountUnfrozen(command.frame_id, command.account, around.actor, command.authority)]


ACCOUNT = Decider(initial={}, decide=decide, evolve=evolve)
