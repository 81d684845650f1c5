"""`muniment audit supply` over an export: a line for each frame, and status 1 at the first event that fails."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from domain.ledger.frame import TokensMinted
from muniment.cli import main
from muniment.exporting import export
from muniment.supply_auditing import audit_supply
from tests.audit.economy import AWAY, HOME, Economy, every_kind_of_movement


def more(event: TokensMinted) -> TokensMinted:
    """Let an event say one micro-AVT more."""
    return replace(event, amount=event.amount + 1)


def exported(folder: Path, *, changed: bool = False) -> tuple[Economy, str]:
    """Export an economy, and give the place of what was changed in it."""

    async def lay_down() -> tuple[Economy, str]:
        economy = await every_kind_of_movement()
        place = economy.change(TokensMinted, more) if changed else ""
        await export(economy.log, folder)
        return economy, place

    return asyncio.run(lay_down())


def test_an_honest_ledger_gives_a_line_for_each_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    economy, _ = exported(tmp_path / "export")
    assert main(["audit", "supply", "--from-export", str(tmp_path / "export")]) == 0
    away, home = capsys.readouterr().out.splitlines()
    assert home.startswith(f"{HOME}: ")
    assert home.endswith(f", 9000 in flight: holds at {economy.place(HOME)}")
    assert away.endswith(f", 0 in flight: holds at {economy.place(AWAY)}")


def test_the_first_event_that_fails_is_named_and_the_status_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, place = exported(tmp_path / "export", changed=True)
    arguments = ["audit", "supply", "--from-export", str(tmp_path / "export")]
    assert main(arguments) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith(f"fails at {place}")
    assert lines[-1].startswith(f"first difference: {place}: postings: TokensMinted: ")
    assert main([*arguments, "--json", "--frame", AWAY]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert [each["frame_id"] for each in verdict["frames"]] == [AWAY]
    assert verdict["frames"][0]["transit_net"] == str(30_000 - 400)
    assert main([*arguments, "--json", "--frame", HOME]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["holds"], verdict["difference"]["place"]) == (False, place)


@pytest.mark.parametrize("more", [["--frame", "nowhere"], ["--chain-only"]])
def test_what_can_not_be_asked_is_refused(tmp_path: Path, more: list[str]) -> None:
    exported(tmp_path / "export")
    assert main(["audit", "supply", "--from-export", str(tmp_path / "export"), *more]) != 0


def test_a_frame_is_of_the_supply_alone(tmp_path: Path) -> None:
    assert main(["audit", "--from-export", str(tmp_path), "--frame", HOME]) == 2


async def test_a_log_is_audited_as_its_export_is() -> None:
    economy = await every_kind_of_movement()
    verdict = await audit_supply(economy.log, HOME)
    assert verdict.holds
    assert [each.frame_id for each in verdict.frames] == [HOME]
