"""A publisher is a public key whose intents are taken; who vouches for it may take that back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity


@dataclass(frozen=True, slots=True)
class PublisherRegistered:
    """A public key (33 bytes, compressed, hex) may publish; without ``authority`` its holder showed that it signs."""

    pool_id: str
    pubkey: str
    label: str
    registered_by: str
    authority: str | None


@dataclass(frozen=True, slots=True)
class PublisherRemoved:
    """A public key publishes no more; what it published stays."""

    pool_id: str
    pubkey: str
    removed_by: str
    authority: str | None


class Publisher(NamedTuple):
    """A public key's entry in the state."""

    label: str
    registered_by: str
    removed: bool


def publisher_key(pubkey: str) -> str:
    """Give the key of a public key's entry."""
    return f"publisher/{pubkey}"


def publisher(state: State, pubkey: str) -> Publisher | None:
    """Find a public key that may publish."""
    entry = state.get(publisher_key(pubkey))
    known = None if entry is None else Publisher(*entry)
    return None if known is None or known.removed else known


def evolve(state: State, event: PublisherRegistered | PublisherRemoved, _at: int) -> Iterable[Change]:
    """Fold one event of a public key."""
    key = publisher_key(event.pubkey)
    match event:
        case PublisherRegistered():
            yield key, Publisher(event.label, event.registered_by, removed=False)
        case PublisherRemoved():
            yield key, Publisher(*state[key])._replace(removed=True)


@dataclass(frozen=True, slots=True)
class RegisterPublisher:
    """Let a public key publish.

    ``authority`` is the position at which the actor was seen to be an admin. Where there is none, ``possession`` is
    the key's own signature (base64, over ``log.statements.publisher_signed_bytes``), checked before the log.
    """

    pool_id: str
    pubkey: str
    label: str
    authority: str | None
    possession: str | None


@dataclass(frozen=True, slots=True)
class RemovePublisher:
    """Let a public key publish no more; ``authority`` as in RegisterPublisher, none for who registered it."""

    pool_id: str
    pubkey: str
    authority: str | None


class PublisherRefusal(StrEnum):
    """Why a public key stays as it is, in order of precedence."""

    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    ALREADY_REGISTERED = "already_registered"


def decide(
    state: State, command: RegisterPublisher | RemovePublisher, around: Circumstances
) -> Sequence[PublisherRegistered | PublisherRemoved] | Refusal:
    """Rule on who may publish."""
    pubkey, known = command.pubkey, publisher(state, command.pubkey)
    if isinstance(command, RegisterPublisher):
        if command.authority is None and command.possession is None:
            return Refusal(PublisherRefusal.FORBIDDEN, {"detail": "an admin registers a key, or who can sign by it"})
        if known is not None:
            return Refusal(PublisherRefusal.ALREADY_REGISTERED, {"pubkey": pubkey})

        return [PublisherRegistered(command.pool_id, pubkey, command.label, around.actor, command.authority)]
    if known is None:
        return Refusal(PublisherRefusal.NOT_FOUND, {"pubkey": pubkey})
    if command.authority is None and identity(known.registered_by) != identity(around.actor):
        return Refusal(PublisherRefusal.FORBIDDEN, {"detail": "an admin removes a key, or who registered it"})

    return [PublisherRemoved(command.pool_id, pubkey, around.actor, command.authority)]


PUBLISHER = Decider(initial={}, decide=decide, evolve=evolve)
