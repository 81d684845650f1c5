"""Replies come from the log: a write waits here until its decision passes the mirror."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from domain.ruling import scope_key
from log.following import Decided

RECENT_DECISIONS = 2_000
SWEEP_EVERY_S = 0.1


class Pending:
    """One command that is under way; all who ask for the same one wait for the same decision."""

    __slots__ = ("command_id", "context", "deadline", "decided", "offset", "partition")

    def __init__(self, command_id: str, context: str, partition: int, deadline: float) -> None:
        self.command_id, self.context, self.partition, self.deadline = command_id, context, partition, deadline
        self.offset: int | None = None
        """Where the command lies, once its append was acknowledged."""
        self.decided: asyncio.Future[Decided] = asyncio.get_running_loop().create_future()

    @property
    def public_id(self) -> str:
        """Give the id by which ``GET /commands`` finds this command: with its place once that is known."""
        place = f"{self.context}.{self.partition}.{self.offset}"
        return self.command_id if self.offset is None else f"{self.command_id}.{place}"


class Replies:
    """The commands of this process whose decisions have not come yet, by scope."""

    def __init__(self) -> None:
        self._by_id: dict[str, Pending] = {}
        self._by_scope: dict[str, Pending] = {}
        self._recent: OrderedDict[tuple[str, int, int], Decided] = OrderedDict()
        self._sweeping = False

    def __len__(self) -> int:
        return len(self._by_id)

    def under_way(self, command_id: str) -> Pending | None:
        """Find what is under way in the same scope, the same request or another."""
        return self._by_scope.get(scope_key(command_id))

    def expect(self, command_id: str, context: str, partition: int, deadline: float) -> Pending:
        """Wait for a decision from now on; to be called before the command is appended.

        Behind the deadline (by the loop's clock) whoever waits gets TimeoutError, a sweep later at most.
        """
        pending = Pending(command_id, context, partition, deadline)
        self._by_id[command_id] = self._by_scope[scope_key(command_id)] = pending
        self._sweep_later()
        return pending

    def _sweep_later(self) -> None:
        # One timer for all: a timer for each write would cost more than what it watches.
        if not self._sweeping and self._by_id:
            self._sweeping = True
            asyncio.get_running_loop().call_later(SWEEP_EVERY_S, self._sweep)

    def _sweep(self) -> None:
        """Fail what is overdue; the oldest come first, since all wait equally long."""
        self._sweeping = False
        now = asyncio.get_running_loop().time()
        for pending in list(self._by_id.values()):
            if pending.deadline > now:
                break
            self.fail(pending, TimeoutError())
        self._sweep_later()

    def forget(self, pending: Pending) -> None:
        """Wait no longer."""
        if self._by_id.get(pending.command_id) is pending:
            del self._by_id[pending.command_id]
            del self._by_scope[scope_key(pending.command_id)]
        if not pending.decided.done():
            pending.decided.cancel()

    def fail(self, pending: Pending, error: Exception) -> None:
        """Tell all who wait why no decision comes."""
        if not pending.decided.done():
            pending.decided.set_exception(error)
            pending.decided.exception()  # seen here, so that nobody waiting is no warning
        self.forget(pending)

    def on_decided(self, decided: Decided) -> None:
        """Hand a decision to whoever waits for it; the mirror holds it by now."""
        self._recent[decided.context, decided.partition, decided.offset] = decided
        if len(self._recent) > RECENT_DECISIONS:
            self._recent.popitem(last=False)
        pending = self._by_id.get(decided.decision.command_id)
        if pending is not None and not pending.decided.done():
            pending.decided.set_result(decided)
            self.forget(pending)

    def recent(self, context: str, partition: int, offset: int) -> Decided | None:
        """Give a decision that passed lately, which saves a repeat soon after the first a read of the log."""
        return self._recent.get((context, partition, offset))

    @contextmanager
    def expecting(self, pending: list[Pending]) -> Iterator[None]:
        """Forget what is still under way when its request ends."""
        try:
            yield
        finally:
            for entry in pending:
                self.forget(entry)
