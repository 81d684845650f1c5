"""The broker's jars are the pinned ones, whole, whatever happened to the fetch before."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.stack import broker, jars, versions

pytestmark = pytest.mark.slow


def test_the_pinned_list_holds_the_pinned_broker_and_client() -> None:
    pinned = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in jars.pinned_jars()}
    assert set(versions.KAFKA_COORDINATES) <= pinned
    assert versions.KAFKA_LOGGING_COORDINATE in pinned
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) and jar.size > 0 for jar in jars.pinned_jars())


def test_no_library_of_the_broker_is_pinned_twice() -> None:
    names = [(jar.group, jar.artifact) for jar in jars.pinned_jars()]
    assert len(names) == len(set(names))


def test_a_jar_that_is_cut_short_or_damaged_counts_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {"one": b"first jar", "two": b"second jar", "three": b"third jar"}
    lines = (f"org.example {name} 1 {hashlib.sha256(each).hexdigest()} {len(each)}" for name, each in contents.items())
    (tmp_path / "list.txt").write_text("# a list\n" + "\n".join(lines) + "\n")
    monkeypatch.setattr(jars, "PINNED_LIST", tmp_path / "list.txt")
    monkeypatch.setenv("MUNIMENT_CACHE", str(tmp_path))
    assert jars.missing_jars() == jars.pinned_jars()
    jars.jar_directory().mkdir()
    for name, content in contents.items():
        (jars.jar_directory() / f"{name}-1.jar").write_bytes(content)
    assert jars.missing_jars() == []
    (jars.jar_directory() / "one-1.jar").write_bytes(b"first ja")
    (jars.jar_directory() / "three-1.jar").write_bytes(b"third_jar")
    assert [jar.artifact for jar in jars.missing_jars()] == ["one", "three"]


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    ids = {broker.cluster_id() for _ in range(2_000)}
    assert len(ids) == 2_000
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", each) for each in ids)


def test_a_fetch_without_a_network_says_so_and_leaves_no_jar(tmp_path: Path) -> None:
    closed = "http://127.0.0.1:9"
    outcome = subprocess.run(
        [sys.executable, "-m", "muniment.stack.jars"],
        env={**os.environ, "MUNIMENT_CACHE": str(tmp_path), "HTTPS_PROXY": closed, "https_proxy": closed},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert "could not be fetched" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not list(tmp_path.glob("kafka-*/*.jar"))


def test_a_cache_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    outcome = subprocess.run(
        [sys.executable, "-m", "muniment.stack.jars"],
        env={**os.environ, "MUNIMENT_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert "set MUNIMENT_CACHE" in outcome.stderr
