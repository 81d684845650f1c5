"""`muniment audit identity` over an export: what was re-verified, and status 1 at the first operation that fails."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from domain.identity.rotation import KeysRotated
from muniment.cli import main
from muniment.exporting import export
from tests.audit.chancery import every_kind_of_operation, pen


def exported(folder: Path, *, changed: bool = False) -> str:
    """Export identity, and give the place of what was changed in it."""

    async def lay_down() -> str:
        chancery = await every_kind_of_operation()
        place = chancery.change(KeysRotated, thieved) if changed else ""
        await export(chancery.log, folder)
        return place

    return asyncio.run(lay_down())


def thieved(event: KeysRotated) -> KeysRotated:
    """Let another key have signed an operation."""
    thief = pen(66)
    signed = replace(event.signed, signed_by=thief.multibase, signature=thief.sign(event.signed.operation.encode()))
    return replace(event, signed=signed)


def test_honest_logs_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported(tmp_path / "export")
    assert main(["audit", "identity", "--from-export", str(tmp_path / "export")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["DIDs", "3"]
    assert lines[-1] == "no difference found"


def test_the_first_operation_that_fails_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = exported(tmp_path / "export", changed=True)
    assert main(["audit", "identity", "--from-export", str(tmp_path / "export"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["holds"], told["difference"]["place"]) == (False, place)
    assert told["difference"]["rule"] == "rotation_key"


@pytest.mark.parametrize("arguments", [("--chain-only",), ("--frame", "local"), ("--from-export", "/does/not/exist")])
def test_wrong_usage_says_so(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "identity", *arguments]) == 2
    assert "wrong_usage" in capsys.readouterr().err
