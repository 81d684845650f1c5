"""The command processor: one member of the group that decides a context's commands."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from log import topic
from log.log import AppendUnknown, Log, LogUnavailable, Reader
from log.message import Message
from log.store import MemoryStore, Store
from processors.decider_metrics import DECISIONS, EVENTS, IN_FLIGHT, LOST_RACES, POSITION
from processors.seat import Seat

COMMANDS_PER_APPEND = 500
IN_FLIGHT_LIMIT = 8000
POLL_S = 0.5
RETRY_S = 0.2
SETTLE_EVERY_S = 0.01
"""Nobody waits for a decider to read itself back, so it does that in few writes."""


def group_of(context: str) -> str:
    """Name the consumer group that decides a context."""
    return f"muniment.{context}.decide"


class CommandProcessor:
    """Holds the seats that the group gives it, appends their decisions, and reads them back.

    ``step`` is called with the name of each step before it is taken; a test crashes there.
    """

    def __init__(
        self,
        log: Log,
        context: str,
        open_store: Callable[[int], Store | MemoryStore],
        step: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._log, self._context, self._open_store, self._step = log, context, open_store, step
        self._commands, self._events = topic.commands(context), topic.events(context)
        self.seats: dict[int, Seat] = {}
        self._taking: set[int] = set()
        self._lost: set[int] = set()
        self._in_order: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._settled = asyncio.Event()
        self._events_reader: Reader | None = None
        self._reading_back: asyncio.Task[None] | None = None
        self._failed: BaseException | None = None

    async def run(self) -> None:
        """Decide until cancelled; the log being away is waited out."""
        while True:
            reader: Reader | None = None
            self._failed = None
            try:
                reader = await self._log.member(
                    self._commands, group_of(self._context), self._take_seats, self._leave_seats
                )
                await self._decide_from(reader)
            except LogUnavailable:
                await asyncio.sleep(RETRY_S)
            finally:
                if reader is not None:
                    with contextlib.suppress(LogUnavailable):
                        await reader.close()
                await self._leave_seats(list(self.seats))

    async def _decide_from(self, reader: Reader) -> None:
        acknowledgements: set[asyncio.Task[None]] = set()
        try:
            while True:
                if self._failed is not None:
                    raise self._failed
                await self._recover_lost(reader)
                # All that was fetched: aiokafka asks for more of a partition only when nothing of it is left here.
                for partition, messages in (await reader.poll(POLL_S)).items():
                    for start in range(0, len(messages), COMMANDS_PER_APPEND):
                        seat = self.seats.get(partition)
                        if seat is None or partition in self._lost or partition in self._taking:
                            break
                        self._step("decide")
                        records = seat.decide(messages[start : start + COMMANDS_PER_APPEND])
                        if records:
                            task = asyncio.create_task(self._append(seat, records))
                            acknowledgements.add(task)
                            task.add_done_callback(acknowledgements.discard)
                            await asyncio.sleep(0)
                        await self._wait_for_room()
        finally:
            for task in acknowledgements:
                task.cancel()
            await asyncio.gather(*acknowledgements, return_exceptions=True)

    async def _append(self, seat: Seat, records: Sequence[tuple[bytes | None, bytes]]) -> None:
        """Append decisions; one that may not lie there makes the seat read on before it decides again."""
        try:
            self._step("append")
            # One append begins after the other, so that decisions lie in the order in which they name each other.
            async with self._in_order[seat.partition]:
                durable = await self._log.append(self._events, seat.partition, records)
            # Durable once this answers; a crash before it is told by reading the partition to its end.
            await durable
            self._step("appended")
        except (LogUnavailable, AppendUnknown):
            if self.seats.get(seat.partition) is seat:
                seat.abandon()
                self._lost.add(seat.partition)
        except Exception as error:  # noqa: BLE001  # carried to the loop, which stops loudly
            self._failed = error

    async def _wait_for_room(self) -> None:
        """Let the read-back catch up when too much is in flight."""
        while any(seat.in_flight > IN_FLIGHT_LIMIT for seat in self.seats.values()) and self._failed is None:
            await self._next_settling()
            if self._lost:
                return

    async def _next_settling(self) -> None:
        """Wait until something more was read back, but not for long."""
        self._settled.clear()
        # Not wait_for: in Python 3.11 it can lose a cancellation.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._settled.wait()

    async def _recover_lost(self, reader: Reader) -> None:
        """Read the events to their end and go on behind the last command that was decided by anyone."""
        for partition in list(self._lost):
            seat, events = self.seats.get(partition), self._events_reader
            if seat is None or events is None:
                self._lost.discard(partition)
                continue
            end = (await events.ends())[partition]
            while seat.next_event < end and self._failed is None and self.seats.get(partition) is seat:
                await self._next_settling()
            if self.seats.get(partition) is not seat:
                continue  # it was taken away meanwhile
            seat.abandon()
            self._lost.discard(partition)
            reader.seek(partition, seat.resume)

    async def _take_seats(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Fold each partition to its end by the reading rule and say where its commands go on.

        Whoever hands out partitions passes over what a member raises, so what fails is carried to the loop.
        """
        self._taking |= set(partitions)
        try:
            for partition in partitions:
                self.seats[partition] = Seat(self._context, partition, self._open_store(partition))
            await self._read_back_anew()
            if self._events_reader is not None:
                ends = await self._events_reader.ends()
                while any(self.seats[p].next_event < ends[p] for p in partitions) and self._failed is None:
                    await self._next_settling()
            return {partition: self.seats[partition].resume for partition in partitions}
        except Exception as error:  # noqa: BLE001  # carried to the loop, which starts over or stops loudly
            self._failed = self._failed or error
            return {}
        finally:
            self._taking -= set(partitions)

    async def _leave_seats(self, partitions: Sequence[int]) -> None:
        """Let go of partitions; what was in flight is for the next writer to find on the log."""
        left = [self.seats.pop(partition) for partition in partitions if partition in self.seats]
        try:
            if left:
                await self._read_back_anew()
        except LogUnavailable as error:
            self._failed = self._failed or error
        finally:
            for seat in left:
                self._lost.discard(seat.partition)
                seat.store.close()

    async def _read_back_anew(self) -> None:
        """Read back the partitions that are held now."""
        if self._reading_back is not None:
            self._reading_back.cancel()
            await asyncio.gather(self._reading_back, return_exceptions=True)
            self._reading_back = None
        if self._events_reader is not None:
            await self._events_reader.close()
            self._events_reader = None
        if self.seats:
            starts = {partition: seat.next_event for partition, seat in self.seats.items()}
            self._events_reader = await self._log.reader(self._events, starts)
            self._reading_back = asyncio.create_task(self._read_back(self._events_reader))

    async def _read_back(self, reader: Reader) -> None:
        while True:
            try:
                batches = await reader.poll(POLL_S)
                for partition, messages in batches.items():
                    self._settle(self.seats[partition], messages)
                self._settled.set()
                await asyncio.sleep(SETTLE_EVERY_S)
            except LogUnavailable:
                await asyncio.sleep(RETRY_S)
            except Exception as error:  # noqa: BLE001  # carried to the loop, which stops loudly
                self._failed = error
                self._settled.set()
                return

    def _settle(self, seat: Seat, messages: Sequence[Message]) -> None:
        self._step("settle")
        before = seat.settled
        if not seat.settle(messages):
            self._lost.add(seat.partition)
            LOST_RACES.labels(self._context).inc()
        self._step("settled")
        DECISIONS.labels(self._context).inc(seat.settled - before)
        for name, count in seat.events.items():
            EVENTS.labels(name).inc(count)
        IN_FLIGHT.labels(self._context, str(seat.partition)).set(seat.in_flight)
        POSITION.labels(self._context, str(seat.partition)).set(seat.position)

    def status(self) -> Mapping[str, Any]:
        """Say which partitions this process writes, how far it is, and what it has in flight."""
        return {
            str(partition): {"position": seat.position, "in_flight": seat.in_flight, "at": int(time.time() * 1000)}
            for partition, seat in self.seats.items()
        }
