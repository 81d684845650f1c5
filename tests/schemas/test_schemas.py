"""What lies on the log can be read for ever: schemas, their names, and one example of each message."""

import hashlib
import json
import shutil
from pathlib import Path

import fastavro
import pytest

from domain.catalog import BY_NAME, CATALOG
from log import released
from log.avro import fingerprint
from log.topic import murmur2
from tests.schemas.canonical_messages import FOLDER, as_json

EXAMPLES = sorted(FOLDER.glob("*.json"))
KAFKA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""Apache Kafka, UtilsTest.testMurmur2."""


AVRO_VECTORS = {"null": "63dd24e7cc258f8a", "int": "7275d51a3f395c8f", "string": "8f014872634503c7"}
"""Apache Avro, schema-tests.txt: the fingerprints of primitive schemas, as numbers."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_decoded_by_todays_code(path: Path) -> None:
    example = json.loads(path.read_text())
    message = released.codec(example["context"], example["message"]).decode(bytes.fromhex(example["hex"]))
    assert as_json(message) == example["value"]


def test_every_type_of_the_catalog_has_an_example_and_every_example_is_in_the_catalog() -> None:
    assert {path.stem for path in EXAMPLES} == {entry.name for entry in CATALOG} | {"Refused"}
    for path in EXAMPLES:
        example = json.loads(path.read_text())
        assert example["name"] == path.stem
        if path.stem != "Refused":
            value = example["value"]
            types = [value["type"]] if example["message"] == "command" else [event["type"] for event in value["events"]]
            assert types == [path.stem]
            assert BY_NAME[path.stem].context == example["context"]


@pytest.mark.parametrize("role", released.ROLES)
def test_the_newest_schema_file_is_what_the_dataclasses_say(role: released.Role) -> None:
    for context in released.contexts():
        newest = released.versions(context, role)[-1]
        assert released.load(newest) == released.current(context, role), "run `make schemas`"


def test_released_schemas_are_as_they_were_released() -> None:
    assert released.changed_releases() == []


def test_a_changed_release_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(released.FOLDER, tmp_path / "avro")
    monkeypatch.setattr(released, "FOLDER", tmp_path / "avro")
    path = tmp_path / "avro" / "facts.command.1.avsc"
    frozen = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
    (tmp_path / "avro" / released.RELEASED).write_text(json.dumps(frozen))
    assert released.changed_releases() == []
    path.write_text(path.read_text() + " ")
    assert released.changed_releases() == [path.name]


@pytest.mark.parametrize("role", released.ROLES)
def test_the_newest_schema_reads_every_older_one(role: released.Role) -> None:
    for context in released.contexts():
        codec = released.codec(context, role)
        for path in released.versions(context, role):
            assert fingerprint(released.load(path)) in codec.reads
            held = [e for path in EXAMPLES if (e := json.loads(path.read_text()))["message"] == role]
            assert all(codec.decode(bytes.fromhex(e["hex"])) for e in held if e["context"] == context)


def test_fingerprints_are_those_of_the_avro_standard() -> None:
    for schema in (released.current("facts", "command"), released.current("facts", "decision")):
        canonical = fastavro.schema.to_parsing_canonical_form(fastavro.parse_schema(schema))
        assert fingerprint(schema).hex() == fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
    for name, mark in AVRO_VECTORS.items():
        assert fingerprint({"type": name})[::-1].hex() == mark


@pytest.mark.parametrize("key", KAFKA_VECTORS)
def test_murmur2_is_kafkas(key: bytes) -> None:
    assert murmur2(key) == KAFKA_VECTORS[key] & 0xFFFFFFFF
