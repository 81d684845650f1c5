"""The keys of the feed's ordered store, as `facts.md` names them.

An id may hold any character, so inside a key ``:`` is written ``;0`` and ``;`` is written ``;1``: no two ids share a
key, and keys sort as their ids do. A time is written in twenty digits, so that keys sort as time does.
"""

from typing import Final

OFFSET: Final = 1 << 63
"""Added to a time in ms: every 64-bit number becomes one that isn't negative."""
HIGHWATER: Final = "facts_highwater"
FACT_PREFIX: Final = "feed/fact/"
STAR_PREFIX: Final = "feed/star/"
FEED_PREFIXES: Final = ("evt:", HIGHWATER, "feed/", "playlist:", "star:", "stars_recent:", "unstarred:")
"""Every key of the feed begins with one of these, and no other key does."""


def escape(playlist_id: str) -> str:
    """Write an id as part of a key: without ``:``, and in the same order."""
    return (
        playlist_id.replace(";", ";1").replace(":", ";0") if ";" in playlist_id or ":" in playlist_id else playlist_id
    )


def ascending(time: int) -> str:
    """Write a time in ms since 1970 UTC so that text sorts as time does."""
    return f"{time + OFFSET:020d}"


def descending(time: int) -> str:
    """Write a time in ms since 1970 UTC so that text sorts against time."""
    return f"{OFFSET - 1 - time:020d}"


def star_key(playlist_id: str) -> str:
    """Give the key that is there while a playlist is starred."""
    return f"star:{escape(playlist_id)}"


def created_prefix(*, starred: bool, descends: bool) -> str:
    """Give the range that holds the posted playlists, starred or not, by the time they were created."""
    return f"{'star' if starred else 'unstarred'}:created:{'desc' if descends else 'asc'}:"


def created_part(playlist_id: str, created: int, *, descends: bool) -> str:
    """Give the part of a key behind `created_prefix`."""
    return f"{descending(created) if descends else ascending(created)}:{escape(playlist_id)}"


def created_keys(playlist_id: str, created: int, *, starred: bool) -> tuple[str, str]:
    """Give a playlist's two places in the ranges by time."""
    return (
        created_prefix(starred=starred, descends=False) + created_part(playlist_id, created, descends=False),
        created_prefix(starred=starred, descends=True) + created_part(playlist_id, created, descends=True),
    )


def recent_key(playlist_id: str) -> str:
    """Give the key of a playlist's last stars."""
    return f"stars_recent:{escape(playlist_id)}"


def playlist_key(playlist_id: str) -> str:
    """Give the key of a playlist as it was posted."""
    return f"playlist:{escape(playlist_id)}"


def seen_key(idempotency_key: str) -> str:
    """Give the key that says that a webhook was applied."""
    return f"evt:{idempotency_key}"


def fact_key(fact_id: str) -> str:
    """Give the key of a star as it was last heard of."""
    return FACT_PREFIX + fact_id


def stars_prefix(playlist_id: str) -> str:
    """Give the range that holds a playlist's active stars, newest first."""
    return f"{STAR_PREFIX}{escape(playlist_id)}:"


def active_key(playlist_id: str, issued_at: int, fact_id: str) -> str:
    """Give the place of an active star in that range."""
    return f"{stars_prefix(playlist_id)}{descending(issued_at)}:{fact_id}"
