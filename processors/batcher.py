"""The batcher: it reserves outputs for jobs that wait, and signs what is reserved; the log's order decides between two.

What it signs follows from what is folded alone, so whoever goes on where another died signs the same bytes; and a
batch that is signed once is never signed again.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from domain.publishing.anchoring import LONGEST_CHAIN, MOST_JOBS, ReleaseBatch, ReserveBatch, SignBatch
from domain.publishing.batch import RESERVED_BATCH, SIGNED, Batch, unconfirmed
from domain.publishing.job import HoldJobs, job
from domain.publishing.output import POOL_ID, output
from log.canonical import base32_id
from processors.anchor_transactions import Signed, Spend, TooPoor, anchored_content, anchoring, splitting
from processors.asking import keep_asking
from processors.lately import Lately
from processors.pool_key import PoolKey
from processors.publishing_agenda import BATCH, NOW, Pieces, PublishingAgenda, Said, Under
from processors.reactor_commands import Ask, ReactorCommands

KEEP_MS: Final = 60_000
BATCH_WAIT_MS: Final = 5_000
BATCHES_AT_ONCE: Final = 4
TRANSACTIONS_AT_ONCE: Final = 500
TRANSACTIONS_PER_S: Final = 500 / 3
LEAST_AVAILABLE: Final = 50
SPLIT_TO: Final = 100
MOST_INPUTS: Final = 100
ASK_AGAIN_MS: Final = 2_000
"""The log's clock decides, and may be behind this one: a refusal is final for its command, so each span has its own."""
JOB_BYTES: Final = 1_024
"""What a job is reckoned at before its transaction is made; a record with a longer id or uri takes a second look."""


class BatcherSettings(NamedTuple):
    """The fee in satoshis per kB, and how many satoshis an output has that the pool is split into."""

    fee_per_kb: int = 100
    piece_satoshis: int = 100_000


class Draft(NamedTuple):
    """What a batch's transaction is made of, and where the batch was reserved."""

    name: str
    where: str
    job_ids: tuple[str, ...]
    spends: tuple[Spend, ...]
    contents: tuple[bytes, ...]
    pieces: Pieces

    def signed(self, key: PoolKey, fee_per_kb: int) -> Signed:
        """Make the transaction. Raises TooPoor."""
        if self.contents:
            return anchoring(key, self.spends, self.contents, fee_per_kb)
        return splitting(key, self.spends, self.pieces.number, self.pieces.satoshis, fee_per_kb)


class Bucket:
    """How many transactions may be begun now: so many at once, and so many a second after that."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._left, self._at = clock, float(TRANSACTIONS_AT_ONCE), clock()

    def take(self) -> bool:
        """Take one, if there is one."""
        now = self._clock()
        self._left = min(TRANSACTIONS_AT_ONCE, self._left + (now - self._at) * TRANSACTIONS_PER_S)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Batcher:
    """Reserves and signs while this reactor leads."""

    def __init__(
        self,
        agenda: PublishingAgenda,
        commands: ReactorCommands,
        key: PoolKey,
        leads: Callable[[], bool],
        *,
        settings: BatcherSettings | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._agenda, self._commands, self._key, self._leads, self._clock = agenda, commands, key, leads, clock
        self._settings = settings or BatcherSettings()
        self._lately, self._bucket = Lately(), Bucket()
        self._asked: dict[str, tuple[int, ReserveBatch]] = {}
        """Reservations that were asked for and not heard of yet: what they hold is asked for by no other."""
        self._dear: dict[str, int] = {}
        """By job how much its transaction was short of at the last look."""

    async def run(self) -> None:
        """Reserve and sign until cancelled; the log being away is waited out."""
        await keep_asking(self._agenda, self._lately, self._leads, self.ask)

    async def ask(self) -> int:
        """Ask for what there is to reserve, to sign and to give up, and wasn't asked for lately; give how much."""
        asks = [*await self._signed(), *self._reserved()]
        chosen = self._lately.choose(asks)
        if chosen:
            await self._commands.append(chosen)
        return len(chosen)

    async def _signed(self) -> list[Ask]:
        """Sign what is reserved, or give it up."""
        asks, now = list[Ask](), self._clock()
        reserved = self._agenda.open(RESERVED_BATCH)
        asks += [_released(name, None, now) for name, known, _ in reserved if known.expires_at <= now]
        # All that is signed is read first: while one is, the agenda goes on, and lets go of what another has signed.
        drafts = [self._draft(name, known, under) for name, known, under in reserved if known.expires_at > now]
        for draft in drafts:
            try:
                signed = await asyncio.to_thread(draft.signed, self._key, self._settings.fee_per_kb)
            except TooPoor as short:
                self._dear |= dict.fromkeys(draft.job_ids, short.needed_satoshis)
                asks.append(_released(draft.name, f"its transaction needs {short.needed_satoshis} satoshis", now))
                continue
            for job_id in draft.job_ids:
                self._dear.pop(job_id, None)
            payload = SignBatch(POOL_ID, draft.name, signed.txid, signed.raw, signed.fee, signed.change)
            asks.append(Ask(POOL_ID, f"sign:{draft.name}:{draft.where}", payload))
        return asks

    def _draft(self, name: str, known: Batch, under: Under) -> Draft:
        """Read what a batch's transaction is made of."""
        store = self._agenda.store
        spends = tuple(
            Spend(outpoint, held.satoshis, bytes.fromhex(self._agenda.script(outpoint)))
            for outpoint in known.outpoints
            if (held := output(store, outpoint)) is not None  # type: ignore[arg-type]  # only asked by key
        )
        said = [Said(*(store.get(f"said/{job_id}") or ())) for job_id in known.job_ids]
        contents = tuple(anchored_content(each.record_id, each.hash, each.uri, each.timestamp) for each in said)
        return Draft(name, under.where, tuple(known.job_ids), spends, contents, self._agenda.pieces(name))

    def _reserved(self) -> Iterator[Ask]:
        """Reserve outputs for what waits: what is asked for now alone and at once, the rest together."""
        now = self._clock()
        self._forget_heard(now)
        jobs = {job_id for _, asked in self._asked.values() for job_id in asked.job_ids}
        taken = {outpoint for _, asked in self._asked.values() for outpoint in asked.outpoints}
        waiting = list[str]()
        for group in self._groups(jobs, now):
            spends = self._outputs(self._needed(group), taken)
            if spends is None:
                waiting += group
            elif self._bucket.take():
                taken.update(spends)
                yield self._reserve(tuple(group), spends, 0, 0, now)
        held = [each for each in waiting if (known := job(self._agenda.store, each)) is not None and not known.waiting]  # type: ignore[arg-type]  # only asked by key
        if held:
            digest = hashlib.sha256("\n".join(held).encode()).hexdigest()
            yield Ask(POOL_ID, f"hold:{digest}:{now // ASK_AGAIN_MS}", HoldJobs(POOL_ID, tuple(held)))
        yield from self._split(taken, now)

    def _groups(self, taken: set[str], now: int) -> Iterator[list[str]]:
        """Give the jobs that go together, those that go now before all others."""
        for job_id, _ in self._agenda.queued(NOW, TRANSACTIONS_AT_ONCE):
            if job_id not in taken:
                yield [job_id]
        oldest = self._agenda.oldest(BATCH)
        if oldest is None or (self._agenda.counts.queued < MOST_JOBS and now - oldest.at < BATCH_WAIT_MS):
            return
        together = [each for each in self._agenda.queued(BATCH, BATCHES_AT_ONCE * MOST_JOBS) if each[0] not in taken]
        while len(together) >= MOST_JOBS or (together and now - together[0][1].at >= BATCH_WAIT_MS):
            yield [job_id for job_id, _ in together[:MOST_JOBS]]
            together = together[MOST_JOBS:]

    def _needed(self, group: Sequence[str]) -> int:
        """Reckon what a transaction needs, with what it was short of once."""
        reckoned = (len(group) + 1) * JOB_BYTES * self._settings.fee_per_kb // 1_000 + 1
        return max(reckoned, *(self._dear.get(job_id, 0) for job_id in group))

    def _outputs(self, needed: int, taken: set[str]) -> tuple[str, ...] | None:
        """Find a free output that is enough, else the largest ones that are together.

        One that stands on the fewest transactions in no block is taken, and of those the smallest.
        """
        enough = (outpoint for outpoint, _ in self._free(needed, taken))
        lines = [(self._line(outpoint), outpoint) for outpoint in islice(enough, SPLIT_TO)]
        best = min(lines, key=lambda each: each[0], default=(LONGEST_CHAIN, ""))
        if best[0] < LONGEST_CHAIN:
            return (best[1],)
        chosen, total = list[str](), 0
        for outpoint, satoshis in reversed(list(self._free(1, taken))):
            if self._line(outpoint) < LONGEST_CHAIN:
                chosen.append(outpoint)
                total += satoshis
                if total >= needed:
                    return tuple(chosen)
                if len(chosen) == MOST_INPUTS:
                    return None
        return None

    def _free(self, least: int, taken: set[str]) -> Iterator[tuple[str, int]]:
        """Give the free outputs that our key can spend, the smallest first."""
        ours = self._key.script.hex()
        for outpoint, satoshis in self._agenda.free(least):
            if outpoint not in taken and self._agenda.script(outpoint) == ours:
                yield outpoint, satoshis

    def _line(self, outpoint: str) -> int:
        return unconfirmed(self._agenda.store, outpoint)  # type: ignore[arg-type]  # only asked by key

    def _split(self, taken: set[str], now: int) -> Iterator[Ask]:
        """Split the largest output where few are free, and no other is being split."""
        pool, piece = self._agenda.pool, self._settings.piece_satoshis
        splitting_already = any(not asked.job_ids for _, asked in self._asked.values()) or any(
            not known.job_ids for _, known, _ in self._agenda.open(RESERVED_BATCH, SIGNED)
        )
        if pool.available >= LEAST_AVAILABLE or splitting_already:
            return
        for outpoint, satoshis in reversed(list(self._free(3 * piece, taken))):
            if self._line(outpoint) < LONGEST_CHAIN:
                count = min(SPLIT_TO - pool.available, satoshis // piece - 1)
                yield self._reserve((), (outpoint,), count, piece, now)
                return

    def _reserve(
        self, job_ids: tuple[str, ...], outpoints: tuple[str, ...], pieces: int, piece_satoshis: int, now: int
    ) -> Ask:
        """Ask for a reservation under a name that only this one has."""
        reached = sorted(self._agenda.reached.items())
        digest = hashlib.sha256(repr((job_ids, outpoints, pieces, reached)).encode()).digest()
        name = base32_id("bat_", digest)
        payload = ReserveBatch(POOL_ID, name, job_ids, outpoints, pieces, piece_satoshis, KEEP_MS, None)
        self._asked[name] = now, payload
        return Ask(POOL_ID, f"reserve:{name}", payload)

    def _forget_heard(self, now: int) -> None:
        """Forget reservations that were decided, and those that were refused or lost: they are asked for anew."""
        self._asked = {
            name: (at, asked)
            for name, (at, asked) in self._asked.items()
            if now - at < ASK_AGAIN_MS and self._agenda.store.get(f"batch/{name}") is None
        }


def _released(name: str, reason: str | None, now: int) -> Ask:
    return Ask(POOL_ID, f"release:{name}:{reason}:{now // ASK_AGAIN_MS}", ReleaseBatch(POOL_ID, name, reason))
