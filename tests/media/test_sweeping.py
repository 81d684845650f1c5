"""What is never finalized goes after a day, and what was erased at once; nothing else does, however often."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from domain.decider import Circumstances, Refusal
from domain.records.erasure import OwnerErased
from domain.records.media import MEDIA, MediaFinalized, MediaReserved, MediaSwept, SweepMedia
from log.fold import Overlay
from log.store import MemoryStore
from processors.media_agenda import MediaAgenda, changes
from processors.media_place import incoming_path, sealed_path
from processors.media_storage import MediaStorage, StorageUnavailable
from processors.media_sweeping import ASK_AGAIN_MS, LATE_MS, STALE_EVERY_MS, STALE_MS, MediaSweeping
from processors.reactor_commands import Ask
from tests.media.test_storage import chunks

DAY_MS = 24 * 60 * 60 * 1000
ANNA, BERT = "did:key:anna", "did:key:bert"


class Town:
    """A storage, what was decided, and a sweeper; commands are ruled on by the decider when they are asked."""

    def __init__(self, storage: MediaStorage) -> None:
        self.storage, self.now = storage, int(time.time() * 1000)
        self.agenda = MediaAgenda(MemoryStore())
        self.state: dict[str, Any] = {}
        self.asked: list[Ask] = []
        self.events: list[Any] = []
        self.sweeping = MediaSweeping(self.agenda, self, storage, lambda: self.now)  # type: ignore[arg-type]

    async def append(self, asks: Sequence[Ask]) -> None:
        """Rule on what a reactor asks for."""
        for ask in asks:
            self.asked.append(ask)
            assert isinstance(ask.payload, SweepMedia)
            ruled = MEDIA.decide(self.state, ask.payload, Circumstances("muniment:reactor", self.now))
            if not isinstance(ruled, Refusal):
                self.happens(*ruled)

    def happens(self, *events: Any) -> None:
        """Let events be decided, and the agenda hear of them."""
        for event in events:
            self.events.append(event)
            if not isinstance(event, OwnerErased):
                for key, entry in MEDIA.evolve(self.state, event, self.now):
                    if entry is None:
                        del self.state[key]
                    else:
                        self.state[key] = entry
            self.agenda.store.write(list(changes(Overlay(self.agenda.store), event, self.now, "")), {})

    async def reserve(self, media_id: str, did: str = ANNA, *, finalized: bool = False) -> None:
        """Reserve a file and let its objects lie there."""
        self.happens(MediaReserved(media_id, did, "image/png", 1, "0", self.now + DAY_MS))
        await self.storage.put(incoming_path(media_id), chunks(b"in clear"))
        await self.storage.put(sealed_path(media_id), chunks(b"sealed"))
        if finalized:
            self.happens(MediaFinalized(media_id, did, "image/png", 1, "0"))

    async def lying(self) -> set[str]:
        """Name what lies in the storage."""
        return {each.path for prefix in ("media", "incoming") async for each in self.storage.listed(prefix)}


@pytest.fixture
def town(storage: MediaStorage) -> Town:
    return Town(storage)


async def test_what_is_never_finalized_goes_after_a_day_and_what_is_stays(town: Town) -> None:
    await town.reserve("med_begun")
    await town.reserve("med_done", finalized=True)
    assert (await town.sweeping.run()).said == {"asked": 0, "removed": 0}
    town.now += DAY_MS - 1
    await town.sweeping.run()
    assert not town.asked
    assert sealed_path("med_begun") in await town.lying()
    town.now += 1
    assert (await town.sweeping.run()).said == {"asked": 1, "removed": 1}
    assert isinstance(town.events[-1], MediaSwept)
    assert await town.lying() == {sealed_path("med_done"), incoming_path("med_done")}
    assert (await town.sweeping.run()).said == {"asked": 0, "removed": 0}


async def test_many_are_swept_in_the_order_of_their_times(town: Town) -> None:
    for number in range(12):
        await town.reserve(f"med_{number}")
        town.now += 1
    town.now += DAY_MS - 6
    await town.sweeping.run()
    assert [ask.payload.media_id for ask in town.asked] == [f"med_{number}" for number in range(7)]


async def test_an_ask_that_was_refused_is_asked_again_later(town: Town) -> None:
    await town.reserve("med_begun")
    town.now += DAY_MS
    early = town.state.copy()
    key = next(key for key in early if key.startswith("media/"))
    # The decider's clock is behind ours: it refuses, and that is final for this command.
    town.state[key] = (*early[key][:4], town.now + 1000, *early[key][5:])
    await town.sweeping.run()
    first = town.asked[-1].content_id
    assert not isinstance(town.events[-1], MediaSwept)
    town.now += ASK_AGAIN_MS
    await town.sweeping.run()
    assert town.asked[-1].content_id != first
    assert isinstance(town.events[-1], MediaSwept)


async def test_what_was_erased_goes_at_once_and_what_came_late_when_it_can_come_no_more(town: Town) -> None:
    await town.reserve("med_a", finalized=True)
    await town.reserve("med_b")
    await town.reserve("med_c", BERT, finalized=True)
    berts = {sealed_path("med_c"), incoming_path("med_c")}
    town.happens(OwnerErased(ANNA))
    await town.sweeping.run()
    assert await town.lying() == berts
    assert (await town.sweeping.run()).said == {"asked": 0, "removed": 0}
    await town.storage.put(incoming_path("med_b"), chunks(b"whose URL was given before"))
    town.now += LATE_MS
    await town.sweeping.run()
    assert await town.lying() == berts
    assert [key for key, _ in town.agenda.store.scan("") if "bert" not in key and "med_c" not in key] == []
    town.now += DAY_MS
    await town.sweeping.run()
    assert await town.lying() == {sealed_path("med_c")}


async def test_a_sweep_that_was_decided_beside_an_erasure_is_heard_of(town: Town) -> None:
    await town.reserve("med_b")
    town.happens(OwnerErased(ANNA))
    town.now += LATE_MS
    await town.sweeping.run()
    town.happens(MediaSwept("med_b", ANNA))
    await town.sweeping.run()
    assert await town.lying() == set()


async def test_uploads_of_no_use_go_once_they_are_old(town: Town) -> None:
    await town.reserve("med_done", finalized=True)
    await town.sweeping.run()
    town.now += STALE_MS - 60_000
    await town.sweeping.run()
    assert incoming_path("med_done") in await town.lying()
    town.now += STALE_EVERY_MS + 60_000
    await town.sweeping.run()
    assert await town.lying() == {sealed_path("med_done")}


async def test_a_storage_that_is_away_is_swept_by_the_next_run(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    await town.reserve("med_begun")
    town.now += DAY_MS
    whole = town.storage.delete

    async def away(_paths: Any) -> None:
        raise StorageUnavailable("away")

    monkeypatch.setattr(town.storage, "delete", away)
    with pytest.raises(StorageUnavailable):
        await town.sweeping.run()
    assert len(await town.lying()) == 2
    monkeypatch.setattr(town.storage, "delete", whole)
    await town.sweeping.run()
    assert await town.lying() == set()


async def test_swept_from_the_start_of_the_log_again_nothing_more_goes(town: Town) -> None:
    await town.reserve("med_begun")
    await town.reserve("med_done", BERT, finalized=True)
    town.now += DAY_MS
    await town.sweeping.run()
    town.happens(OwnerErased(ANNA))
    left = await town.lying()
    anew = MediaAgenda(MemoryStore())
    for event in town.events:
        anew.store.write(list(changes(Overlay(anew.store), event, town.now, "")), {})
    await MediaSweeping(anew, town, town.storage, lambda: town.now).run()  # type: ignore[arg-type]
    assert await town.lying() == left
