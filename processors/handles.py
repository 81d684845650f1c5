"""The process manager of handles: it lets each handle's stream say what its DID's operations do, and remembers nothing.

A claim whose DID took the handle is confirmed; one whose time is over is given up by the DID's own stream first, for
good, and released only then; what a DID has no more is released. What is to be asked follows from the agenda, so a
crash anywhere is resumed by asking again, under the same command ids; and where two ask by what they knew at different
times, the streams are brought to agree again. That a claim is late is noticed by a periodic task.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from domain.identity.completion import CompleteRecovery
from domain.identity.handle import ConfirmHandle, Handle, ReleaseHandle, handle_of
from domain.identity.naming import LapseClaim
from processors.agenda_entries import number
from processors.asking import keep_asking
from processors.identity_agenda import CLAIMED, CONFIRMED, IdentityAgenda, Named, Told, lapsed, named, told
from processors.lately import Lately
from processors.reactor_commands import Ask, ReactorCommands
from processors.task import Run

AT_ONCE: Final = 1_000
ASK_AGAIN_MS: Final = 2_000
"""The log's clock decides, and may be behind this one: a refusal is final for its command, so each span has its own."""
OPEN: Final = "open/"


def next_word(handle: str, known: Handle, by_did: Named | None, said: Told, given_up: str | None) -> Ask | None:
    """Give what a handle's stream is to be told; nothing while its claim holds, or while its DID was not read as far.

    ``given_up`` is where the DID gave up the claim that the handle is in.
    """
    did = known.did
    if by_did is not None and by_did.handle == handle:
        if known.status == CONFIRMED or _behind(by_did, said):
            return None
        content = f"confirm:{handle}:{did}:{by_did.where}:{said.where}"
        return Ask(handle, content, ConfirmHandle(handle, did, by_did.where))
    if known.status == CLAIMED:
        if given_up is None:
            return None
        content = f"release:{handle}:{did}:{known.until}:{given_up}"
        return Ask(handle, content, ReleaseHandle(handle, did, known.until, given_up))
    if known.status != CONFIRMED or by_did is None or _behind(by_did, said):
        return None
    content = f"release:{handle}:{did}:{by_did.where}:{said.where}"
    return Ask(handle, content, ReleaseHandle(handle, did, None, by_did.where))


def _behind(by_did: Named, said: Told) -> bool:
    """Tell whether what is known of a DID is older than what its handle's stream cites of it."""
    return said.cites is not None and _offset(by_did.where) < _offset(said.cites)


def _offset(where: str) -> int:
    return int(where.rpartition("/")[2])


class Handles:
    """Confirms and releases while this reactor leads; claims and recoveries that are due are asked for by tasks."""

    def __init__(
        self,
        agenda: IdentityAgenda,
        commands: ReactorCommands,
        leads: Callable[[], bool],
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._agenda, self._commands, self._leads, self._clock = agenda, commands, leads, clock
        self._lately = Lately()

    async def run(self) -> None:
        """Drive until cancelled; the log being away is waited out."""
        await keep_asking(self._agenda, self._lately, self._leads, self.ask)

    async def ask(self) -> int:
        """Ask for what handles' streams are to be told and weren't lately; give how many that were."""
        store = self._agenda.store
        words = (
            next_word(handle, known, named(store, known.did), told(store, handle), self._given_up(handle, known))
            for handle, known in self._open()
        )
        return await self._append(self._lately.choose(each for each in words if each is not None))

    async def lapse(self) -> Run:
        """Let DIDs give up the claims whose time is over. Raises LogUnavailable or AppendUnknown."""
        now, claims, asks = self._clock(), 0, list[Ask]()
        for handle, known in self._open():
            if known.status != CLAIMED or known.until is None:
                continue
            claims += 1
            by_did = named(self._agenda.store, known.did)
            has = by_did is not None and by_did.handle == handle
            if not has and known.until <= now and self._given_up(handle, known) is None and len(asks) < AT_ONCE:
                content = f"lapse:{handle}:{known.did}:{known.until}:{now // ASK_AGAIN_MS}"
                asks.append(Ask(known.did, content, LapseClaim(known.did, handle, known.until)))
        return Run(said={"claims": claims, "asked": await self._append(asks)})

    async def complete(self) -> Run:
        """Let guardians' recoveries take effect whose delay is over. Raises LogUnavailable or AppendUnknown."""
        now, asks = self._clock(), list[Ask]()
        for key, (operation,) in islice(self._agenda.store.scan("recovery/"), AT_ONCE):
            _, when, did = key.split("/", 2)
            if when > number(now):
                break
            content = f"complete-recovery:{did}:{operation}:{now // ASK_AGAIN_MS}"
            asks.append(Ask(did, content, CompleteRecovery(did, operation)))
        return Run(said={"asked": await self._append(asks)})

    def _open(self) -> Iterator[tuple[str, Handle]]:
        for key, _ in self._agenda.store.scan(OPEN):
            handle = key.removeprefix(OPEN)
            known = handle_of(self._agenda.store, handle)  # type: ignore[arg-type]  # only asked by key
            if known is not None:
                yield handle, known

    def _given_up(self, handle: str, known: Handle) -> str | None:
        """Find where a DID gave up the claim that a handle is in."""
        found = lapsed(self._agenda.store, handle, known.did)
        return found.where if found is not None and found.until == known.until else None

    async def _append(self, asks: Iterable[Ask]) -> int:
        chosen = list(asks)
        if chosen:
            await self._commands.append(chosen)
        return len(chosen)
