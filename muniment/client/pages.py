"""Walking a list page by page, and a feed for as long as one likes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from muniment.client.refusals import UnexpectedAnswer
from muniment.client.transport import Answer, Transport

POLL_S: Final = 1.0


def read_items(answer: Answer) -> Sequence[Mapping[str, Any]]:
    """Give the items of a page; raises UnexpectedAnswer."""
    found = answer.json.get("items") if isinstance(answer.json, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise UnexpectedAnswer("a page without items")
    return found


async def pages(
    transport: Transport, path: str, query: Mapping[str, Any]
) -> AsyncIterator[tuple[Mapping[str, Any], Answer]]:
    """Give each item with the answer that it came in, until the last page."""
    cursor: str | None = None
    while True:
        answer = await transport.read(path, {**query, "cursor": cursor})
        for item in read_items(answer):
            yield item, answer
        cursor = answer.json.get("next_cursor")
        if cursor is None:
            return


async def feed(
    transport: Transport, path: str, query: Mapping[str, Any], since: str, *, follow: bool, poll_s: float
) -> AsyncIterator[tuple[Mapping[str, Any], Answer, str]]:
    """Give each item of a feed behind a cursor, with its answer and where to resume; with ``follow`` for ever.

    Nothing behind an item is missed from its cursor on; at most a page comes again.
    """
    cursor = since
    while True:
        # A cursor is its own position: what this client wrote comes when the log's order says so.
        answer = await transport.read(path, {**query, "since": cursor}, fresh=False)
        items, behind = read_items(answer), answer.json.get("next_cursor")
        if not isinstance(behind, str):
            raise UnexpectedAnswer("a page of a feed without a cursor")
        for index, found in enumerate(items, 1):
            yield found, answer, behind if index == len(items) else cursor
        if not items:
            if not follow:
                return
            await asyncio.sleep(poll_s)
        cursor = behind
