"""A playlist is the feed's own item: posted by a publisher, kept as sent, replaced as a whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.decider import Change, Circumstances, Decider, Refusal, State


@dataclass(frozen=True, slots=True)
class PlaylistPosted:
    """A playlist is as it says from now on. ``items`` is JSON text of a list of objects; ``created`` in ms."""

    playlist_id: str
    slug: str
    title: str
    created: int
    items: str
    posted_by: str


def playlist_key(playlist_id: str) -> str:
    """Give the key of a playlist's entry."""
    return f"playlist/{playlist_id}"


def evolve(_state: State, event: PlaylistPosted, at: int) -> Iterable[Change]:
    """Fold one event of a playlist."""
    yield playlist_key(event.playlist_id), (event.posted_by, at)


@dataclass(frozen=True, slots=True)
class PostPlaylist:
    """Show this playlist; ``authority`` as in AddSigner."""

    playlist_id: str
    slug: str
    title: str
    created: int
    items: str
    authority: str


class PlaylistRefusal(StrEnum):
    """Why a playlist stays as it is."""

    NOT_THE_PUBLISHER = "not_the_publisher"


def decide(state: State, command: PostPlaylist, around: Circumstances) -> Sequence[PlaylistPosted] | Refusal:
    """Rule on a playlist: whoever posted it first may replace it."""
    known = state.get(playlist_key(command.playlist_id))
    if known is not None and known[0] != around.actor:
        return Refusal(PlaylistRefusal.NOT_THE_PUBLISHER, {"id": command.playlist_id})

    return [
        PlaylistPosted(command.playlist_id, command.slug, command.title, command.created, command.items, around.actor)
    ]


PLAYLIST = Decider(initial={}, decide=decide, evolve=evolve)
