"""The settings of media: where they lie, and what may be uploaded."""

import re
from dataclasses import dataclass
from typing import Final

from api.media_bounds import MAX_BYTES, QUOTA_BYTES, QUOTA_FILES, TYPES
from muniment.setting_values import setting, up_to, words
from processors.media_place import read_place

LARGEST_FILE: Final = 1 << 40
LARGEST_QUOTA: Final = 1 << 50
MOST_FILES: Final = 10**12
TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")


def _place(given: str) -> str:
    read_place(given)
    return given


def _types(given: str) -> tuple[str, ...]:
    types = words(given)
    if not all(TYPE.fullmatch(each) for each in types):
        raise ValueError("is media types separated by commas: image/png,video/mp4")
    return types


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSettings:
    """Where media lie, and what may be uploaded."""

    media_url: str | None = setting(
        None,
        "Where media lie: `file:///folder` or `s3://bucket[/prefix][?endpoint=URL&region=NAME]`, whose credentials "
        "come from the `AWS_*` variables; by default `DIR/media`.",
        read=_place,
        secret=True,
        metavar="URL",
    )
    media_types: tuple[str, ...] = setting(
        TYPES, "The types of files that may be uploaded, separated by commas.", read=_types, metavar="TYPES"
    )
    media_max_bytes: int = setting(
        MAX_BYTES, "How many bytes a file has at most.", read=up_to(LARGEST_FILE), metavar="BYTES"
    )
    media_files_per_owner: int = setting(
        QUOTA_FILES, "How many files a vault holds at most.", read=up_to(MOST_FILES), metavar="N"
    )
    media_bytes_per_owner: int = setting(
        QUOTA_BYTES, "How many bytes the files of a vault have at most.", read=up_to(LARGEST_QUOTA), metavar="BYTES"
    )
