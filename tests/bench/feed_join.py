"""How long the feed takes in the process to join a playlist with its star and its last stars, and to list a page.

``python -m tests.bench.feed_join [PLAYLISTS] [STARS_EACH]`` prints figures as JSON; the aim is a join under 1 ms.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from api.feed import playlist_view
from domain.decider import Change
from log.store import Store
from projections.feed import FROM_LOG, Playlist, Star, see_playlist, see_star
from projections.feed_overlay import OrderedOverlay
from projections.feed_queue import Held
from projections.feed_view import FeedView

BATCH = 2_000
ITEMS = [{"source": f"https://art.example/{number}", "duration": 30, "license": "open"} for number in range(20)]


def fill(store: Store, playlists: int, stars: int) -> float:
    """Write playlists with stars; give how many stars a second were folded."""
    items = json.dumps(ITEMS)
    writes: list[Any] = [
        (see_playlist, Playlist(FROM_LOG, n, f"pl_{n}", f"slug-{n}", f"Title {n}", n * 1000, items, "did:key:zP"))
        for n in range(playlists)
    ]
    writes += [
        (see_star, Star(FROM_LOG, n, True, f"pl_{n % playlists}", f"fct_{n:052}", "did:key:zC", n, "why", True, "t"))  # noqa: FBT003
        for n in range(playlists * stars)
    ]
    Random(7).shuffle(writes)  # noqa: S311  # the same order each time
    started = time.perf_counter()
    for start in range(0, len(writes), BATCH):
        view, changes = OrderedOverlay(store), list[Change]()
        for see, seen in writes[start : start + BATCH]:
            for change in see(view, seen):
                view.put(change)
                changes.append(change)
        store.write(changes, {})
    return len(writes) / (time.perf_counter() - started)


def measured(name: str, times: int, act: Callable[[int], object]) -> dict[str, float]:
    """Time an act each time it is done, in milliseconds."""
    took = []
    for number in range(times):
        started = time.perf_counter()
        act(number)
        took.append((time.perf_counter() - started) * 1000)
    took.sort()
    return {f"{name}_p50_ms": round(took[times // 2], 4), f"{name}_p99_ms": round(took[times * 99 // 100], 4)}


def main(playlists: int, stars: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "feed")
        folded = fill(store, playlists, stars)
        view, random = FeedView(Held(store)), Random(1)  # noqa: S311  # the same ids each time
        ids = [f"pl_{random.randrange(playlists)}" for _ in range(5_000)]
        figures = measured("join", len(ids), lambda n: view.playlist(ids[n]))
        figures |= measured("join_as_json_object", len(ids), lambda n: playlist_view(view.playlist(ids[n])))  # type: ignore[arg-type]
        after = [(random.randrange(playlists) * 1000, "") for _ in range(200)]
        figures |= measured(
            "page_of_50", len(after), lambda n: view.page(starred=True, descends=True, after=after[n], limit=50)
        )
        store.close()
    print(json.dumps({"playlists": playlists, "stars": playlists * stars, "folded_per_s": round(folded), **figures}))


if __name__ == "__main__":
    main(*(int(given) for given in (sys.argv[1:] + ["10000", "20"][len(sys.argv) - 1 :])[:2]))
