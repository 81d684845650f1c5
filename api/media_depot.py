"""What the routes of media share: the storage, whose keys seal, what may be uploaded, and under which names it lies."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from api.freshness import RETRY_AFTER_S
from api.media_bounds import MediaBounds
from api.problems import ProblemError
from api.route import Asked
from processors.media_storage import MediaStorage, StorageFull, StorageUnavailable

MEDIA_ID: Final = re.compile(r"med_[a-z2-7]{26}")


@dataclass(frozen=True, slots=True)
class Depot:
    """Where an api process keeps media; ``upload_key`` authorises the uploads that it takes itself."""

    storage: MediaStorage
    upload_key: bytes = field(repr=False)
    bounds: MediaBounds = field(default_factory=MediaBounds)


def depot_of(asked: Asked) -> Depot:
    """Give where media are kept. Raises ``storage_unavailable`` where this process keeps none."""
    if asked.api.media is None:
        raise unavailable()
    return asked.api.media


def media_id_of(asked: Asked) -> str:
    """Give the id in the path; raises ``not_found`` for what no file's id looks like."""
    media_id = asked.path("id")
    if MEDIA_ID.fullmatch(media_id) is None:
        raise not_found()
    return media_id


def not_found() -> ProblemError:
    """Make the problem of a file that there isn't."""
    return ProblemError("not_found", "there is no file of this id")


def unavailable(detail: str | None = None) -> ProblemError:
    """Make the problem of a storage that can't be used now."""
    return ProblemError("storage_unavailable", detail, headers={"Retry-After": str(RETRY_AFTER_S)})


@contextlib.contextmanager
def storage_asked() -> Iterator[None]:
    """Make problems of what the storage can't do."""
    try:
        yield
    except StorageFull:
        raise unavailable("the media storage has no room") from None
    except StorageUnavailable:
        raise unavailable() from None
