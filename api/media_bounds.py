"""What may be uploaded."""

from dataclasses import dataclass
from typing import Final

MAX_BYTES: Final = 100 << 20
QUOTA_BYTES: Final = 5 << 30
QUOTA_FILES: Final = 100_000
TYPES: Final = (
    "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/svg+xml",
    "audio/mpeg", "audio/ogg", "audio/wav", "audio/mp4", "audio/flac", "audio/webm",
    "video/mp4", "video/webm", "video/ogg", "video/quicktime",
    "text/plain", "text/html", "text/markdown", "text/csv", "application/json", "application/pdf",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MediaBounds:
    """What may be uploaded: types, the bytes of a file, and how many files and bytes of them an owner has at most."""

    types: frozenset[str] = frozenset(TYPES)
    max_bytes: int = MAX_BYTES
    quota_files: int = QUOTA_FILES
    quota_bytes: int = QUOTA_BYTES
