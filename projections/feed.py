"""The feed's rules: which playlists are starred, by whom lately, and where they stand by time.

A star is as the newest position that was heard of says, whatever came first, twice or not at all meanwhile. What the
own log says of a star goes before what another registry's webhooks say of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from domain.decider import Change
from domain.facts.fact import FactIssued, FactReleased
from domain.facts.kinds import KINDS
from domain.facts.mark import FACT_EVENTS, FactKeyCleared
from domain.facts.playlist import PlaylistPosted
from log import strict_json
from log.following import Decided
from log.token import token_at
from projections import feed_keys as keys
from projections.feed_overlay import Ordered, OrderedOverlay

RECENT_STARS: Final = 10
SUBJECT_TYPE: Final = "playlist"
DEFAULT_ORIGIN: Final = "feed.ff"
FROM_QUEUE: Final = 0
FROM_LOG: Final = 1
"""Where something was heard: of the same fact or playlist, the higher goes before the lower."""


class Star(NamedTuple):
    """A star as it was last heard of; ``position`` is the token of that change, ``offset`` its offset.

    ``complete`` says that the fact's body was seen: a webhook does not carry ``reason``. Times in ms.
    """

    heard: int
    offset: int
    active: bool
    playlist_id: str
    fact_id: str
    issuer_did: str
    issued_at: int
    reason: str | None
    complete: bool
    position: str

    @property
    def place(self) -> str:
        """Give the key of its place among the active stars of its playlist."""
        return keys.active_key(self.playlist_id, self.issued_at, self.fact_id)


class Recent(NamedTuple):
    """One of the last stars of a playlist, as readers see it."""

    fact_id: str
    issuer_did: str
    issued_at: int
    reason: str | None
    position: str


class Playlist(NamedTuple):
    """A playlist as it was posted last; ``items`` is JSON text, ``created`` in ms."""

    heard: int
    offset: int
    playlist_id: str
    slug: str
    title: str
    created: int
    items: str
    posted_by: str


def see_star(view: Ordered, seen: Star) -> Iterator[Change]:
    """Fold what was heard of a star; ``view`` must show each change before the next is asked for."""
    entry = view.get(keys.fact_key(seen.fact_id))
    known = None if entry is None else Star(*entry)
    if known is not None and (known.heard, known.offset) >= (seen.heard, seen.offset):
        if known.complete or not seen.complete:
            return
        seen = known._replace(reason=seen.reason, complete=True)
    elif known is not None and known.complete and not seen.complete:
        seen = seen._replace(reason=known.reason, complete=True)
    yield keys.fact_key(seen.fact_id), seen
    if known is not None and known.active and not (seen.active and known.place == seen.place):
        yield known.place, None
        yield from _leave_recent(view, known)
    if seen.active:
        yield seen.place, ()
        yield from _enter_recent(view, seen)


def _enter_recent(view: Ordered, star: Star) -> Iterator[Change]:
    key = keys.recent_key(star.playlist_id)
    before = view.get(key) or ()
    recent = [item for item in before if item[0] != star.fact_id]
    order, place = _order(star.issued_at, star.fact_id), 0
    while place < len(recent) and _order(recent[place][2], recent[place][0]) < order:
        place += 1
    if place < RECENT_STARS:
        recent.insert(place, _recent(star))
        yield key, tuple(recent[:RECENT_STARS])
    if not before:
        yield from _show(view, star.playlist_id, starred=True)


def _leave_recent(view: Ordered, star: Star) -> Iterator[Change]:
    key = keys.recent_key(star.playlist_id)
    before = view.get(key) or ()
    recent = [item for item in before if item[0] != star.fact_id]
    if len(recent) == len(before):
        return
    if len(before) == RECENT_STARS:
        recent += _next_star(view, star.playlist_id, recent)
    yield key, tuple(recent) or None
    if not recent:
        yield from _show(view, star.playlist_id, starred=False)


def _recent(star: Star) -> tuple[Any, ...]:
    """Give a star as one of the last; a plain tuple, as any store can hold it."""
    return tuple(Recent(star.fact_id, star.issuer_did, star.issued_at, star.reason, star.position))


def _order(issued_at: int, fact_id: str) -> tuple[int, str]:
    """Sort newest first; stars of one instant sort by id."""
    return -issued_at, fact_id


def _next_star(view: Ordered, playlist_id: str, recent: list[Any]) -> Iterator[tuple[Any, ...]]:
    """Find the newest active star that isn't among these, all of which are newer."""
    prefix = keys.stars_prefix(playlist_id)
    held = {item[0] for item in recent}
    for key, _ in view.scan(prefix, keys.active_key(playlist_id, recent[-1][2], recent[-1][0])):
        fact_id = key[len(prefix) :].partition(":")[2]
        if fact_id not in held:
            yield _recent(Star(*(view.get(keys.fact_key(fact_id)) or ())))
            return


def _show(view: Ordered, playlist_id: str, *, starred: bool) -> Iterator[Change]:
    """Write whether a playlist is starred, and move it to the ranges that say so."""
    yield keys.star_key(playlist_id), (playlist_id,) if starred else None
    posted = view.get(keys.playlist_key(playlist_id))
    if posted is not None:
        created = Playlist(*posted).created
        yield from _place(playlist_id, created, starred=not starred, there=False)
        yield from _place(playlist_id, created, starred=starred, there=True)


def _place(playlist_id: str, created: int, *, starred: bool, there: bool) -> Iterator[Change]:
    for key in keys.created_keys(playlist_id, created, starred=starred):
        yield key, (playlist_id,) if there else None


def see_playlist(view: Ordered, seen: Playlist) -> Iterator[Change]:
    """Fold a playlist that was posted; on the queue, whoever posted it first may replace it (on the log it is so)."""
    entry = view.get(keys.playlist_key(seen.playlist_id))
    starred = view.get(keys.star_key(seen.playlist_id)) is not None
    if entry is not None:
        known = Playlist(*entry)
        if (known.heard, known.offset) >= (seen.heard, seen.offset):
            return
        if seen.heard == FROM_QUEUE and known.posted_by != seen.posted_by:
            return
        if known.created != seen.created:
            yield from _place(seen.playlist_id, known.created, starred=starred, there=False)
    yield keys.playlist_key(seen.playlist_id), seen
    yield from _place(seen.playlist_id, seen.created, starred=starred, there=True)


def reason_of(body: Mapping[str, Any]) -> str | None:
    """Give the reason that a star's body names, if it does."""
    reason = body.get("reason")
    return reason if isinstance(reason, str) else None


class FeedWriter:
    """Writes the feed's keys of a decision of the own log; ``origin`` names the feed in a subject."""

    def __init__(self, origin: str = DEFAULT_ORIGIN) -> None:
        self._origin = origin

    def __call__(self, view: OrderedOverlay, decided: Decided) -> Iterable[Change]:
        """Fold one decision; ``view`` must show each change before the next is asked for."""
        for payload in decided.payloads:
            if isinstance(payload, FactIssued):
                if is_followed(payload.kind, payload.subject.origin, payload.subject.type, self._origin):
                    yield from RULES[KINDS[payload.kind].feed_writer or ""](view, _issued(payload, decided))
            elif isinstance(payload, FACT_EVENTS):
                known = view.get(keys.fact_key(payload.fact_id))
                if known is not None:
                    yield from see_star(view, _changed(Star(*known), counts(payload), decided))
            elif isinstance(payload, PlaylistPosted):
                yield from see_playlist(view, _posted(payload, decided))


def counts(event: Any) -> bool:
    """Tell whether a fact counts after one of its later events: it is active, and its key was not compromised."""
    match event:
        case FactReleased():
            return event.compromised_by is None
        case FactKeyCleared():
            return event.status == "active"
    return False


def is_followed(kind: str, origin: str, subject_type: str, feed_origin: str) -> bool:
    """Tell whether the feed follows facts of this kind about this subject."""
    return (
        kind in KINDS and KINDS[kind].feed_writer is not None and origin == feed_origin and subject_type == SUBJECT_TYPE
    )


def _token(decided: Decided) -> str:
    return token_at(decided.context, decided.partition, decided.offset)


def _issued(fact: FactIssued, decided: Decided) -> Star:
    body = strict_json.parse_own(fact.body)
    reason = reason_of(body) if isinstance(body, dict) else None
    return Star(
        FROM_LOG,
        decided.offset,
        True,  # noqa: FBT003  # `active`: a fact begins so
        fact.subject.ref,
        fact.fact_id,
        fact.issuer_did,
        fact.issued_at,
        reason,
        True,  # noqa: FBT003  # `complete`: the log carries the body
        _token(decided),
    )


def _changed(star: Star, active: bool, decided: Decided) -> Star:  # noqa: FBT001  # one bit of the star
    return star._replace(heard=FROM_LOG, offset=decided.offset, active=active, position=_token(decided))


def _posted(playlist: PlaylistPosted, decided: Decided) -> Playlist:
    return Playlist(
        FROM_LOG,
        decided.offset,
        playlist.playlist_id,
        playlist.slug,
        playlist.title,
        playlist.created,
        playlist.items,
        playlist.posted_by,
    )


RULES: Mapping[str, Callable[[Ordered, Star], Iterator[Change]]] = {"star": see_star}
"""The rules that the table of kinds names as ``feed_writer``; a new kind of an old rule needs no line here."""
