"""What makes a file outlast a crash of the machine, and what a crash of ours left behind go."""

import contextlib
from pathlib import Path

from log.durability import sync


def flush(draft: Path) -> None:
    """Have the disk hold what there is of a draft, if there is any. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        sync(draft)


def settle(draft: Path, place: Path) -> None:
    """Put a whole file in its place, over what was there. Raises OSError: then the draft is gone."""
    try:
        sync(draft)
        if not place.parent.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            sync(place.parent.parent)
        draft.replace(place)
        # Durable from here: the file under its name. A crash before leaves a draft, which is removed once it is old.
        sync(place.parent)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def remove_older(folder: Path, before: int) -> int:
    """Remove the files of a folder that were written before a time (ms); give how many that were. Raises OSError."""
    removed = 0
    for left in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if left.stat().st_mtime * 1000 < before:
                left.unlink()
                removed += 1
    return removed
