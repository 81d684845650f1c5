"""The sweep of media: what is never finalized is given up, and no object stays that nobody may read.

Every step is safe to repeat, and to be done by two at once: an object that is gone counts as removed.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from domain.decider import Change
from domain.records.media import SweepMedia
from processors.agenda_entries import number
from processors.media_agenda import Erased, File, MediaAgenda, forgotten
from processors.media_place import INCOMING, incoming_path, sealed_path
from processors.media_storage import MediaStorage
from processors.reactor_commands import Ask, ReactorCommands
from processors.task import Run

AT_ONCE: Final = 500
ASK_AGAIN_MS: Final = 10_000
"""The log's clock decides, and may be behind this one: a refusal is final for its command, so each span has its own."""
STALE_MS: Final = 25 * 60 * 60 * 1000
"""No upload that is older is of use: what is not finalized is given up after a day."""
LATE_MS: Final = 3 * 60 * 60 * 1000
"""An upload that was begun before its owner was erased has ended by then."""
STALE_EVERY_MS: Final = 60 * 60 * 1000


class MediaSweeping:
    """Sweeps the storage by what the agenda holds."""

    def __init__(
        self,
        agenda: MediaAgenda,
        commands: ReactorCommands,
        storage: MediaStorage,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._agenda, self._commands, self._storage, self._clock = agenda, commands, storage, clock
        self._looked_for_stale_at = 0

    async def run(self) -> Run:
        """Sweep once. Raises LogUnavailable, AppendUnknown, StorageUnavailable: the next run does what is left."""
        asked = await self._give_up()
        removed = await self._remove_gone() + await self._remove_erased()
        now = self._clock()
        if now - self._looked_for_stale_at >= STALE_EVERY_MS:
            removed += await self._remove_stale(now - STALE_MS)
            self._looked_for_stale_at = now
        return Run(said={"asked": asked, "removed": removed})

    async def _give_up(self) -> int:
        """Ask for the end of files whose time to be finalized is over."""
        now, asks = self._clock(), list[Ask]()
        for key, (did,) in islice(self._agenda.store.scan("due/"), AT_ONCE):
            _, when, media_id = key.split("/", 2)
            if when > number(now):
                break
            asks.append(Ask(did, f"sweep-media:{media_id}:{now // ASK_AGAIN_MS}", SweepMedia(media_id, did)))
        if asks:
            await self._commands.append(asks)
        return len(asks)

    async def _remove_gone(self) -> int:
        """Remove the objects of files that were given up."""
        gone = [key.removeprefix("gone/") for key, _ in islice(self._agenda.store.scan("gone/"), AT_ONCE)]
        await self._remove(gone)
        # A crash before this is written removes them once more.
        self._agenda.store.write([(f"gone/{media_id}", None) for media_id in gone], {})
        return len(gone)

    async def _remove_erased(self) -> int:
        """Remove every object of owners that were erased: at once, and when no upload of theirs can end any more."""
        store, removed = self._agenda.store, 0
        for key, entry in list(store.scan("erased/")):
            erased, did = Erased(*entry), key.removeprefix("erased/")
            late = self._clock() >= erased.at + LATE_MS
            if erased.removed and not late:
                continue
            prefix = f"of/{did}/"
            files = [name.removeprefix(prefix) for name, _ in store.scan(prefix)]
            for start in range(0, len(files), AT_ONCE):
                await self._remove(files[start : start + AT_ONCE])
            removed += len(files)
            if late:
                store.write([(key, None), *(change for each in files for change in self._forgotten(each))], {})
            else:
                store.write([(key, erased._replace(removed=True))], {})
        return removed

    def _forgotten(self, media_id: str) -> Iterator[Change]:
        entry = self._agenda.store.get(f"file/{media_id}")
        if entry is not None:
            yield from forgotten(File(*entry), media_id)

    async def _remove(self, files: Sequence[str]) -> None:
        await self._storage.delete([path(media_id) for media_id in files for path in (sealed_path, incoming_path)])

    async def _remove_stale(self, before: int) -> int:
        """Remove uploads that were begun or repeated when they were of no use any more, and what a crash left."""
        stale = [each.path async for each in self._storage.listed(INCOMING) if each.written_at < before]
        await self._storage.delete(stale)
        return len(stale) + await self._storage.forget_unfinished(before)
