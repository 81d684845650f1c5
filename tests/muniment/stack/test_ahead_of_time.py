"""The broker's classes are kept by the first start on a machine, and the next go by them, whatever became of them."""

import os
import shutil
from pathlib import Path

import psutil
import pytest

from muniment.stack import jars
from tests.muniment.stack.conftest import Foreground
from tests.muniment.stack.test_embedded import StartForeground

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def archives(cache: Path) -> list[Path]:
    """List all that a cache has beside the jars."""
    return [path for path in cache.rglob("*") if path.is_file() and path.suffix not in {".jar", ".lock"}]


def broker_maps(stack: Foreground) -> set[str]:
    """Name the files that the broker has in memory."""
    return {each.path for each in psutil.Process(stack.stack()["pids"]["broker"]).memory_maps()}


def test_the_first_start_keeps_the_classes_and_the_next_goes_by_them_unless_they_are_damaged(
    tmp_path: Path, foreground: StartForeground
) -> None:
    known = jars.fetch()
    cache = tmp_path / "cache"
    (cache / known.name).mkdir(parents=True)
    for jar in known.glob("*.jar"):
        shutil.copy2(jar, cache / known.name / jar.name)
    env = {"MUNIMENT_CACHE": str(cache)}
    first = foreground(tmp_path / "first", env=env)
    first.ready()
    (archive,) = archives(cache)
    assert str(archive) in broker_maps(first)
    first.end()
    os.truncate(archive, archive.stat().st_size // 2)
    second = foreground(tmp_path / "second", env=env)
    second.ready()
    assert archives(cache) == [archive]
    assert str(archive) not in broker_maps(second)
    second.end()
