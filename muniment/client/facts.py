"""Facts, as a client issues, finds and follows them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from muniment.client.batches import batches, outcomes
from muniment.client.noun import Noun, path_of
from muniment.client.pages import POLL_S, feed, pages
from muniment.client.shapes import BatchItem, Change, Event, Fact, Subject
from muniment.client.transport import Transport

STAR: Final = "endorsement.star"
BATCHES_IN_FLIGHT: Final = 2

Given = Subject | Mapping[str, Any]


def now_text() -> str:
    """Give the time as facts carry it: RFC 3339 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Facts(Noun):
    """The registry's facts."""

    def __init__(self, transport: Transport, feed_origin: str) -> None:
        super().__init__(transport)
        self._feed_origin = feed_origin

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
        answer = await self._post("/facts", signed, idempotency_key)
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
        return [BatchItem(*each) for each in outcomes(answer, len(batch), "fact", Fact)]

    async def revoke(self, fact_id: str, reason: str | None = None, *, idempotency_key: str | None = None) -> Fact:
        """Take one's own fact back, signed. Raises NotFound, NotTheIssuer, NotActive."""
        signed = self._key.sign_revocation(fact_id, reason)
        answer = await self._post(path_of("facts", fact_id, "revoke"), signed, idempotency_key)
        return Fact.read(answer.json, answer)

    async def quarantine(self, fact_id: str, reason: str, *, idempotency_key: str | None = None) -> Fact:
        """Set a fact aside, as an admin."""
        return await self._change(fact_id, "quarantine", {"reason": reason}, idempotency_key)

    async def release(self, fact_id: str, *, idempotency_key: str | None = None) -> Fact:
        """Let a quarantined fact count again, as an admin."""
        return await self._change(fact_id, "release", None, idempotency_key)

    async def _change(self, fact_id: str, verb: str, body: Any, idempotency_key: str | None) -> Fact:
        answer = await self._post(path_of("facts", fact_id, verb), body, idempotency_key)
        return Fact.read(answer.json, answer)

    async def get(self, fact_id: str, *, min_position: str | None = None) -> Fact:
        """Show a fact in any status. Raises NotFound."""
        answer = await self._transport.read(path_of("facts", fact_id), {"min_position": min_position})
        return Fact.read(answer.json, answer)

    async def list(self, *, page_size: int = 100, **filters: str | None) -> AsyncIterator[Fact]:
        """Give the facts that filters let through, newest first, page by page.

        Filters: kind, origin, type, ref, issuer, status (active unless given), as_of, min_position.
        """
        async for found, answer in pages(self._transport, "/facts", {"limit": page_size, **filters}):
            yield Fact.read(found, answer)

    async def own(self, kind: str, subject: Subject) -> Fact | None:
        """Find the newest of this client's active facts of a kind on a subject, whatever its digest.

        One that another client of the key issued a moment before is found, too: where there is none at first, what the
        registry has decided by then is waited for. Raises NotCaughtUp.
        """
        of = {"kind": kind, "origin": subject.origin, "type": subject.type, "ref": subject.ref, "issuer": self._key.did}
        async for found in self.list(page_size=1, **of):
            return found
        decided = (await self._transport.call("GET", "/health")).as_of
        async for found in self.list(page_size=1, min_position=decided, **of):
            return found
        return None

    def as_of(self, position: str, **filters: str | None) -> AsyncIterator[Fact]:
        """Give the facts as they stood at a position's token or an RFC 3339 time."""
        return self.list(page_size=100, as_of=position, **filters)

    async def history(self, fact_id: str) -> Sequence[Event]:
        """Give the events of a fact, oldest first. Raises NotFound."""
        path = path_of("facts", fact_id, "history")
        return [Event.read(found, answer) async for found, answer in pages(self._transport, path, {})]

    async def changes(
        self, since: str = "0", *, follow: bool = False, poll_s: float = POLL_S, page_size: int = 100, **filters: str
    ) -> AsyncIterator[Change]:
        """Give every change of status in the log's order, from a cursor on; with ``follow`` for ever.

        ``since`` is ``0`` for the start, or the ``resume`` of the last change that was dealt with.
        """
        query = {"limit": page_size, **filters}
        async for found, answer, resume in feed(self._transport, "/facts", query, since, follow=follow, poll_s=poll_s):
            fact = Fact.read(found.get("fact"), answer)
            yield Change(found["change"], fact, found["position"], answer.as_of, resume)
