"""The backfill that heals a feed: what the registry's delta feed says since the highwater goes onto the feed's queue.

It writes no store: pages lie on the queue with the cursor behind them, and the queue's consumer applies both in one
write. So a store can be folded again from the queue alone, and any process may run this.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp

from domain.facts.kinds import KINDS
from domain.json_value import JsonValue
from log import strict_json
from log.log import Log
from log.topic import FACTS_INGEST

BEGINNING: Final = "0"
KEY: Final = b"backfill"
PAGE_LIMIT: Final = 100
PAGE_BYTES: Final = 64 << 20
"""A page of the largest facts there can be is not larger."""
PAGE_DEPTH: Final = strict_json.max_depth_levels + 8
"""A page holds facts, whose bodies may be as deep as a request."""
REQUEST_TIMEOUT_S: Final = 30.0
TAIL: Final = 500
POLL_S: Final = 2.0
MEMBERS: Final = ("id", "kind", "subject", "issuer_did", "issued_at", "status", "key_compromised")

Since = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Gives the page of the registry's delta feed behind a cursor: ``{items: [{change, fact, position}], next_cursor}``.

Raises RegistryUnavailable.
"""


class RegistryUnavailable(ConnectionError):
    """The registry can't be reached or answered with something else than a page; the message says what."""


async def backfill(log: Log, since: Since, highwater: str | None = None) -> tuple[str, int]:
    """Put all that the registry has behind the highwater onto the queue; give the new highwater and the changes put.

    Without a ``highwater`` the last one on the queue is taken. Raises RegistryUnavailable, LogUnavailable and
    AppendUnknown; whatever was put stays, and putting it again changes nothing.
    """
    cursor = await last_highwater(log) if highwater is None else highwater
    put = 0
    while True:
        page = await since(cursor)
        items, following = page.get("items"), page.get("next_cursor")
        if not isinstance(items, list) or not isinstance(following, str):
            raise RegistryUnavailable("the registry's answer is not a page")
        told = [told for item in items if (told := _told(item)) is not None]
        if told or following != cursor:
            value = strict_json.dump({"items": told, "next_cursor": following})
            # Durable once this answers; a crash before it reads the same page again.
            await (await log.append(FACTS_INGEST, 0, [(KEY, value)]))
        put += len(told)
        if not items or following == cursor:
            return following, put
        cursor = following


def _told(item: Any) -> Mapping[str, Any] | None:
    """Give what the feed needs of a change, or nothing of a kind that it does not follow."""
    fact = item.get("fact") if isinstance(item, dict) else None
    if not isinstance(fact, dict):
        return None
    kind, body = KINDS.get(str(fact.get("kind"))), fact.get("body")
    if kind is None or kind.feed_writer is None:
        return None
    told = {name: fact[name] for name in MEMBERS if name in fact} | {"position": item.get("position")}
    return told | ({"reason": body["reason"]} if isinstance(body, dict) and "reason" in body else {})


async def last_highwater(log: Log) -> str:
    """Read the queue backwards until the last page of a backfill, and give its cursor; ``0`` where there is none."""
    reader = await log.reader(FACTS_INGEST, {0: 0})
    try:
        end = start = (await reader.ends())[0]
        while start > 0:
            end, start = start, max(0, start - TAIL)
            reader.seek(0, start)
            cursor, reading = None, start
            while reading < end:
                for message in (await reader.poll(POLL_S, TAIL)).get(0, ()):
                    reading = message.offset + 1
                    if message.key == KEY and message.offset < end:
                        cursor = strict_json.parse(message.value)
            if isinstance(cursor, dict):
                return str(cursor["next_cursor"])
        return BEGINNING
    finally:
        await reader.close()


class RemoteFacts:
    """The delta feed of a registry that is reached by HTTP; ``url`` is the registry's."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url.rstrip("/")

    async def __call__(self, cursor: str) -> Mapping[str, Any]:
        """Read one page. Raises RegistryUnavailable."""
        query = {"since": cursor, "limit": str(PAGE_LIMIT)}
        page = await read_json(self._session, f"{self._url}/facts", query)
        if not isinstance(page, dict):
            raise RegistryUnavailable("the registry's answer is not a page")
        return page


async def read_json(session: aiohttp.ClientSession, url: str, query: Mapping[str, str] | None = None) -> JsonValue:
    """Read what a registry shows to everyone. Raises RegistryUnavailable."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    try:
        async with session.get(url, params=query, timeout=timeout) as answer:
            if answer.status != 200:
                raise RegistryUnavailable(f"the registry answered {answer.status}")
            raw = bytearray()
            async for chunk in answer.content.iter_any():
                raw += chunk
                if len(raw) > PAGE_BYTES:
                    raise RegistryUnavailable("the registry's answer has no end")
            return strict_json.parse(bytes(raw), max_depth=PAGE_DEPTH)
    except (aiohttp.ClientError, TimeoutError, strict_json.MalformedJson) as error:
        raise RegistryUnavailable(type(error).__name__) from error


async def backfill_forever(
    log: Log,
    since: Since,
    *,
    every_s: float,
    wanted: asyncio.Event,
    failed: Callable[[Exception], None],
    rest_s: float = 1.0,
) -> None:
    """Heal at the start, then every so often, and sooner when it is wanted, until cancelled."""
    highwater: str | None = None
    while True:
        wanted.clear()
        try:
            highwater, _ = await backfill(log, since, highwater)
        except ConnectionError as error:  # the registry's or the log's: both are waited out
            failed(error)
            highwater = None
        await asyncio.sleep(rest_s)
        try:
            await asyncio.wait_for(wanted.wait(), every_s)
        except TimeoutError:
            continue
