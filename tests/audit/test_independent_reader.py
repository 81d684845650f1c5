"""A reader that shares nothing with this project but the files in `schemas/avro/` sees the same facts."""

import ast
import json
import subprocess
import sys
from pathlib import Path

from log import released
from log.avro import fingerprint
from log.store import MemoryStore
from muniment.exporting import export
from processors.audit import Audit
from processors.audit_source import LogSource
from processors.audit_tables import FactRows
from tests.audit import independent_reader
from tests.audit.registry import every_kind_of_decision

READER = Path(independent_reader.__file__)


async def test_a_second_reader_lists_the_same_facts_with_the_same_statuses(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    await export(registry.log, tmp_path / "export")
    told = subprocess.run(  # noqa: ASYNC221  # our own file; a test may wait
        [sys.executable, "-I", str(READER), str(tmp_path / "export")], check=True, capture_output=True, text=True
    )
    ours = MemoryStore()
    rules = FactRows()

    def fold(message: object, events: object, at: int) -> None:
        for event in events:  # type: ignore[attr-defined]
            for key, row in rules.change(lambda key: (ours.get(key) or (None,))[0], event, (0, 0), at):
                ours.write([(key, (row,))], {})

    await Audit(LogSource(registry.log), "facts", tmp_path / "state", on_decision=fold).run()
    expected = {entry[0]["fact_id"]: entry[0]["status"] for _, entry in ours.scan("facts/")}
    assert json.loads(told.stdout) == expected
    assert set(expected.values()) == {"active", "revoked", "expired"}


async def test_a_second_reader_skips_what_does_not_count(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    await export(registry.log, tmp_path / "one")
    events = "muniment.facts.events"
    for partition in range(registry.partitions):
        value = registry.log.messages(events, partition)[0].value
        await (await registry.log.append(events, partition, [(b"k", value), (b"k", b"junk" * 20)]))
    await export(registry.log, tmp_path / "two")
    assert independent_reader.facts(tmp_path / "one") == independent_reader.facts(tmp_path / "two")


def test_the_second_reader_names_schemas_by_the_same_fingerprints() -> None:
    marks = independent_reader.Schemas(released.FOLDER).by_mark
    for role in released.ROLES:
        assert fingerprint(released.current("facts", role)) in marks


def test_the_second_reader_is_short_and_imports_nothing_of_ours() -> None:
    text = READER.read_text()
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) < 100
    nodes = list(ast.walk(ast.parse(text)))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported <= {"hashlib", "json", "struct", "sys", "pathlib"}
