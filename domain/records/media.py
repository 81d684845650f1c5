"""Media are files of an owner: reserved before the upload, finalized once whole, swept when that never comes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity
from domain.records.record import exceeded
from domain.records.vault import counted, vault


@dataclass(frozen=True, slots=True)
class MediaReserved:
    """A file of this type, size and SHA-256 (hex) may be uploaded until ``expires_at`` (ms)."""

    media_id: str
    did: str
    mime: str
    size: int
    sha256: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class MediaFinalized:
    """A file is whole, and is what was reserved."""

    media_id: str
    did: str
    mime: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MediaSwept:
    """A file that was never finalized is given up."""

    media_id: str
    did: str


class Media(NamedTuple):
    """A file's entry in the state."""

    did: str
    mime: str
    size: int
    sha256: str
    expires_at: int
    finalized: bool


def media_key(media_id: str) -> str:
    """Give the key of a file's entry."""
    return f"media/{media_id}"


def media(state: State, media_id: str) -> Media | None:
    """Find a file."""
    entry = state.get(media_key(media_id))
    return None if entry is None else Media(*entry)


def evolve(state: State, event: MediaReserved | MediaFinalized | MediaSwept, _at: int) -> Iterable[Change]:
    """Fold one event of a file."""
    key = media_key(event.media_id)
    match event:
        case MediaReserved():
            yield counted(state, event.did, media=1, media_bytes=event.size)
            reserved = (identity(event.did), event.mime, event.size, event.sha256, event.expires_at)
            yield key, Media(*reserved, finalized=False)
        case MediaFinalized():
            yield key, Media(*state[key])._replace(finalized=True)
        case MediaSwept():
            yield counted(state, event.did, media=-1, media_bytes=-Media(*state[key]).size)
            yield key, None


@dataclass(frozen=True, slots=True)
class ReserveMedia:
    """Let a file be uploaded within ``keep_ms``; the limits are as the settings have them."""

    media_id: str
    did: str
    mime: str
    size: int
    sha256: str
    keep_ms: int
    max_media: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class FinalizeMedia:
    """Take a file as whole: ``size`` and ``sha256`` are what was found of it in storage."""

    media_id: str
    did: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SweepMedia:
    """Give a file up whose time to be finalized is over."""

    media_id: str
    did: str


class MediaRefusal(StrEnum):
    """Why a file stays as it is, in order of precedence; what a vault has no room for comes last."""

    FORBIDDEN = "forbidden"
    ERASED = "erased"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    ALREADY_FINALIZED = "already_finalized"
    NOT_EXPIRED = "not_expired"
    MEDIA_MISMATCH = "media_mismatch"


def decide(
    state: State, command: ReserveMedia | FinalizeMedia | SweepMedia, around: Circumstances
) -> Sequence[MediaReserved | MediaFinalized | MediaSwept] | Refusal:
    """Rule on a file: its owner reserves and finalizes it, whoever sees that its time is over sweeps it."""
    did, known = identity(command.did), media(state, command.media_id)
    if isinstance(command, SweepMedia):
        return decide_sweep(known, command, around)
    owned = vault(state, did)
    if did != around.actor:
        return Refusal(MediaRefusal.FORBIDDEN, {"detail": "only its owner writes into a vault"})
    if owned.erased_at is not None:
        return Refusal(MediaRefusal.ERASED, {"did": command.did})
    if isinstance(command, FinalizeMedia):
        return decide_whole(known, command)
    if known is not None:
        return Refusal(MediaRefusal.ALREADY_EXISTS, {"media_id": command.media_id})
    if owned.media + 1 > command.max_media:
        return exceeded("media", owned.media, command.max_media)
    if owned.media_bytes + command.size > command.max_bytes:
        return exceeded("media_bytes", owned.media_bytes, command.max_bytes)

    file = (command.media_id, command.did, command.mime, command.size, command.sha256)
    return [MediaReserved(*file, around.now + command.keep_ms)]


def decide_whole(known: Media | None, command: FinalizeMedia) -> Sequence[MediaFinalized] | Refusal:
    """Rule on a file that was uploaded."""
    if known is None or known.did != identity(command.did):
        return Refusal(MediaRefusal.NOT_FOUND, {"media_id": command.media_id})
    if known.finalized:
        return Refusal(MediaRefusal.ALREADY_FINALIZED, {"media_id": command.media_id})
    if (command.size, command.sha256) != (known.size, known.sha256):
        found = {"size": str(command.size), "sha256": command.sha256}
        return Refusal(MediaRefusal.MEDIA_MISMATCH, {"media_id": command.media_id, **found})

    return [MediaFinalized(command.media_id, command.did, known.mime, known.size, known.sha256)]


def decide_sweep(known: Media | None, command: SweepMedia, around: Circumstances) -> Sequence[MediaSwept] | Refusal:
    """Rule on giving a file up."""
    if known is None or known.did != identity(command.did):
        return Refusal(MediaRefusal.NOT_FOUND, {"media_id": command.media_id})
    if known.finalized:
        return Refusal(MediaRefusal.ALREADY_FINALIZED, {"media_id": command.media_id})
    if around.now < known.expires_at:
        return Refusal(MediaRefusal.NOT_EXPIRED, {"media_id": command.media_id})

    return [MediaSwept(command.media_id, known.did)]


MEDIA = Decider(initial={}, decide=decide, evolve=evolve)
