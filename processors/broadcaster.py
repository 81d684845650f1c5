"""The broadcaster: what is signed is given to the chain, the same bytes until the chain has taken them.

A crash between the chain's answer and the log sends them once more, which changes nothing. What the chain refuses is
tried again, and only what it never had, and refused to the last, fails.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from domain.publishing.anchoring import FailBatch, NoteSent
from domain.publishing.batch import SIGNED, Batch
from domain.publishing.output import POOL_ID
from processors.asking import keep_asking
from processors.chain import Chain, ChainUnavailable, Refused
from processors.lately import Lately
from processors.publishing_agenda import PublishingAgenda, Under
from processors.reactor_commands import Ask, ReactorCommands

AT_ONCE: Final = 16
RETRIES: Final = 5
FIRST_RETRY_S: Final = 0.5
LONGEST_RETRY_S: Final = 30.0

journal = logging.getLogger("muniment.publishing")


class Tried(NamedTuple):
    """How often a batch was refused since it became what it is, when it is due again, and whether the chain took it."""

    where: str
    refusals: int = 0
    failures: int = 0
    due: float = 0.0
    taken: bool = False


class Broadcaster:
    """Sends while this reactor leads."""

    def __init__(
        self,
        agenda: PublishingAgenda,
        commands: ReactorCommands,
        chain: Chain,
        leads: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agenda, self._commands, self._chain, self._leads, self._clock = agenda, commands, chain, leads, clock
        self._lately = Lately()
        self._tried: dict[str, Tried] = {}

    async def run(self) -> None:
        """Send until cancelled; the log and the chain being away are waited out."""
        await keep_asking(self._agenda, self._lately, self._leads, self.ask)

    async def ask(self) -> int:
        """Send what is signed and due, and ask for what came of it to be noted; give how much was asked for."""
        due = self._agenda.open(SIGNED, "reorged")
        self._tried = {name: self._tried_of(name, under) for name, _, under in due}
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(name: str, known: Batch, under: Under) -> Ask | None:
            async with turns:
                return await self._send(name, known, under)

        found = await asyncio.gather(*(one(*each) for each in due))
        chosen = self._lately.choose(each for each in found if each is not None)
        if chosen:
            await self._commands.append(chosen)
        return len(chosen)

    def _tried_of(self, name: str, under: Under) -> Tried:
        tried = self._tried.get(name)
        return tried if tried is not None and tried.where == under.where else Tried(under.where)

    async def _send(self, name: str, known: Batch, under: Under) -> Ask | None:
        """Send a batch's bytes, unless that isn't due; say what is to be noted."""
        tried = self._tried_of(name, under)
        sent = Ask(POOL_ID, f"sent:{name}:{under.where}", NoteSent(POOL_ID, name))
        if tried.taken:
            return sent
        raw = self._agenda.raw(name)
        if tried.due > self._clock() or not raw:  # it failed while others were sent
            return None
        try:
            await self._chain.broadcast(raw)
        except ChainUnavailable as error:
            self._later(name, tried._replace(failures=tried.failures + 1), str(error))
            return None
        except Refused as refused:
            return await self._refused(name, known, tried._replace(refusals=tried.refusals + 1), refused)
        self._tried[name] = tried._replace(taken=True, due=self._clock() + LONGEST_RETRY_S)
        return sent

    async def _refused(self, name: str, known: Batch, tried: Tried, refused: Refused) -> Ask | None:
        """Try again, or let a batch fail that the chain never had."""
        self._later(name, tried, refused.reason)
        if tried.refusals < RETRIES or known.status != SIGNED:
            return None
        try:
            seen = await self._chain.transaction(known.txid or "")
        except ChainUnavailable:
            return None
        if seen is not None:
            # It was sent by one who died before it was noted, and something spends it by now.
            return Ask(POOL_ID, f"sent:{name}:{tried.where}", NoteSent(POOL_ID, name))
        lost = tuple(outpoint for outpoint in known.outpoints if outpoint in refused.spent)
        return Ask(POOL_ID, f"fail:{name}:{tried.where}", FailBatch(POOL_ID, name, refused.reason, lost))

    def _later(self, name: str, tried: Tried, reason: str) -> None:
        wait = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(10, tried.refusals + tried.failures - 1))
        self._tried[name] = tried._replace(due=self._clock() + wait)
        journal.warning("not_broadcast", extra={"batch": name, "reason": reason, "again_s": wait})
