"""What there is to sweep: files that are never finalized, and the objects of those that are given up or erased.

It holds, by key:

- ``file/<media>``: a file that is not given up, with its owner and when its time to be finalized is over;
- ``due/<ms>/<media>``: that time of one that is not finalized, with its owner, in the order of the times;
- ``of/<did>/<media>``: an owner's files;
- ``gone/<media>``: a file whose objects are to be removed;
- ``erased/<did>``: an owner of whom no object may stay, with when that was decided (ms), and whether what there was
  then is removed.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from domain.decider import Change
from domain.did import identity
from domain.records.erasure import OwnerErased
from domain.records.media import MediaFinalized, MediaReserved, MediaSwept
from log.fold import Overlay
from log.store import MemoryStore, Store
from processors.agenda_entries import number
from processors.context_agenda import ContextAgenda

CONTEXT: Final = "records"


class File(NamedTuple):
    """A file that is not given up; ``expires_at`` in ms."""

    did: str
    expires_at: int


class Erased(NamedTuple):
    """An owner that was erased; ``at`` in ms."""

    at: int
    removed: bool = False


def due_key(file: File, media_id: str) -> str:
    return f"due/{number(file.expires_at)}/{media_id}"


def forgotten(file: File, media_id: str) -> Iterator[Change]:
    """Give what lets go of a file."""
    yield f"file/{media_id}", None
    yield f"of/{file.did}/{media_id}", None
    yield due_key(file, media_id), None


def changes(overlay: Overlay, event: Any, at: int, _where: str) -> Iterator[Change]:
    """Give what an event changes of what there is to sweep."""
    match event:
        case MediaReserved():
            file = File(identity(event.did), event.expires_at)
            yield f"file/{event.media_id}", file
            yield f"of/{file.did}/{event.media_id}", ()
            yield due_key(file, event.media_id), (file.did,)
        case MediaFinalized():
            yield due_key(File(*overlay[f"file/{event.media_id}"]), event.media_id), None
        case MediaSwept():
            entry = overlay.get(f"file/{event.media_id}")
            if entry is not None:  # that of an erased owner is forgotten
                yield from forgotten(File(*entry), event.media_id)
            yield f"gone/{event.media_id}", ()
        case OwnerErased():
            yield f"erased/{identity(event.did)}", Erased(at)


class MediaAgenda(ContextAgenda):
    """Follows the records into a store of its own."""

    def __init__(self, store: Store | MemoryStore) -> None:
        super().__init__(store, changes)
