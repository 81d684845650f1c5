"""A signer is a DID that has roles; what it may do is decided where its facts are decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity

ROLES = ("curator", "institution", "publisher", "admin", "operator", "auditor")
GENESIS = "genesis"
"""The authority of the very first signer, which nobody could have added."""


@dataclass(frozen=True, slots=True)
class SignerAdded:
    """A DID has these roles from now on, on the authority named."""

    did: str
    roles: tuple[str, ...]
    added_by: str
    authority: str
    reinstated: bool


@dataclass(frozen=True, slots=True)
class SignerRolesSet:
    """A known signer has other roles from now on."""

    did: str
    roles: tuple[str, ...]
    set_by: str
    authority: str


@dataclass(frozen=True, slots=True)
class SignerRevoked:
    """A signer can issue nothing more; its facts stay."""

    did: str
    revoked_by: str
    authority: str


class Signer(NamedTuple):
    """A signer's entry in the state; times in ms."""

    roles: tuple[str, ...]
    added_by: str
    added_at: int
    revoked_at: int | None


def signer_key(did: str) -> str:
    """Give the key of a signer's entry."""
    return f"signer/{identity(did)}"


def signer(state: State, did: str) -> Signer | None:
    """Find a signer, revoked or not."""
    entry = state.get(signer_key(did))
    return None if entry is None else Signer(*entry)


def evolve(state: State, event: SignerAdded | SignerRolesSet | SignerRevoked, at: int) -> Iterable[Change]:
    """Fold one event of a signer."""
    match event:
        case SignerAdded():
            yield signer_key(event.did), Signer(event.roles, event.added_by, at, None)
        case SignerRolesSet():
            yield signer_key(event.did), Signer(*state[signer_key(event.did)])._replace(roles=event.roles)
        case SignerRevoked():
            yield signer_key(event.did), Signer(*state[signer_key(event.did)])._replace(revoked_at=at)


@dataclass(frozen=True, slots=True)
class AddSigner:
    """Give a DID these roles.

    ``authority`` is the position (``context/partition/offset``) at which the actor was seen to be an admin, or
    ``genesis`` for the first signer of an empty log.
    """

    did: str
    roles: tuple[str, ...]
    authority: str


@dataclass(frozen=True, slots=True)
class RevokeSigner:
    """Take a signer's right to issue; ``authority`` as in AddSigner."""

    did: str
    authority: str


class SignerRefusal(StrEnum):
    """Why a signer stays as it is, in order of precedence."""

    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    ALREADY_REVOKED = "already_revoked"


def decide(
    state: State, command: AddSigner | RevokeSigner, around: Circumstances
) -> Sequence[SignerAdded | SignerRolesSet | SignerRevoked] | Refusal:
    """Rule on a change of a signer."""
    known = signer(state, command.did)
    if command.authority == GENESIS and not (around.first and isinstance(command, AddSigner)):
        return Refusal(SignerRefusal.FORBIDDEN, {"detail": "the log has begun: a signer is added by an admin"})
    if isinstance(command, RevokeSigner):
        if known is None:
            return Refusal(SignerRefusal.NOT_FOUND, {"did": command.did})
        if known.revoked_at is not None:
            return Refusal(SignerRefusal.ALREADY_REVOKED, {"did": command.did})

        return [SignerRevoked(command.did, around.actor, command.authority)]
    if known is not None and known.revoked_at is None:
        return [SignerRolesSet(command.did, command.roles, around.actor, command.authority)]

    return [SignerAdded(command.did, command.roles, around.actor, command.authority, reinstated=known is not None)]


SIGNER = Decider(initial={}, decide=decide, evolve=evolve)
