"""What readers ask of the feed: a playlist with its stars, and the playlists in the order of time."""

import heapq
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from projections import feed_keys as keys
from projections.feed import Playlist, Recent
from projections.feed_queue import Holder

PAGE_BYTES: Final = 4 << 20
"""A page ends early once the items of its playlists take this much."""


class Shown(NamedTuple):
    """A playlist joined with its star and its last stars, newest first."""

    playlist: Playlist
    starred: bool
    recent: Sequence[Recent]


class FeedView:
    """Reads the feed from the store that is held now; nothing in it waits."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder

    def playlist(self, playlist_id: str) -> Shown | None:
        """Join a playlist, or give nothing where none was posted under this id."""
        get = self._holder.store.get
        posted = get(keys.playlist_key(playlist_id))
        if posted is None:
            return None
        recent = get(keys.recent_key(playlist_id)) or ()
        return Shown(Playlist(*posted), get(keys.star_key(playlist_id)) is not None, [Recent(*item) for item in recent])

    def page(
        self, *, starred: bool | None, descends: bool, after: tuple[int, str] | None, limit: int
    ) -> tuple[list[Shown], bool]:
        """Give playlists by the time they were created, then by id, and whether there are more.

        ``starred`` is the filter (nothing: all), ``after`` the (created, id) of the playlist before the first.
        """
        found: list[Shown] = []
        size = 0
        for playlist_id in self._in_order(starred=starred, descends=descends, after=after):
            if len(found) == limit or size > PAGE_BYTES:
                return found, True
            shown = self.playlist(playlist_id)
            if shown is not None:
                found.append(shown)
                size += len(shown.playlist.items)
        return found, False

    def _in_order(self, *, starred: bool | None, descends: bool, after: tuple[int, str] | None) -> Iterator[str]:
        filters = (True, False) if starred is None else (starred,)
        ranges = [self._range(each, descends=descends, after=after) for each in filters]
        return (playlist_id for _, playlist_id in heapq.merge(*ranges))

    def _range(self, starred: bool, *, descends: bool, after: tuple[int, str] | None) -> Iterator[tuple[str, str]]:  # noqa: FBT001
        prefix = keys.created_prefix(starred=starred, descends=descends)
        last = None if after is None else prefix + keys.created_part(after[1], after[0], descends=descends)
        for key, (playlist_id,) in self._holder.store.scan(prefix, last):
            if key != last:
                yield key[len(prefix) :], playlist_id

    def has_seen(self, idempotency_key: str) -> bool:
        """Tell whether a webhook with this key was applied."""
        return self._holder.store.get(keys.seen_key(idempotency_key)) is not None
