"""A data directory is held by one stack, is refused when it is not whole, and is never harmed by a refusal."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.stack import leftovers
from muniment.stack.data_directory import DataDirectory
from muniment.stack.errors import StackError, StackFault
from tests.muniment.stack.conftest import is_alive


def listing(path: Path) -> dict[str, bytes]:
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def refusal(path: Path) -> StackError:
    with pytest.raises(StackError) as caught, DataDirectory(path):
        pass
    return caught.value


def formed(path: Path, *services: str) -> Path:
    with DataDirectory(path) as directory:
        for service in services:
            directory.draft(service).mkdir()
            directory.settle(service)
    return path


def test_a_directory_in_use_is_refused_naming_the_pid_that_holds_it(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "data"):
        error = refusal(tmp_path / "data")
    assert error.code == StackFault.DATA_DIRECTORY_IN_USE
    assert str(os.getpid()) in error.message


def test_a_directory_is_free_again_once_its_holder_was_killed(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from muniment.stack.data_directory import DataDirectory;"
        "DataDirectory(pathlib.Path(sys.argv[1])).__enter__(); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "data")]
    assert subprocess.run(command, check=False).returncode == -9
    with DataDirectory(tmp_path / "data") as directory:
        assert directory.logs.is_dir()


def test_a_directory_of_a_newer_layout_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    data = formed(tmp_path / "data", "kafka")
    for version in ({"layout": 2}, {"layout": 1, "kafka": "4.10.0"}, {"layout": 1, "postgres": 19}):
        (data / "version.json").write_text(json.dumps({**version, "data": ["kafka"]}))
        before = listing(data)
        assert refusal(data).code == StackFault.DATA_DIRECTORY_NEWER
        assert listing(data) == before


def test_an_older_version_of_the_broker_is_not_newer(tmp_path: Path) -> None:
    data = formed(tmp_path / "data", "kafka")
    (data / "version.json").write_text(json.dumps({"layout": 1, "kafka": "4.0.9", "data": ["kafka"]}))
    with DataDirectory(data) as directory:
        assert directory.has("kafka")


def test_a_first_start_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with DataDirectory(data) as directory:
        directory.draft("kafka").mkdir()
        (directory.path / "postgres").mkdir()
    with DataDirectory(data) as directory:
        assert not directory.has("kafka")
        assert not directory.has("postgres")


def test_data_that_a_service_ran_on_is_never_taken_for_a_first_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    topic = data / "kafka" / "muniment.facts.events-0"
    topic.mkdir(parents=True)
    (topic / "00000000000000000000.log").write_bytes(b"the only copy")
    before = listing(data)
    assert refusal(data).code == StackFault.DATA_DIRECTORY_HALF_WRITTEN
    assert listing(data) == before


def test_data_that_the_version_file_does_not_know_of_is_left_alone(tmp_path: Path) -> None:
    data = formed(tmp_path / "data", "kafka")
    (data / "postgres" / "data").mkdir(parents=True)
    (data / "postgres" / "data" / "postmaster.opts").write_bytes(b"postgres")
    assert refusal(data).code == StackFault.DATA_DIRECTORY_HALF_WRITTEN
    assert (data / "postgres" / "data" / "postmaster.opts").exists()


def test_a_directory_that_lost_a_service_is_refused_rather_than_begun_anew(tmp_path: Path) -> None:
    data = formed(tmp_path / "data", "kafka", "postgres")
    (data / "kafka").rmdir()
    error = refusal(data)
    assert error.code == StackFault.DATA_DIRECTORY_HALF_WRITTEN
    assert "kafka" in error.message


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"layout": "one"}'])
def test_a_damaged_version_file_is_half_written(tmp_path: Path, content: bytes) -> None:
    data = formed(tmp_path / "data", "kafka")
    (data / "version.json").write_bytes(content)
    assert refusal(data).code == StackFault.DATA_DIRECTORY_HALF_WRITTEN


def test_a_directory_of_something_else_is_refused_and_gains_no_file(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert refusal(tmp_path).code == StackFault.DATA_DIRECTORY_HALF_WRITTEN
    assert listing(tmp_path) == {"thesis.tex": b"years of work"}


def test_a_file_in_the_directorys_place_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    assert refusal(tmp_path / "data").code == StackFault.DATA_DIRECTORY_UNUSABLE
    assert refusal(tmp_path / "data" / "below").code == StackFault.DATA_DIRECTORY_UNUSABLE


def test_nothing_in_the_directory_is_readable_by_others(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "data") as directory:
        directory.publish({"postgres": "postgresql://muniment:secret@127.0.0.1/muniment"})
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in directory.path.iterdir()}
        assert modes == {"lock": 0o600, "logs": 0o700, "stack.json": 0o600}
        assert not stat.S_IMODE(directory.path.stat().st_mode) & (stat.S_IROTH | stat.S_IWOTH)


def test_a_stale_stack_file_counts_as_no_stack(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with DataDirectory(tmp_path / "data") as directory:
        directory.publish({"pids": {"supervisor": gone.pid}, "births": {"supervisor": 1.0}})
        assert leftovers.running_stack(directory.path) is None
        pids = {"supervisor": os.getpid()}
        directory.publish({"pids": pids, "births": leftovers.births(pids)})
        assert leftovers.running_stack(directory.path) is not None


def test_a_process_that_merely_got_an_old_pid_is_not_ended(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with DataDirectory(tmp_path / "data") as directory:
            directory.publish({"pids": {"broker": bystander.pid}, "births": {"broker": 1.0}})
            assert leftovers.end_leftovers(directory.path) == []
            directory.publish({"pids": {"broker": bystander.pid}})
            assert leftovers.end_leftovers(directory.path) == []
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_process_that_a_killed_stack_left_is_ended(tmp_path: Path) -> None:
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with DataDirectory(tmp_path / "data") as directory:
        pids = {"broker": orphan.pid}
        directory.publish({"pids": pids, "births": leftovers.births(pids)})
        assert leftovers.end_leftovers(directory.path) == ["broker"]
    assert not is_alive(orphan.pid)
    orphan.wait()
