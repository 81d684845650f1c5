"""The observer: it follows the chain, and says of each batch that it was seen, in which block it is, and if no more.

What it says follows from the chain's answers and from what is folded; a crash between the two is looked at anew.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from domain.publishing.anchoring import NoteConfirmed, NoteReorged, NoteSeen
from domain.publishing.batch import SIGNED, Batch
from domain.publishing.output import POOL_ID
from log.log import AppendUnknown, LogUnavailable
from processors.chain import Block, Chain, ChainUnavailable, Refused, Seen
from processors.lately import Lately
from processors.publishing_agenda import PublishingAgenda, Under
from processors.reactor_commands import Ask, ReactorCommands

LOOK_EVERY_S: Final = 0.5
AT_ONCE: Final = 16
WATCHED: Final = 100
"""A block that has as many others on it is taken as final."""
LOOK_AGAIN_S: Final = 30.0
"""How long a batch that was looked for under one tip isn't looked for again."""

journal = logging.getLogger("muniment.publishing")


class Observer:
    """Looks while this reactor leads."""

    def __init__(
        self,
        agenda: PublishingAgenda,
        commands: ReactorCommands,
        chain: Chain,
        leads: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._look_every_s = look_every_s
        self._agenda, self._commands, self._chain, self._leads, self._clock = agenda, commands, chain, leads, clock
        self._lately = Lately()
        self._looked: dict[str, tuple[str, str, float]] = {}
        """By batch: where it became what it is, the tip under which it was looked for, and when."""

    async def run(self) -> None:
        """Look until cancelled; the log and the chain being away are waited out."""
        while True:
            asked = 0
            if self._leads():
                try:
                    asked = await self.ask()
                except ChainUnavailable as error:
                    journal.warning("chain_unavailable", extra={"detail": str(error)})
                except (LogUnavailable, AppendUnknown):
                    self._lately.forget()
            if not asked:
                await asyncio.sleep(self._look_every_s)

    async def ask(self) -> int:
        """Look at the chain, and ask for what changed to be noted; give how much. Raises ChainUnavailable."""
        tip = await self._chain.tip()
        chosen = self._lately.choose([*await self._reorged(tip), *await self._found(tip)])
        if chosen:
            await self._commands.append(chosen)
        return len(chosen)

    async def _reorged(self, tip: Block) -> list[Ask]:
        """Find what is in blocks that the chain has no more, from the newest down to the first that it still has."""
        gone = self._agenda.confirmed_above(tip.height)
        for height in range(tip.height, max(-1, tip.height - WATCHED), -1):
            of_height = self._agenda.confirmed_at(height)
            if not of_height:
                continue
            block = await self._chain.block(height)
            of_others = [each for each in of_height if block is None or each.block_hash != block.hash]
            if not of_others:
                break
            gone += of_others
        return [
            Ask(POOL_ID, f"reorged:{name}:{where}", NoteReorged(POOL_ID, name, block_hash))
            for name, block_hash, where in gone
        ]

    async def _found(self, tip: Block) -> list[Ask]:
        """Look for what is signed and in no block, where there is anything new to be found."""
        now, due = self._clock(), list[tuple[str, Batch, Under]]()
        under_way = self._agenda.open(SIGNED, "sent", "seen", "reorged")
        looked = {name: self._looked[name] for name, _, _ in under_way if name in self._looked}
        for name, known, under in under_way:
            where, under_tip, at = looked.get(name, ("", "", 0.0))
            if (where, under_tip) != (under.where, tip.hash) or now - at >= LOOK_AGAIN_S:
                due.append((name, known, under))
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(name: str, known: Batch, under: Under) -> Ask | None:
            async with turns:
                ask = await self._look(name, known, under)
            looked[name] = under.where, tip.hash, now
            return ask

        found = await asyncio.gather(*(one(*each) for each in due), return_exceptions=True)
        self._looked = looked
        for each in found:
            if isinstance(each, BaseException) and not isinstance(each, ChainUnavailable):
                raise each
        return [each for each in found if isinstance(each, Ask)]

    async def _look(self, name: str, known: Batch, under: Under) -> Ask | None:
        """Look for a batch's transaction; one that the chain forgot is sent again. Raises ChainUnavailable."""
        seen = await self._chain.transaction(known.txid or "")
        if seen is None:
            if known.status in {"sent", "seen"}:
                await self._send_again(name)
            return None
        return noted(name, known.status, under.where, seen)

    async def _send_again(self, name: str) -> None:
        """Repair what the chain forgot: the same bytes are sent again. Raises ChainUnavailable."""
        raw = self._agenda.raw(name)
        if not raw:  # it failed while the chain was asked
            return
        try:
            await self._chain.broadcast(raw)
        except Refused as refused:
            journal.warning("not_taken_again", extra={"batch": name, "reason": refused.reason})


def noted(name: str, status: str, where: str, seen: Seen) -> Ask | None:
    """Say of a batch what the chain has of it, if that is news.

    ``status`` is what the batch is, ``where`` names the decision (``context/partition/offset``) that made it so:
    whoever says the same of the same asks by the same command.
    """
    if seen.inclusion is not None:
        block = seen.inclusion.block
        payload = NoteConfirmed(POOL_ID, name, block.height, block.hash, block.header, seen.inclusion.bump)
        return Ask(POOL_ID, f"confirmed:{name}:{block.hash}:{where}", payload)
    if status == "seen":
        return None
    return Ask(POOL_ID, f"seen:{name}:{where}", NoteSeen(POOL_ID, name))
