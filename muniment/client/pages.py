"""Walking a list page by page."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from muniment.client.refusals import UnexpectedAnswer
from muniment.client.transport import Answer, Transport


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
