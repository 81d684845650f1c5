"""Facts, as a client issues, finds and follows them."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from muniment.client.pages import pages, read_items
from muniment.client.problems import refusal
from muniment.client.refusals import UnexpectedAnswer
from muniment.client.shapes import BatchItem, Change, Event, Fact, Subject
from muniment.client.transport import Answer, Transport
from muniment.signing_key import SigningKey

STAR: Final = "endorsement.star"
BATCH_FACTS: Final = 1_000
BATCH_BYTES: Final = 900_000
"""Below the registry's limit of 1 MiB with room for what surrounds the facts."""
BATCHES_IN_FLIGHT: Final = 2
POLL_S: Final = 1.0

Given = Subject | Mapping[str, Any]


def now_text() -> str:
    """Give the time as facts carry it: RFC 3339 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Facts:
    """The registry's facts."""

    def __init__(self, transport: Transport, feed_origin: str) -> None:
        self._transport, self._feed_origin = transport, feed_origin

    @property
    def _key(self) -> SigningKey:
        if self._transport.key is None:
            raise ValueError("a client without a key signs nothing")
        return self._transport.key

    def sign(self, kind: str, subject: Given, body: Mapping[str, Any]) -> dict[str, Any]:
        """Sign a fact without sending it, and give the body of ``POST /facts``; it is issued now unless the body says.

        Raises NotCanonicalizable for what JSON can't say exactly.
        """
        about = subject.to_json() if isinstance(subject, Subject) else subject
        return self._key.sign_fact(kind, about, {"issued_at": now_text(), **body})

    async def issue(
        self, kind: str, subject: Given, body: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> Fact:
        """Sign a fact and issue it; the same fact again is that fact, ``repeated``.

        Raises SignerNotAuthorized, AlreadyActive, and Refused in general.
        """
        return await self.submit(self.sign(kind, subject, body), idempotency_key=idempotency_key)

    async def submit(self, signed: Mapping[str, Any], *, idempotency_key: str | None = None) -> Fact:
        """Issue a fact that was signed before."""
        answer = await self._transport.write("POST", "/facts", signed, idempotency_key=idempotency_key)
        return Fact.read(answer.json, answer)

    async def preview(self, signed: Mapping[str, Any]) -> Mapping[str, Any]:
        """Say what would become of a signed fact, without issuing it: the registry's answer to a dry run."""
        answer = await self._transport.call("POST", "/facts", body=signed, query={"dry_run": True})
        found: Mapping[str, Any] = answer.json
        return found

    async def star(self, playlist_id: str, reason: str | None = None, *, idempotency_key: str | None = None) -> Fact:
        """Star a playlist of the feed."""
        body = {} if reason is None else {"reason": reason}
        subject = Subject(self._feed_origin, "playlist", playlist_id)
        return await self.issue(STAR, subject, body, idempotency_key=idempotency_key)

    async def issue_many(self, signed: Iterable[Mapping[str, Any]]) -> AsyncIterator[BatchItem]:
        """Issue any number of signed facts in batches, and give what became of each in their order.

        A batch that can't be sent raises; what was given until then is settled, and sending all again repeats nothing.
        """
        flying: deque[asyncio.Task[list[BatchItem]]] = deque()
        try:
            for batch in batches(signed):
                flying.append(asyncio.create_task(self._issue_batch(batch)))
                if len(flying) >= BATCHES_IN_FLIGHT:
                    for item in await flying.popleft():
                        yield item
            while flying:
                for item in await flying.popleft():
                    yield item
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    async def _issue_batch(self, batch: Sequence[Mapping[str, Any]]) -> list[BatchItem]:
        answer = await self._transport.write("POST", "/facts/batch", {"facts": list(batch)})
        items = read_items(answer)
        if len(items) != len(batch):
            raise UnexpectedAnswer(f"{len(batch)} facts were sent and {len(items)} answered")
        return [_batch_item(item, answer) for item in items]

    async def revoke(self, fact_id: str, reason: str | None = None, *, idempotency_key: str | None = None) -> Fact:
        """Take one's own fact back, signed. Raises NotFound, NotTheIssuer, NotActive."""
        signed = self._key.sign_revocation(fact_id, reason)
        path = f"/facts/{quote(fact_id, safe='')}/revoke"
        answer = await self._transport.write("POST", path, signed, idempotency_key=idempotency_key)
        return Fact.read(answer.json, answer)

    async def quarantine(self, fact_id: str, reason: str, *, idempotency_key: str | None = None) -> Fact:
        """Set a fact aside, as an admin."""
        return await self._change(fact_id, "quarantine", {"reason": reason}, idempotency_key)

    async def release(self, fact_id: str, *, idempotency_key: str | None = None) -> Fact:
        """Let a quarantined fact count again, as an admin."""
        return await self._change(fact_id, "release", None, idempotency_key)

    async def _change(self, fact_id: str, verb: str, body: Any, idempotency_key: str | None) -> Fact:
        path = f"/facts/{quote(fact_id, safe='')}/{verb}"
        answer = await self._transport.write("POST", path, body, idempotency_key=idempotency_key)
        return Fact.read(answer.json, answer)

    async def get(self, fact_id: str, *, min_position: str | None = None) -> Fact:
        """Show a fact in any status. Raises NotFound."""
        answer = await self._transport.read(f"/facts/{quote(fact_id, safe='')}", {"min_position": min_position})
        return Fact.read(answer.json, answer)

    async def list(self, *, page_size: int = 100, **filters: str | None) -> AsyncIterator[Fact]:
        """Give the facts that filters let through, newest first, page by page.

        Filters: kind, origin, type, ref, issuer, status (active unless given), as_of, min_position.
        """
        async for found, answer in pages(self._transport, "/facts", {"limit": page_size, **filters}):
            yield Fact.read(found, answer)

    def as_of(self, position: str, **filters: str | None) -> AsyncIterator[Fact]:
        """Give the facts as they stood at a position's token or an RFC 3339 time."""
        return self.list(page_size=100, as_of=position, **filters)

    async def history(self, fact_id: str) -> Sequence[Event]:
        """Give the events of a fact, oldest first. Raises NotFound."""
        path = f"/facts/{quote(fact_id, safe='')}/history"
        return [Event.read(found, answer) async for found, answer in pages(self._transport, path, {})]

    async def changes(
        self, since: str = "0", *, follow: bool = False, poll_s: float = POLL_S, page_size: int = 100, **filters: str
    ) -> AsyncIterator[Change]:
        """Give every change of status in the log's order, from a cursor on; with ``follow`` for ever.

        ``since`` is ``0`` for the start, or the ``resume`` of the last change that was dealt with.
        """
        cursor = since
        while True:
            query = {"since": cursor, "limit": page_size, **filters}
            # A cursor is its own position: what this client wrote comes when the log's order says so.
            answer = await self._transport.read("/facts", query, fresh=False)
            items, behind = read_items(answer), answer.json.get("next_cursor")
            if not isinstance(behind, str):
                raise UnexpectedAnswer("a delta feed without a cursor")
            for index, found in enumerate(items, 1):
                fact = Fact.read(found.get("fact"), answer)
                resume = behind if index == len(items) else cursor
                yield Change(found["change"], fact, found["position"], answer.as_of, resume)
            if not items:
                if not follow:
                    return
                await asyncio.sleep(poll_s)
            cursor = behind


def batches(signed: Iterable[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Cut signed facts, or what else is signed, into batches that the registry takes, by number and by size."""
    batch: list[Mapping[str, Any]] = []
    size = 0
    for each in signed:
        weight = len(json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode()) + 1
        if batch and (len(batch) == BATCH_FACTS or size + weight > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += weight
    if batch:
        yield batch


def _batch_item(found: Mapping[str, Any], answer: Answer) -> BatchItem:
    status = int(found["status"])
    if found.get("fact") is not None:
        return BatchItem(status, Fact.read(found["fact"], answer), None)
    return BatchItem(status, None, refusal(found.get("problem") or {}, status))
