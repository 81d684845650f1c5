"""A developer registers once in a frame, with an invite where its registry asks for one, and gets the genesis grant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity
from domain.ledger.account import Account, account_id
from domain.ledger.posting import AVAILABLE, COUNTER, ISSUED, MAX_AMOUNT, Posting, moved, post, room
from domain.ledger.registry import registry, terms_of


@dataclass(frozen=True, slots=True)
class InvitesIssued:
    """These codes let one developer in each; the log holds the SHA-256 (hex) of a code, never the code."""

    frame_id: str
    registry_id: str
    code_hashes: tuple[str, ...]
    issued_by: str
    authority: str


@dataclass(frozen=True, slots=True)
class DeveloperRegistered:
    """A developer is in a frame, has an account, and got its grant; ``invite_hash`` is used up."""

    frame_id: str
    registry_id: str
    did: str
    name: str
    email: str | None
    invite_hash: str | None
    account: str
    grant: int
    registered_by: str
    authority: str | None
    postings: tuple[Posting, ...]


def invite_key(registry_id: str, code_hash: str) -> str:
    """Give the key of an invite that isn't used up."""
    return f"invite/{registry_id}/{code_hash}"


def developer_key(frame_id: str, did: str) -> str:
    """Give the key of a developer's entry."""
    return f"developer/{frame_id}/{identity(did)}"


def evolve(state: State, event: InvitesIssued | DeveloperRegistered, at: int) -> Iterable[Change]:
    """Fold one event of a developer."""
    if isinstance(event, InvitesIssued):
        for code_hash in event.code_hashes:
            yield invite_key(event.registry_id, code_hash), (at,)
        return
    yield developer_key(event.frame_id, event.did), (event.registry_id, event.account)
    if event.invite_hash is not None:
        yield invite_key(event.registry_id, event.invite_hash), None
    opened = {event.account: Account(event.frame_id, event.registry_id, event.did, "user")}
    yield from post(state, event.frame_id, event.postings, opened)


@dataclass(frozen=True, slots=True)
class IssueInvites:
    """Let these codes in; ``authority`` is where the actor was seen to be an admin."""

    frame_id: str
    registry_id: str
    code_hashes: tuple[str, ...]
    authority: str


@dataclass(frozen=True, slots=True)
class RegisterDeveloper:
    """Register a DID; ``authority`` is set where an admin registers another than itself."""

    frame_id: str
    registry_id: str
    did: str
    name: str
    email: str | None
    invite_hash: str | None
    authority: str | None


class DeveloperRefusal(StrEnum):
    """Why a developer is not registered, in order of precedence."""

    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    INVITE_REQUIRED = "invite_required"
    INVITE_INVALID = "invite_invalid"
    ALREADY_REGISTERED = "already_registered"
    OUT_OF_BOUNDS = "out_of_bounds"


def decide(
    state: State, command: IssueInvites | RegisterDeveloper, around: Circumstances
) -> Sequence[InvitesIssued | DeveloperRegistered] | Refusal:
    """Rule on invites and on a developer."""
    frame_id, registry_id = command.frame_id, command.registry_id
    known = registry(state, registry_id, frame_id)
    if known is None:
        return Refusal(DeveloperRefusal.NOT_FOUND, {"registry_id": registry_id})
    if isinstance(command, IssueInvites):
        return [InvitesIssued(frame_id, registry_id, command.code_hashes, around.actor, command.authority)]
    terms, did, invite = terms_of(known), command.did, command.invite_hash
    if command.authority is None and identity(did) != identity(around.actor):
        return Refusal(DeveloperRefusal.FORBIDDEN, {"detail": "a developer registers itself, an admin anyone"})
    if invite is None and terms.invite_required:
        return Refusal(DeveloperRefusal.INVITE_REQUIRED, {"registry_id": registry_id})
    if invite is not None and state.get(invite_key(registry_id, invite)) is None:
        return Refusal(DeveloperRefusal.INVITE_INVALID, {"registry_id": registry_id})
    if state.get(developer_key(frame_id, did)) is not None:
        return Refusal(DeveloperRefusal.ALREADY_REGISTERED, {"did": did})
    grant = terms.genesis_grant if terms.genesis_enabled else 0
    if grant > room(state, frame_id):
        detail = f"a frame issues and holds at most {MAX_AMOUNT} micro-AVT"
        return Refusal(DeveloperRefusal.OUT_OF_BOUNDS, {"bound": "tokens_issued", "detail": detail})

    name = account_id(frame_id, registry_id, did, "user")
    postings = moved(grant, (ISSUED, COUNTER), (name, AVAILABLE, grant)) if grant else ()
    return [
        DeveloperRegistered(
            frame_id,
            registry_id,
            did,
            command.name,
            command.email,
            invite,
            name,
            grant,
            around.actor,
            command.authority,
            postings,
        )
    ]


DEVELOPER = Decider(initial={}, decide=decide, evolve=evolve)
