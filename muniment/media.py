"""Where the processes of a deployment keep media, as the settings say."""

from typing import Final

from api.media_bounds import MediaBounds
from api.media_depot import Depot
from api.media_tokens import upload_key
from muniment.settings import InvalidSetting, Settings
from processors.media_place import InvalidStorage, read_place
from processors.media_storage import MediaStorage, open_storage

FOLDER: Final = "media"


def media_storage(settings: Settings) -> MediaStorage:
    """Open the storage of media: the local disk's folder where no other is set. Raises InvalidSetting."""
    try:
        return open_storage(settings.data / FOLDER if settings.media_url is None else read_place(settings.media_url))
    except InvalidStorage as error:
        raise InvalidSetting(f"MUNIMENT_MEDIA_URL: the storage {error}") from None


def media_depot(settings: Settings, sealing_key: bytes) -> Depot:
    """Give where an api process keeps media. Raises InvalidSetting."""
    bounds = MediaBounds(
        frozenset(settings.media_types),
        settings.media_max_bytes,
        settings.media_files_per_owner,
        settings.media_bytes_per_owner,
    )
    return Depot(media_storage(settings), upload_key(sealing_key), bounds)
