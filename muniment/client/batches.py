"""Sending many at once: what is signed is cut into batches that a registry takes, each item with its own outcome."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from muniment.client.pages import read_items
from muniment.client.problems import refusal
from muniment.client.refusals import Refused, UnexpectedAnswer
from muniment.client.shapes import Result
from muniment.client.transport import Answer

BATCH_ITEMS: Final = 1_000
BATCH_BYTES: Final = 900_000
"""Below the registry's limit of 1 MiB with room for what surrounds the items."""

T = TypeVar("T", bound=Result)


def batches(
    signed: Iterable[Mapping[str, Any]], *, items: int = BATCH_ITEMS, most_bytes: int = BATCH_BYTES
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Cut what is signed into batches that the registry takes, by number and by size."""
    batch: list[Mapping[str, Any]] = []
    size = 0
    for each in signed:
        weight = len(json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode()) + 1
        if batch and (len(batch) == items or size + weight > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += weight
    if batch:
        yield batch


def outcomes(answer: Answer, sent: int, member: str, kind: type[T]) -> Sequence[tuple[int, T | None, Refused | None]]:
    """Read what became of each item of a batch: HTTP's status, and what is under ``member``, or its refusal.

    Raises UnexpectedAnswer where there are more or fewer than were sent.
    """
    items = read_items(answer)
    if len(items) != sent:
        raise UnexpectedAnswer(f"{sent} were sent in a batch and {len(items)} answered")
    return [_outcome(item, answer, member, kind) for item in items]


def _outcome(
    found: Mapping[str, Any], answer: Answer, member: str, kind: type[T]
) -> tuple[int, T | None, Refused | None]:
    status = found.get("status")
    if not isinstance(status, int):
        raise UnexpectedAnswer("an item of a batch has no status")
    if found.get(member) is not None:
        return status, kind.read(found[member], answer), None
    return status, None, refusal(found.get("problem") or {}, status)
