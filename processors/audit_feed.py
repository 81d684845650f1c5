"""The keys of the feed's store as an auditor makes them: what is starred follows from the stars that are active."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import Any, Final

from domain.decider import Position
from domain.facts import fact, mark, playlist
from log.token import token_of
from processors.audit_rows import Change, Get, RowRules

STAR_KIND: Final = "endorsement.star"
SUBJECT_TYPE: Final = "playlist"
FROM_LOG: Final = 1
RECENT: Final = 10
OFFSET: Final = 1 << 63
FACTS: Final = "feed/fact/"
STARS: Final = "feed/star/"
PLAYLISTS: Final = "playlist:"
OF_THE_QUEUE: Final = ("evt:", "facts_highwater")


class FeedRows(RowRules):
    """The feed of one context's log; ``queue_used`` says that webhooks were heard too.

    What webhooks of other registries said does not follow from this log: then each star and each playlist that was
    heard here is compared, and what is made of all of them together is not.
    """

    def __init__(self, context: str, origin: str = "feed.ff", *, queue_used: bool = False) -> None:
        self._context, self._origin, self._queue_used = context, origin, queue_used

    def change(self, get: Get, event: Any, place: tuple[int, int], at: int) -> Iterable[Change]:
        """Give the keys that an event changes."""
        del at
        position = token_of(Position(self._context, *place))
        match event:
            case fact.FactIssued():
                about = event.subject
                if (event.kind, about.origin, about.type) != (STAR_KIND, self._origin, SUBJECT_TYPE):
                    return
                reason = json.loads(event.body).get("reason")
                said = (event.issuer_did, event.issued_at, reason if isinstance(reason, str) else None, True, position)
                yield from _star([FROM_LOG, place[1], True, about.ref, event.fact_id, *said])
            case (
                fact.FactRevoked()
                | fact.FactExpired()
                | fact.FactQuarantined()
                | fact.FactReleased()
                | mark.FactKeyCompromised()
                | mark.FactKeyCleared()
            ):
                known = get(FACTS + event.fact_id)
                if known is not None:
                    active = (isinstance(event, fact.FactReleased) and event.compromised_by is None) or (
                        isinstance(event, mark.FactKeyCleared) and event.status == "active"
                    )
                    yield from _star([FROM_LOG, place[1], active, *known[3:-1], position])
            case playlist.PlaylistPosted():
                shown = (event.slug, event.title, event.created, event.items, event.posted_by)
                yield PLAYLISTS + escape(event.playlist_id), [FROM_LOG, place[1], event.playlist_id, *shown]

    def finish(self, scan: Callable[[str], Iterator[tuple[str, Any]]]) -> Iterable[Change]:
        """Give the keys that say what is starred, by whom lately, and where it stands by time."""
        if self._queue_used:
            return
        stars = (key for key, _ in scan(STARS))
        for name, keys in groupby(stars, key=lambda key: key[len(STARS) :].partition(":")[0]):
            recent = [_entry(scan, key.rpartition(":")[2]) for key in islice(keys, RECENT)]
            yield f"star:{name}", [unescape(name)]
            yield f"stars_recent:{name}", [[star[4], star[5], star[6], star[7], star[9]] for star in recent]
        for key, row in scan(PLAYLISTS):
            name = key[len(PLAYLISTS) :]
            starred = next(scan(f"{STARS}{name}:"), None) is not None
            prefix, created = "star" if starred else "unstarred", row[5]
            yield f"{prefix}:created:asc:{created + OFFSET:020d}:{name}", [row[2]]
            yield f"{prefix}:created:desc:{OFFSET - 1 - created:020d}:{name}", [row[2]]

    def compared(self, key: str, row: Any) -> bool:
        """Tell whether a key follows from this log."""
        if key.startswith(OF_THE_QUEUE):
            return False
        return not self._queue_used or (key.startswith((FACTS, PLAYLISTS)) and row[0] == FROM_LOG)


def _star(row: list[Any]) -> Iterable[Change]:
    """Give a star's own keys: what is known of it, and its place among the active ones."""
    yield FACTS + row[4], row
    yield f"{STARS}{escape(row[3])}:{OFFSET - 1 - row[6]:020d}:{row[4]}", [] if row[2] else None


def _entry(scan: Callable[[str], Iterator[tuple[str, Any]]], fact_id: str) -> Any:
    return next(scan(FACTS + fact_id))[1]


def escape(name: str) -> str:
    """Write an id as part of a key: ``:`` is ``;0`` and ``;`` is ``;1``."""
    return name.replace(";", ";1").replace(":", ";0")


def unescape(name: str) -> str:
    """Read an id back from a key."""
    return name.replace(";0", ":").replace(";1", ";")
