"""Where the pool's key is found, and that nothing tells it."""

import stat
import traceback
from pathlib import Path

import pytest

from muniment.key_files import KeyFileError, KeyFileProblem
from muniment.pool_key import POOL_KEY_FILE, make_pool_key, pool_key
from muniment.settings import InvalidSetting, Settings, read_settings
from processors.pool_key import written_wif

SECRET = bytes(range(1, 33))
WIF = written_wif(SECRET)


def kept(data: Path, content: str, mode: int = 0o600) -> Path:
    path = data / "keys" / POOL_KEY_FILE
    path.parent.mkdir()
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("family", ["bsv", "btc"])
def test_a_key_in_the_setting_goes_before_one_in_the_file(family: str, tmp_path: Path) -> None:
    kept(tmp_path, written_wif(bytes(range(2, 34))))
    environment = {"MUNIMENT_BSV_PRIVATE_KEY": WIF, "MUNIMENT_CHAIN_FAMILY": family}
    settings = read_settings({"data": tmp_path}, environment)
    assert (pool_key(settings).secret, pool_key(settings).family) == (SECRET, family)
    assert make_pool_key(settings) == pool_key(settings)
    assert pool_key(Settings(data=tmp_path)).secret == bytes(range(2, 34))


def test_a_key_is_made_once_in_a_file_that_its_owner_alone_can_read(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    with pytest.raises(KeyFileError) as missing:
        pool_key(settings)
    assert missing.value.code is KeyFileProblem.MISSING
    made = make_pool_key(settings)
    assert make_pool_key(settings) == made == pool_key(settings)
    assert [path.name for path in settings.keys.iterdir()] == [POOL_KEY_FILE]
    assert stat.S_IMODE((settings.keys / POOL_KEY_FILE).stat().st_mode) == 0o600
    assert make_pool_key(Settings(data=tmp_path / "other")) != made


def test_nothing_is_made_where_the_setting_has_the_key(tmp_path: Path) -> None:
    make_pool_key(Settings(data=tmp_path / "data", bsv_private_key=WIF))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("content", "mode", "code"),
    [
        (WIF, 0o640, KeyFileProblem.EXPOSED),
        (WIF[:-1], 0o600, KeyFileProblem.MALFORMED),
        (WIF + "\n" + WIF, 0o600, KeyFileProblem.MALFORMED),
        ("ключ", 0o600, KeyFileProblem.MALFORMED),
        (WIF + " " * 5000, 0o600, KeyFileProblem.MALFORMED),
    ],
)
def test_a_file_that_is_no_key_or_open_to_others_is_refused(
    content: str, mode: int, code: KeyFileProblem, tmp_path: Path
) -> None:
    path = kept(tmp_path, content, mode)
    for read in (pool_key, make_pool_key):
        with pytest.raises(KeyFileError) as refused:
            read(Settings(data=tmp_path))
        assert refused.value.code is code
        assert WIF[:-1] not in "".join(traceback.format_exception(refused.value))
    assert path.read_text() == content


def test_a_setting_that_is_no_key_is_never_repeated() -> None:
    wrong = WIF[:-1]
    settings = read_settings({}, {"MUNIMENT_BSV_PRIVATE_KEY": wrong})
    assert wrong not in repr(settings)
    with pytest.raises(InvalidSetting, match="MUNIMENT_BSV_PRIVATE_KEY") as refused:
        pool_key(settings)
    assert wrong not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MUNIMENT_CHAIN_FAMILY", "bch"),
        ("MUNIMENT_CHAIN_FAMILY", "BSV"),
        ("MUNIMENT_FEE_PER_KB", "0"),
        ("MUNIMENT_FEE_PER_KB", "100000001"),
        ("MUNIMENT_FEE_PER_KB", "0.5"),
    ],
)
def test_a_setting_of_the_chain_that_cannot_be_used_is_refused_with_its_name(variable: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=variable):
        read_settings({}, {variable: value})


def test_the_chain_is_bsv_at_100_satoshis_a_kilobyte_unless_it_is_said() -> None:
    assert (Settings().chain_family, Settings().fee_per_kb) == ("bsv", 100)
