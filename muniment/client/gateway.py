"""What people post, who they are, and what is found of both, as a gateway's reader sees it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from muniment.client.noun import Noun, path_of
from muniment.client.pages import pages, read_items
from muniment.client.shapes import Result

PROFILES_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class Post(Result):
    """A record as feeds and search show it; of one that was found ``highlight`` is the passage, as HTML."""

    uri: str
    cid: str
    value: Any
    schema_version: int
    indexed_at: str
    updated_at: str | None = None
    highlight: str | None = None


@dataclass(frozen=True, kw_only=True)
class Profile(Result):
    """Somebody as shown; of one who was found ``highlight`` is the passage or the handle, as HTML."""

    did: str
    followers: int
    following: int
    posts: int
    handle: str | None = None
    display_name: str | None = None
    description: str | None = None
    avatar: str | None = None
    highlight: str | None = None


class Feeds(Noun):
    """Posts, newest first; a walk shows them as they were when it began."""

    async def author(self, did: str, *, min_position: str | None = None, page_size: int = 50) -> AsyncIterator[Post]:
        """Give an author's posts. Raises Gone where the author erased everything."""
        query = {"min_position": min_position, "limit": page_size}
        async for found, answer in pages(self._transport, path_of("feeds/author", did), query):
            yield Post.read(found, answer)

    async def following(self, *, min_position: str | None = None, page_size: int = 50) -> AsyncIterator[Post]:
        """Give the posts of all whom this client's DID follows."""
        query = {"min_position": min_position, "limit": page_size}
        async for found, answer in pages(self._transport, "/feeds/following", query):
            yield Post.read(found, answer)


class Profiles(Noun):
    """People, by DID or handle."""

    async def get(self, did_or_handle: str, *, min_position: str | None = None) -> Profile:
        """Show a profile. Raises NotFound, and Gone for who erased everything."""
        answer = await self._transport.read(path_of("profiles", did_or_handle), {"min_position": min_position})
        return Profile.read(answer.json, answer)

    async def get_many(self, ids: Sequence[str], *, min_position: str | None = None) -> list[Profile]:
        """Show the profiles of any number of DIDs and handles, without those that there are not or that were erased."""
        found = []
        for start in range(0, len(ids), PROFILES_AT_ONCE):
            query = {"ids": ",".join(ids[start : start + PROFILES_AT_ONCE]), "min_position": min_position}
            answer = await self._transport.read("/profiles", query)
            found += [Profile.read(each, answer) for each in read_items(answer)]
        return found


class Search(Noun):
    """What matches words as people type them: ``"a phrase"``, ``or``, ``-without``; best first.

    ``lang`` (en, de, fr, es) takes words by their stems in that language.
    """

    async def posts(self, q: str, *, lang: str | None = None, page_size: int = 50) -> AsyncIterator[Post]:
        """Give the posts that match."""
        async for found, answer in pages(self._transport, "/search", _query(q, "posts", lang, page_size)):
            yield Post.read(found, answer)

    async def profiles(self, q: str, *, lang: str | None = None, page_size: int = 50) -> AsyncIterator[Profile]:
        """Give the people whose profiles match, or whose handles look like what is sought."""
        async for found, answer in pages(self._transport, "/search", _query(q, "profiles", lang, page_size)):
            yield Profile.read(found, answer)


def _query(q: str, of: Literal["posts", "profiles"], lang: str | None, page_size: int) -> Mapping[str, Any]:
    return {"q": q, "type": of, "lang": lang, "limit": page_size}
