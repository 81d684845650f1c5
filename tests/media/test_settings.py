"""Where media lie and what may be uploaded is set, and a wrong setting is named without being repeated."""

from pathlib import Path

import pytest

from api.media_bounds import MediaBounds
from muniment.media import media_depot, media_storage
from muniment.settings import InvalidSetting, Settings, read_settings
from processors.media_storage import S3, LocalDisk


def test_media_lie_in_the_data_directory_unless_it_is_said_where(tmp_path: Path, credentials: None) -> None:
    assert isinstance(media_storage(Settings(data=tmp_path)), LocalDisk)
    assert (tmp_path / "media" / "staged").is_dir()
    assert (tmp_path / "media").stat().st_mode & 0o777 == 0o700
    elsewhere = tmp_path / "elsewhere"
    assert isinstance(media_storage(read_settings({}, {"MUNIMENT_MEDIA_URL": f"file://{elsewhere}"})), LocalDisk)
    assert elsewhere.is_dir()
    assert isinstance(media_storage(read_settings({"media_url": "s3://bucket/prefix"}, {})), S3)


def test_bounds_are_as_they_are_set(tmp_path: Path) -> None:
    assert media_depot(Settings(data=tmp_path), bytes(32)).bounds == MediaBounds()
    given = {
        "MUNIMENT_MEDIA_TYPES": "image/png, x/y",
        "MUNIMENT_MEDIA_MAX_BYTES": "10",
        "MUNIMENT_MEDIA_FILES_PER_OWNER": "2",
        "MUNIMENT_MEDIA_BYTES_PER_OWNER": "15",
    }
    settings = read_settings({"data": str(tmp_path)}, given)
    assert media_depot(settings, bytes(32)).bounds == MediaBounds(frozenset({"image/png", "x/y"}), 10, 2, 15)
    again = read_settings({}, settings.environment())
    assert again == settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MUNIMENT_MEDIA_URL", "s3://key:hunter2@bucket"),
        ("MUNIMENT_MEDIA_URL", "ftp://hunter2"),
        ("MUNIMENT_MEDIA_TYPES", "image"),
        ("MUNIMENT_MEDIA_TYPES", "IMAGE/PNG"),
        ("MUNIMENT_MEDIA_MAX_BYTES", "0"),
        ("MUNIMENT_MEDIA_BYTES_PER_OWNER", "many"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=variable) as raised:
        read_settings({}, {variable: value})
    assert "hunter2" not in str(raised.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file")
    with pytest.raises(InvalidSetting, match="MUNIMENT_MEDIA_URL"):
        media_storage(Settings(data=tmp_path))
