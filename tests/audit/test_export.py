"""An export and its audit, with no broker and no database: every byte of every file is covered."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from log import released, topic
from muniment import exporting
from muniment.auditing import AuditOptions, audit_export
from muniment.exported import Exported
from muniment.exporting import ExportRefused, export
from processors.audit_verdict import Differs
from tests.audit.registry import Registry, every_kind_of_decision

pytestmark = pytest.mark.slow


async def exported(folder: Path) -> Registry:
    """Export a small registry."""
    registry, _ = await every_kind_of_decision(facts=3)
    await export(registry.log, folder)
    return registry


async def test_an_export_holds_every_message_byte_for_byte(tmp_path: Path) -> None:
    registry = await exported(tmp_path / "export")
    source = Exported(tmp_path / "export")
    for name in (topic.commands("facts"), topic.events("facts")):
        for partition, end in (await source.ends(name)).items():
            found = [message async for batch in source.messages(name, partition, end) for message in batch]
            held = registry.log.messages(name, partition)
            assert [(m.offset, m.timestamp, m.key, m.value) for m in found] == [
                (m.offset, m.timestamp, m.key, m.value) for m in held
            ]


async def test_an_export_is_audited_to_the_same_verdict_as_its_log(tmp_path: Path) -> None:
    registry = await exported(tmp_path / "export")
    log = await registry.audit(tmp_path / "state")
    verdict = await audit_export(tmp_path / "export")
    assert verdict.holds
    assert (verdict.decisions, verdict.facts, verdict.signatures) == (log.decisions, log.facts, log.signatures)
    assert verdict.positions == log.positions
    assert (await audit_export(tmp_path / "export", AuditOptions(chain_only=True))).decisions == log.decisions


@contextlib.contextmanager
def flipped(path: Path, at: int) -> Iterator[None]:
    """Let one bit of a byte of a file be another meanwhile, where it lies: a new file would wait for the disk."""
    with path.open("r+b", buffering=0) as file:
        file.seek(at)
        byte = file.read(1)[0]
        try:
            file.seek(at)
            file.write(bytes([byte ^ (1 << (at % 8))]))
            yield
        finally:
            file.seek(at)
            file.write(bytes([byte]))


async def test_one_flipped_byte_anywhere_in_an_export_is_found_and_its_place_named(tmp_path: Path) -> None:
    await exported(tmp_path / "export")
    whole = Exported(tmp_path / "export")
    for path in sorted(p for p in (tmp_path / "export").rglob("*") if p.is_file()):
        name = str(path.relative_to(tmp_path / "export"))
        every = 1 if path.suffix == ".json" else 3 if path.suffix == ".records" else 97
        for at in range(0, path.stat().st_size, every):
            with flipped(path, at), pytest.raises(Differs) as found:
                (Exported(tmp_path / "export") if name == exporting.MANIFEST else whole).check()
            assert found.value.difference.place.startswith(name)
            if path.suffix == ".records" and at >= len(exporting.MAGIC):
                assert found.value.difference.place != name  # the record and its offset are named
    assert Exported(tmp_path / "export").check() > 0


async def test_a_file_that_is_cut_missing_or_added_is_found(tmp_path: Path) -> None:
    await exported(tmp_path / "export")
    name = f"{topic.events('facts')}/1.records"
    path = tmp_path / "export" / name
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert name in str((await audit_export(tmp_path / "export")).difference)
    path.unlink()
    assert name in str((await audit_export(tmp_path / "export")).difference)
    path.write_bytes(content)
    (tmp_path / "export" / "extra").write_text("x")
    assert str((await audit_export(tmp_path / "export")).difference).startswith("extra: export")


async def test_whole_records_that_were_taken_off_are_found(tmp_path: Path) -> None:
    registry = await exported(tmp_path / "export")
    name = f"{topic.events('facts')}/1.records"
    path = tmp_path / "export" / name
    last = registry.log.messages(topic.events("facts"), 1)[-1]
    path.write_bytes(path.read_bytes()[: -len(exporting.frame(last))])
    verdict = await audit_export(tmp_path / "export")
    assert verdict.difference is not None
    assert "records and had" in verdict.difference.detail


async def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision(facts=2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("kept")
    with pytest.raises(ExportRefused):
        await export(registry.log, tmp_path / "full")
    assert [p.name for p in tmp_path.iterdir()] == ["full"]  # noqa: ASYNC240  # a test may wait
    (tmp_path / "empty").mkdir()
    await export(registry.log, tmp_path / "empty")
    assert (tmp_path / "empty" / exporting.MANIFEST).is_file()


async def test_an_export_that_was_cut_off_leaves_nothing_under_its_name(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision(facts=2)

    def cut(_done: int, _total: int) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await export(registry.log, tmp_path / "export", cut)
    assert not (tmp_path / "export").exists()
    with pytest.raises(ExportRefused, match="cut off"):
        await export(registry.log, tmp_path / "export")
    shutil.rmtree(tmp_path / "export.partial")
    assert await export(registry.log, tmp_path / "export") > 0


async def test_what_was_no_export_is_named(tmp_path: Path) -> None:
    verdict = await audit_export(tmp_path)
    assert verdict.difference is not None
    assert verdict.difference.place == "manifest.json"


async def test_an_export_has_the_schemas_that_its_messages_name(tmp_path: Path) -> None:
    await exported(tmp_path / "export")
    held = {json.dumps(json.loads(p.read_text())) for p in (tmp_path / "export" / "schemas").glob("*.avsc")}
    assert {json.dumps(released.current("facts", "command")), json.dumps(released.current("facts", "decision"))} <= held


async def test_a_message_without_a_value_is_exported_and_skipped(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision(facts=2)
    await (await registry.log.append(topic.events("facts"), 1, [(b"k", None)]))  # type: ignore[list-item]
    await export(registry.log, tmp_path / "export")
    verdict = await audit_export(tmp_path / "export")
    assert verdict.holds
    assert verdict.skipped == 1
