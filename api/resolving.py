"""Resolving a DID as it is or stood: one of this registry from its tables, a did:key or did:pkh from its own text."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from api.did_documents import did_document, jwk, jwk_of, own_document
from api.freshness import as_of, read_position, wait_until_reached
from api.moments import Moment, read_moment, time_at
from api.postgres_reads import read
from api.route import Asked
from api.shapes import FreshQuery, Maybe
from domain.json_value import JsonObject
from log.dids import InvalidDid, ParsedDid, max_did_characters, parse_did
from log.token import Positions
from projections import identity_past_queries
from projections.generations import Generation
from projections.identity_past_queries import Limit, StoodDid
from projections.postgres import Transaction

CONTEXT: Final = "identity"
SYNTAX: Final = re.compile(r"did:([a-z0-9]+):(?:[A-Za-z0-9._:-]|%[0-9A-Fa-f]{2})+(?<!:)")
"""A DID, by DID Core's grammar."""
HASH: Final = re.compile(r"sha256-[A-Za-z0-9_-]{43}")
METHODS: Final = ("mun", "key", "pkh")


class Unresolved(StrEnum):
    """Why a DID has no document here: the errors of DID Resolution."""

    INVALID = "invalidDid"
    NO_METHOD = "methodNotSupported"
    NOT_FOUND = "notFound"


class UnresolvedError(Exception):
    """A DID that has no document here; ``detail`` is safe to show."""

    def __init__(self, reason: Unresolved, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class DidQuery(FreshQuery):
    """A DID now, or as of a time or a token."""

    as_of: Maybe[str] = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a DID resolves to: its document, its keys as JWKs, the header that says as of when, and how it stood.

    ``stood`` is nothing for a DID that says its key itself.
    """

    document: JsonObject
    keys: list[JsonObject]
    headers: Mapping[str, str]
    stood: StoodDid | None


def read_did(text: str) -> ParsedDid:
    """Read a DID of a path. Raises UnresolvedError."""
    if len(text) > max_did_characters or (found := SYNTAX.fullmatch(text)) is None:
        raise UnresolvedError(Unresolved.INVALID, f"a DID is did:method:id, of at most {max_did_characters} characters")
    if found[1] not in METHODS:
        raise UnresolvedError(Unresolved.NO_METHOD, f"DIDs of the method {found[1]} aren't resolved here")
    try:
        return parse_did(text)
    except InvalidDid as error:
        raise UnresolvedError(Unresolved.INVALID, error.detail) from None


async def resolve(asked: Asked, text: str, *, as_of_text: str | None = None, version: str | None = None) -> Resolved:
    """Resolve a DID, as of a time or a token, or as an operation of this hash left it. Raises UnresolvedError."""
    parsed = read_did(text)
    if version is not None and not HASH.fullmatch(version):
        raise UnresolvedError(Unresolved.NOT_FOUND, "an operation's hash is sha256-…")
    moment = None if as_of_text is None else await read_moment(asked, as_of_text, CONTEXT)
    if parsed.method != "mun":
        return _by_itself(asked, parsed)
    partition = asked.api.partition(parsed.did)
    limit, at = await _limit(asked, moment, partition)

    async def ask(transaction: Transaction, generation: Generation) -> StoodDid | None:
        until, then = limit, at
        if version is not None:
            named = await identity_past_queries.version_limit(transaction, generation, parsed.did, version)
            if named is None:
                return None
            until, then = named, named.at
        return await identity_past_queries.stood(transaction, generation, parsed.did, until, then)

    wanted: Positions = {} if moment is None else moment.wanted
    stood, headers = await read(asked, CONTEXT, ask, wanted)
    if stood is None:
        raise UnresolvedError(Unresolved.NOT_FOUND, "there is no such DID, or there wasn't then")
    return Resolved(
        did_document(stood.did, stood.keys, stood.handle), [jwk_of(key) for key in stood.keys], headers, stood
    )


async def _limit(asked: Asked, moment: Moment | None, partition: int) -> tuple[Limit, int]:
    """Give how far a DID's log is read, and the moment at which its keys must hold."""
    now = time.time_ns() // 1_000_000
    if moment is None:
        return Limit(), now
    if partition in moment.offsets:
        offset = moment.offsets[partition]
        await wait_until_reached(asked.api.mirror, {(CONTEXT, partition): offset}, asked.query.wait_ms, (CONTEXT,))
        # Where no decision lies there the last one before it says when that was.
        return Limit(pos=offset), await time_at(asked, CONTEXT, partition, offset) or 0
    return (Limit(), now) if moment.at is None else (Limit(at=moment.at), moment.at)


def _by_itself(asked: Asked, parsed: ParsedDid) -> Resolved:
    if asked.query.min_position is not None:
        read_position(asked.query.min_position)
    keys = [] if parsed.key is None else [jwk(parsed.key.multibase, parsed.key)]
    return Resolved(own_document(parsed), keys, as_of(asked.api.mirror), None)
