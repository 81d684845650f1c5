"""`muniment keys rotate`: the next key beside the others, told without its secret; and the task that does it alone."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from api.service_key_files import make_key_file, read_key_files
from muniment.cli import main
from muniment.service_key_rotation import service_key_task
from muniment.settings import Settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUNIMENT_SERVICE_KEY", raising=False)


def kept(data: Path) -> list[str]:
    return [key.kid for key in read_key_files(data / "keys")]


def rotated(data: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    assert main(["keys", "rotate", "--data", str(data), "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_next_key_lies_beside_the_one_before_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = make_key_file(tmp_path / "keys", time.time() - 60)
    said = rotated(tmp_path, capsys)
    assert kept(tmp_path) == [first.kid, said["kid"]]
    assert said["signs_from"] < said["overlap_until"]
    assert said["retired"] == []
    assert main(["keys", "rotate", "--data", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[0].startswith(f"{kept(tmp_path)[-1]} signs from ")
    for path in (tmp_path / "keys").glob("service-*.json"):
        assert json.loads(path.read_bytes())["seed_b64"] not in told


def test_a_stolen_key_is_taken_back_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = make_key_file(tmp_path / "keys", time.time() - 60)
    said = rotated(tmp_path, capsys, "--take-back")
    assert (said["retired"], said["overlap_until"], kept(tmp_path)) == ([first.kid], None, [said["kid"]])


@pytest.mark.parametrize("where", ["nothing", "empty", "environment", "open"])
def test_what_can_not_be_rotated_is_left_as_it_is(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "empty":
        (tmp_path / "keys").mkdir()
    if where in {"environment", "open"}:
        make_key_file(tmp_path / "keys", time.time() - 60)
    if where == "environment":
        monkeypatch.setenv("MUNIMENT_SERVICE_KEY", "c2VjcmV0")
    if where == "open":
        next((tmp_path / "keys").glob("service-*.json")).chmod(0o644)
    before = sorted(tmp_path.rglob("*"))
    assert main(["keys", "rotate", "--data", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "service_key" in said.err
    assert "c2VjcmV0" not in said.err + said.out
    assert sorted(tmp_path.rglob("*")) == before


async def test_the_leader_makes_the_next_key_once_the_newest_is_old(tmp_path: Path) -> None:
    task = service_key_task(Settings(data=tmp_path, service_key_days=2))
    assert (await task.run()).said == {"made": False, "retired": 0}
    make_key_file(tmp_path / "keys", time.time() - 1.9 * 86_400)
    assert (await task.run()).said == {"made": False, "retired": 0}
    make_key_file(tmp_path / "other" / "keys", time.time() - 2.1 * 86_400)
    other = service_key_task(Settings(data=tmp_path / "other", service_key_days=2))
    assert [(await other.run()).said for _ in range(2)] == [{"made": True, "retired": 0}, {"made": False, "retired": 0}]
    assert len(kept(tmp_path / "other")) == 2


async def test_keys_of_the_environment_are_for_whoever_set_them(tmp_path: Path) -> None:
    make_key_file(tmp_path / "keys", 0.0)
    run = await service_key_task(Settings(data=tmp_path, service_key="x")).run()
    assert run.said == {"kept_in": "environment"}
    assert len(kept(tmp_path)) == 1
