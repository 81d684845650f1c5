"""Publishing: rights records that a key signs on this machine, followed from their intent to a block of the chain."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from log import intents
from muniment.client.batches import batches
from muniment.client.facts import now_text
from muniment.client.ledger_refusals import NonceUsed
from muniment.client.noun import Noun, given, path_of
from muniment.client.pages import pages, read_items
from muniment.client.problems import refusal
from muniment.client.publishing_refusals import PublishingFailed, StillPublishing
from muniment.client.publishing_shapes import (
    Block,
    Job,
    Pool,
    PoolOutput,
    Proof,
    PublishedRecord,
    Publisher,
    PublishItem,
    Split,
    TrailStep,
)
from muniment.client.refusals import UnexpectedAnswer
from muniment.client.transport import Answer
from muniment.publisher_key import PublisherKey, new_nonce

Until: TypeAlias = Literal["reserved", "signed", "sent", "seen", "confirmed"]

BATCH_ITEMS: Final = 500
BATCH_BYTES: Final = 4_000_000
"""Below the registry's limit of 4 MiB with room for what surrounds the intents."""
WAIT_TIMEOUT_S: Final = 3_600.0
"""A block of a public chain comes every ten minutes or so, and sometimes after an hour."""
FIRST_LOOK_S: Final = 0.05
LONGEST_LOOK_S: Final = 10.0
LOOK_AFTER: Final = 0.2
"""A job is looked at again after this part of the time that it has been waited for."""
_FAILED: Final = "failed"
_FAR: Final[Mapping[str, int]] = {"reserved": 1, "signed": 2, "reorged": 2, "sent": 3, "seen": 4, "confirmed": 5}
"""How far a job of a status is; a transaction whose block is no more is signed, and waits to be sent again."""


class Publishing(Noun):
    """Rights records, the keys that may publish them, and the pool that pays for them."""

    def sign(self, record: Mapping[str, Any], key: PublisherKey) -> dict[str, Any]:
        """Sign a record without sending it, and give the body of ``POST /v1/publish``.

        It is of now, and has a new nonce, where it doesn't say. Raises NotCanonicalizable.
        """
        return key.sign_intent({"timestamp": now_text(), "nonce": new_nonce(), **record})

    async def publish(
        self, record: Mapping[str, Any], key: PublisherKey, *, now: bool = False, idempotency_key: str | None = None
    ) -> Job:
        """Sign a record and have it anchored, with ``now`` alone and at once.

        Its ``timestamp`` and its ``nonce`` are filled in where it has none, as by ``sign``.
        Raises InvalidRequest, TimestampOutOfRange, KeyNotRegistered, NonceUsed, RecordExists, and Refused in general.
        """
        return await self.submit(self.sign(record, key), now=now, idempotency_key=idempotency_key)

    async def submit(self, signed: Mapping[str, Any], *, now: bool = False, idempotency_key: str | None = None) -> Job:
        """Have a record anchored that was signed before; the same intent again is that job, ``repeated``.

        What comes too fast for its key is sent again later, as long as a call may take, unless ``idempotency_key`` is
        given, of which the outcome is final.
        """
        try:
            answer = await self._send("/v1/publish", signed, idempotency_key, now=now)
        except NonceUsed as used:
            if used.job_id != _job_id(signed):
                raise
            return _taken(signed)
        return Job.read(answer.json, answer)

    async def publish_many(
        self, records: Iterable[Mapping[str, Any]], key: PublisherKey, *, now: bool = False
    ) -> AsyncIterator[PublishItem]:
        """Sign any number of records and have them anchored, in batches; gives what became of each in their order."""
        async for item in self.submit_many((self.sign(each, key) for each in records), now=now):
            yield item

    async def submit_many(
        self, signed: Iterable[Mapping[str, Any]], *, now: bool = False
    ) -> AsyncIterator[PublishItem]:
        """Have records anchored that were signed before, up to 500 a batch and one batch after the other.

        A batch that can't be sent raises; what was given until then is decided. All can be sent again: what was taken
        is that job, ``repeated``, and what was refused is decided anew.
        """
        for batch in batches(signed, items=BATCH_ITEMS, most_bytes=BATCH_BYTES):
            answer = await self._send("/v1/publish/batch", {"intents": list(batch)}, None, now=now)
            found = read_items(answer)
            if len(found) != len(batch):
                raise UnexpectedAnswer(f"{len(batch)} were sent in a batch and {len(found)} answered")
            for sent, each in zip(batch, found, strict=True):
                yield _outcome(sent, each, answer)

    async def _send(self, path: str, body: Any, idempotency_key: str | None, *, now: bool) -> Answer:
        query = {"priority": "now"} if now else None
        return await self._transport.write(
            "POST", path, body, idempotency_key=idempotency_key, query=query, renewed=idempotency_key is None
        )

    async def job(self, job_id: str, *, min_position: str | None = None) -> Job:
        """Show a job as it stands. Raises NotFound."""
        answer = await self._transport.read(path_of("v1/job", job_id), {"min_position": min_position})
        return Job.read(answer.json, answer)

    async def wait(self, job_id: str, until: Until = "confirmed", timeout_s: float = WAIT_TIMEOUT_S) -> Job:
        """Wait until a job is so far, or further, and give it, asking less and less often.

        Raises PublishingFailed, StillPublishing after ``timeout_s``, and NotFound.
        """
        begun = time.monotonic()
        while True:
            job = await self.job(job_id)
            if job.status == _FAILED:
                raise PublishingFailed(job_id, job.error)
            if _FAR.get(job.status, 0) >= _FAR[until]:
                return job
            waited_s = time.monotonic() - begun
            pause_s = min(max(FIRST_LOOK_S, LOOK_AFTER * waited_s), LONGEST_LOOK_S)
            if waited_s + pause_s >= timeout_s:
                raise StillPublishing(job_id, job.status)
            await asyncio.sleep(pause_s)

    async def record(
        self, record_id: str, pubkey: str | None = None, *, min_position: str | None = None
    ) -> PublishedRecord:
        """Show a record as it was signed. Raises NotFound, and AmbiguousRecord where only a public key tells which."""
        query = {"pubkey": pubkey, "min_position": min_position}
        answer = await self._transport.read(path_of("v1/record", record_id), query)
        return PublishedRecord.read(answer.json, answer)

    async def proof(self, record_id: str, pubkey: str | None = None, *, min_position: str | None = None) -> Proof:
        """Give the proof that a record is anchored. Raises NotConfirmed, NotFound, AmbiguousRecord."""
        query = {"pubkey": pubkey, "min_position": min_position}
        answer = await self._transport.read(path_of("v1/record", record_id, "proof"), query)
        return Proof.read(answer.json, answer)

    async def trail(
        self,
        actor: str | None = None,
        resource: str | None = None,
        since: str | None = None,
        *,
        page_size: int = 100,
        min_position: str | None = None,
    ) -> AsyncIterator[TrailStep]:
        """Give what happened in publishing, in the order of the log.

        Of an ``actor``, a public key; about a ``resource``: a job, batch, transaction, record, key or outpoint; since
        an RFC 3339 time or a position's token.
        """
        query = {"actor": actor, "resource": resource, "since": since, "limit": page_size}
        async for found, answer in pages(self._transport, "/v1/audit", query | {"min_position": min_position}):
            yield TrailStep.read(found, answer)

    async def register(self, key: PublisherKey | str, label: str, *, idempotency_key: str | None = None) -> Publisher:
        """Let a key publish: by its own signature where the key itself is given, or as an admin by its public key.

        Raises AlreadyRegistered, Forbidden.
        """
        if isinstance(key, str):
            body = {"pubkey": key, "label": label}
        else:
            signature = key.sign_publisher(label, self._key.did)
            body = {"pubkey": key.pubkey, "label": label, "signature": signature}
        answer = await self._post("/v1/keys", body, idempotency_key)
        return Publisher.read(answer.json, answer)

    async def remove(self, pubkey: str, *, idempotency_key: str | None = None) -> Publisher:
        """Let a key publish no more, as an admin or who registered it; what it published stays. Raises NotFound."""
        answer = await self._transport.write("DELETE", path_of("v1/keys", pubkey), idempotency_key=idempotency_key)
        return Publisher.read(answer.json, answer)

    async def publishers(self, *, page_size: int = 100, min_position: str | None = None) -> AsyncIterator[Publisher]:
        """Give the keys that may publish, newest first: one's own, and to an admin all."""
        query = {"limit": page_size, "min_position": min_position}
        async for found, answer in pages(self._transport, "/v1/keys", query):
            yield Publisher.read(found, answer)

    async def pool(self, *, min_position: str | None = None) -> Pool:
        """Show what pays for the transactions, as an admin."""
        answer = await self._transport.read("/v1/pool", {"min_position": min_position})
        return Pool.read(answer.json, answer)

    async def fund(
        self,
        outpoint: str | None = None,
        *,
        raw_tx: str | None = None,
        vout: int | None = None,
        idempotency_key: str | None = None,
    ) -> PoolOutput:
        """Give the pool an output that its key can spend, as an admin: ``txid:vout``, or of a raw transaction in hex.

        Without ``vout`` the raw transaction's first such output is meant, and the chain is given the transaction
        first. Raises OutputKnown, TransactionRefused, NotFound, ChainUnavailable.
        """
        body = given(outpoint=outpoint, rawTx=raw_tx, vout=vout)
        answer = await self._post("/v1/pool/fund", body, idempotency_key)
        return PoolOutput.read(answer.json, answer)

    async def split(self, count: int, satoshis: int, *, idempotency_key: str | None = None) -> Split:
        """Have outputs of the pool split into ``count`` of ``satoshis`` each, as an admin.

        Raises OutputNotAvailable, ChainTooLong.
        """
        # It chooses among the outputs as they are read: what this client gave to the pool is among them.
        written = self._transport.written
        answer = await self._transport.write(
            "POST",
            "/v1/pool/split",
            {"count": count, "satoshis": satoshis},
            query=None if written is None else {"min_position": written},
            idempotency_key=idempotency_key,
        )
        return Split.read(answer.json, answer)

    async def block(self, height: int) -> Block:
        """Show a block of the chain as the registry sees it. Raises NotFound, ChainUnavailable."""
        answer = await self._transport.read(path_of("v1/chain/blocks", str(height)), fresh=False)
        return Block.read(answer.json, answer)

    async def mine(self) -> Block:
        """Mine a block of all that waits, as an admin of a devnet; gives it. Raises NotFound on any other chain."""
        answer = await self._transport.write("POST", "/v1/devnet/mine")
        return Block.read(answer.json, answer)

    async def reorganise(self, depth: int) -> Block:
        """Put others in the place of a devnet's newest blocks, and one more, as an admin; gives the newest.

        What was in them waits for a block again. Raises InvalidRequest where there are fewer blocks, and NotFound.
        """
        answer = await self._transport.write("POST", "/v1/devnet/reorg", {"depth": depth})
        return Block.read(answer.json, answer)


def _outcome(sent: Mapping[str, Any], found: Mapping[str, Any], answer: Answer) -> PublishItem:
    status = found.get("status")
    if not isinstance(status, int):
        raise UnexpectedAnswer("an item of a batch has no status")
    if found.get("jobId") is not None:
        # In a batch HTTP's status stands where a job's would: what was taken is queued.
        return PublishItem(status, Job.read({"jobId": found["jobId"], "status": "queued"}, answer), None)
    refused = refusal(found.get("problem") or {}, status)
    if isinstance(refused, NonceUsed) and refused.job_id == _job_id(sent):
        return PublishItem(200, _taken(sent), None)
    return PublishItem(status, None, refused)


def _job_id(signed: Mapping[str, Any]) -> str:
    return intents.job_id(signed["signer"]["pubkey"], intents.intent_signed_bytes(signed["record"]))


def _taken(signed: Mapping[str, Any]) -> Job:
    """Give the job of an intent whose nonce is its own: it was taken before."""
    found = {"jobId": _job_id(signed), "status": "queued"}
    return Job(id=found["jobId"], status=found["status"], repeated=True, json=found)
