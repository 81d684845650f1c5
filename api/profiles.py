"""Profiles: how somebody is shown, by DID or handle, with how many follow, are followed, and what was posted."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from api.freshness import AS_OF
from api.postgres_reads import PROBLEMS, read
from api.problems import ProblemError, invalid
from api.record_requests import RECORDS, is_did
from api.route import Asked, Route, json_response
from api.shapes import FreshQuery
from api.vault import check_not_erased, erased, erased_at
from domain.did import identity
from domain.json_value import JsonObject
from log import strict_json
from log.dids import parse_did
from log.token import later, read_token, write_token
from projections import identity_queries, profile_queries
from projections.generations import Generation
from projections.postgres import Transaction
from projections.profile_queries import Shown

IDENTITY: Final = "identity"
HANDLE: Final = re.compile(r"[a-z0-9-]{3,32}")
IDS_MAX: Final = 100
MEMBERS: Final = ("display_name", "description", "avatar")
"""What a profile shows of its record, where it is text."""


class ProfileView(BaseModel):
    """Somebody as shown: by handle and the record of a profile, where there are, and in three counts."""

    model_config = ConfigDict(title="Profile")

    did: str
    handle: str | None
    display_name: str | None
    description: str | None
    avatar: str | None
    followers: int
    following: int
    posts: int


class ProfileList(BaseModel):
    """Profiles in the order in which they were asked for, without those that there are not or that were erased."""

    items: list[ProfileView]


class ProfilesQuery(FreshQuery):
    """Up to 100 DIDs and handles, separated by commas."""

    ids: Annotated[str, Field(min_length=1, max_length=16_384)]


async def show(asked: Asked) -> web.StreamResponse:
    """Show a profile by DID or handle."""
    wanted = asked.path("id")
    if is_did(wanted):
        check_not_erased(asked, wanted)
    known, headers = await known_as(asked, [wanted])
    if wanted not in known:
        raise ProblemError("not_found", "there is nobody of this DID or handle", headers=headers)
    did, handle = known[wanted]
    found, headers = await shown(asked, {did: handle}, headers)
    check_not_erased(asked, did)
    if did not in found:
        raise erased()
    return json_response(found[did], headers=headers)


async def browse(asked: Asked) -> web.StreamResponse:
    """Show several profiles."""
    ids = list(dict.fromkeys(asked.query.ids.split(",")))
    if len(ids) > IDS_MAX:
        raise invalid("/ids", f"at most {IDS_MAX} at once")
    known, headers = await known_as(asked, ids)
    people = dict(known[each] for each in ids if each in known)
    found, headers = await shown(asked, people, headers)
    return json_response({"items": [found[did] for did in people if did in found]}, headers=headers)


async def known_as(asked: Asked, ids: Sequence[str]) -> tuple[dict[str, tuple[str, str | None]], Mapping[str, str]]:
    """Give DID and handle of those DIDs and handles that somebody has, by what was asked for.

    A DID that says its key itself needs no registration.
    """
    dids = {each: identity(each) for each in ids if is_did(each)}
    wanted = [*dids.values(), *(each for each in ids if HANDLE.fullmatch(each))]

    async def ask(transaction: Transaction, generation: Generation) -> Mapping[str, Any]:
        return await identity_queries.dids(transaction, generation, wanted)

    found, headers = await read(asked, IDENTITY, ask)
    known: dict[str, tuple[str, str | None]] = {name: (each.did, each.handle) for name, each in found.items()}
    for sent, did in dids.items():
        if did in known:
            known[sent] = known[did]
        elif parse_did(did).method != "mun":
            known[sent] = did, None
    return known, headers


async def shown(
    asked: Asked, people: Mapping[str, str | None], so_far: Mapping[str, str]
) -> tuple[dict[str, JsonObject], Mapping[str, str]]:
    """Show people by their DIDs, whose handles are known, without those who were erased."""
    gateway = asked.api.settings.gateway

    async def ask(transaction: Transaction, generation: Generation) -> dict[str, Shown]:
        return await profile_queries.profiles(
            transaction,
            generation,
            list(people),
            posts=gateway.posts,
            follows=gateway.follows,
            profiles=gateway.profiles,
        )

    found, headers = await read(asked, RECORDS, ask)
    views = {
        did: _view(each, people[did])
        for did, each in found.items()
        # Asked again behind the tables: what was erased while they were read is not shown.
        if erased_at(asked.api.mirror, did) is None
    }
    return views, both(so_far, headers)


def both(*read_at: Mapping[str, str]) -> Mapping[str, str]:
    """Say as of when an answer is that two tables gave."""
    tokens = [read_token(each[AS_OF]) for each in read_at if AS_OF in each]
    return {AS_OF: write_token(later(tokens))} if tokens else {}


def _view(found: Shown, handle: str | None) -> JsonObject:
    value = None if found.profile is None else strict_json.parse_own(found.profile)
    members = value if isinstance(value, dict) else {}
    said: JsonObject = {name: text if isinstance(text := members.get(name), str) else None for name in MEMBERS}
    view: JsonObject = {"did": found.did, "handle": handle, **said}
    return view | {"followers": found.followers, "following": found.following, "posts": found.posts}


ROUTES = [
    Route(
        "GET",
        "/profiles/{id}",
        show,
        "A profile, by DID or handle",
        query_model=FreshQuery,
        responses={200: ProfileView},
        problems=(*PROBLEMS, "not_found", "erased"),
        by_key_set=True,
    ),
    Route(
        "GET",
        "/profiles",
        browse,
        "Up to 100 profiles, by DIDs and handles",
        query_model=ProfilesQuery,
        responses={200: ProfileList},
        problems=PROBLEMS,
        by_key_set=True,
    ),
]
