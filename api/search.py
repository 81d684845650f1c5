"""Search: posts by their words, people by the words of their profiles and by handles that look like what was typed."""

import html
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from api.feeds import is_visible, place_of, positions_of
from api.pages import page, read_cursor, write_cursor
from api.postgres_reads import PROBLEMS, offsets_in, read
from api.problems import ProblemError
from api.profiles import IDENTITY, ProfileView, both, known_as
from api.profiles import shown as shown_profiles
from api.record_reads import shown
from api.record_requests import RECORDS, is_did
from api.record_results import RecordView
from api.route import Asked, Route, json_response
from api.shapes import Maybe, PageQuery
from domain.json_value import JsonObject, JsonValue
from projections import handle_queries, search_queries
from projections.generations import Generation
from projections.postgres import Transaction
from projections.reads import vector
from projections.search_queries import BEGINS, CANDIDATES, ENDS, SCORES, Match, Rank

QUERY_MAX: Final = 512
HANDLE_MAX: Final = 32
CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160)), " ")
"""Characters that no word has; Postgres's text can't hold one of them."""
RANK: Final = (int, int, str, str, str, list)
PERSON: Final = (int, str, list)


class SearchQuery(PageQuery):
    """Words as people type them: ``"a phrase"``, ``or``, ``-without``; ``lang`` takes words by their stems in it."""

    q: Annotated[str, Field(min_length=1, max_length=QUERY_MAX)]
    type: Literal["posts", "profiles"] = "posts"
    lang: Maybe[Literal["en", "de", "fr", "es"]] = None

    @property
    def text(self) -> str:
        """Give what was typed, without control characters."""
        return self.q.translate(CONTROLS)

    def filters(self) -> dict[str, JsonValue]:
        """Give what a cursor is bound to."""
        return {"of": "search", "q": self.q, "type": self.type, "lang": self.lang}


class FoundPost(RecordView):
    """A post that matches; ``highlight`` is HTML: the passage that does, escaped but for ``<mark>``."""

    model_config = ConfigDict(title="FoundPost")

    highlight: str


class FoundProfile(ProfileView):
    """Somebody who matches; ``highlight`` is HTML: the passage or the handle that does, escaped but for ``<mark>``."""

    model_config = ConfigDict(title="FoundProfile")

    highlight: str


class SearchPage(BaseModel):
    """What matches, best first, then newest first; of very many matches the newest are shown."""

    items: list[FoundPost | FoundProfile]
    next_cursor: str | None


async def search(asked: Asked) -> web.StreamResponse:
    """Search posts or profiles."""
    return await (_posts(asked) if asked.query.type == "posts" else _profiles(asked))


async def _posts(asked: Asked) -> web.StreamResponse:
    query: SearchQuery = asked.query
    after: Rank | None = None
    held: list[int] | None = None
    if query.cursor is not None:
        score, at, rkey, did, collection, offsets = read_cursor(query.cursor, query.filters(), RANK)
        behind, held = place_of(at, rkey, did, collection), offsets_in(offsets)
        after = Rank(score_of(score), behind.indexed_at, behind.rkey, behind.did, behind.collection)
    found, offsets_then, headers = await _matching(
        asked, asked.api.settings.gateway.posts, held, query.limit + 1, after
    )
    items, cursor = found[: query.limit], None
    if len(found) > query.limit:
        last = items[-1]
        stored = last.record
        place: list[JsonValue] = [last.score, stored.indexed_at, stored.rkey, stored.did, stored.collection]
        cursor = write_cursor(query.filters(), [*place, [*offsets_then]])
    posts = [
        shown(each.record) | {"highlight": marked(each.passage)} for each in items if is_visible(asked, each.record)
    ]
    return json_response(page(posts, cursor), headers=headers)


async def _matching(
    asked: Asked, collections: tuple[str, ...], held: list[int] | None, limit: int, after: Rank | None
) -> tuple[list[Match], list[int], dict[str, str]]:
    """Give the records that match, as of offsets, which are those of now where none are held."""
    query: SearchQuery = asked.query

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[Match], list[int]]:
        offsets = vector(generation) if held is None else held
        if len(offsets) != len(generation.marks):
            raise ProblemError("invalid_cursor")
        sought = await search_queries.needle(transaction, query.text, query.lang)
        if sought is None:
            return [], offsets
        found = await search_queries.matching(
            transaction, generation, sought, collections=collections, offsets=offsets, limit=limit, after=after
        )
        return found, offsets

    (found, offsets), headers = await read(asked, RECORDS, ask, positions_of(held))
    return found, offsets, dict(headers)


async def _profiles(asked: Asked) -> web.StreamResponse:
    """Search people; the page goes on as the profiles were when it began, and as the handles are now."""
    query: SearchQuery = asked.query
    text = query.text.strip().removeprefix("@").lower()[:HANDLE_MAX]
    behind: tuple[int, str] | None = None
    held: list[int] | None = None
    if query.cursor is not None:
        score, did, offsets = read_cursor(query.cursor, query.filters(), PERSON)
        if not isinstance(did, str) or not is_did(did):
            raise ProblemError("invalid_cursor")
        behind, held = (-score_of(score), did), offsets_in(offsets)

    async def ask(transaction: Transaction, generation: Generation) -> list[tuple[str, str, float]]:
        return await handle_queries.handles_like(transaction, generation, text, CANDIDATES)

    alike, handles_at = await read(asked, IDENTITY, ask)
    matches, offsets_then, records_at = await _matching(
        asked, (asked.api.settings.gateway.profiles,), held, CANDIDATES, None
    )
    scores, passages = dict[str, int](), dict[str, str]()
    for did, handle, likeness in alike:
        scores[did], passages[did] = round(likeness * SCORES), _marked_handle(handle, text)
    for match in matches:
        did = match.record.did
        scores[did] = scores.get(did, 0) + match.score
        passages[did] = marked(match.passage)
    order = sorted((-score, did) for did, score in scores.items())
    wanted = [each for each in order if behind is None or each > behind]
    cursor = None
    if len(wanted) > query.limit:
        score, did = wanted[query.limit - 1]
        cursor = write_cursor(query.filters(), [-score, did, [*offsets_then]])
    dids = [did for _, did in wanted[: query.limit]]
    known, known_at = await known_as(asked, dids)
    people = {did: known[did][1] for did in dids if did in known}
    views, headers = await shown_profiles(asked, people, both(handles_at, records_at, known_at))
    items: list[JsonObject] = [views[did] | {"highlight": passages[did]} for did in people if did in views]
    return json_response(page(items, cursor), headers=headers)


def marked(passage: str) -> str:
    """Give a passage as HTML in which nothing is markup but what surrounds a match."""
    return html.escape(passage).replace(BEGINS, "<mark>").replace(ENDS, "</mark>")


def _marked_handle(handle: str, text: str) -> str:
    return marked(handle.replace(text, f"{BEGINS}{text}{ENDS}") if text and text in handle else handle)


def score_of(member: JsonValue) -> int:
    """Read a score from a cursor; raises ``invalid_cursor``."""
    if not isinstance(member, int) or not 0 <= member <= 2 * SCORES:
        raise ProblemError("invalid_cursor")
    return member


ROUTES = [
    Route(
        "GET",
        "/search",
        search,
        "Posts or profiles by their words, best first",
        query_model=SearchQuery,
        responses={200: SearchPage},
        problems=(*PROBLEMS, "invalid_cursor"),
        by_key_set=True,
    ),
]
