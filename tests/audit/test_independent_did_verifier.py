"""A verifier that shares nothing with this project comes to the same verdict over every operation log."""

import ast
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from projections.postgres import Postgres
from tests.api_identity.reading import Noting, ask, key_names, played, reading
from tests.audit import independent_did_verifier as outsider
from tests.audit import independent_personal_sign as personal_sign
from tests.audit.economy import moment
from tests.projections.conftest import postgres
from tests.vectors import did_operations

__all__ = ["postgres"]
VERIFIER = Path(outsider.__file__)
VECTORS: Any = json.loads(did_operations.FILE.read_text())
OTHERS = {each["did"]: each["items"] for each in VECTORS["logs"]}


async def test_the_vectors_are_what_the_deciders_make_of_these_operations() -> None:
    assert did_operations.FILE.read_text() == did_operations.written(await did_operations.vectors())


@pytest.mark.parametrize("log", VECTORS["logs"], ids=lambda log: log["name"])
def test_a_good_log_is_verified_and_gives_the_documents(log: Any) -> None:
    verified = outsider.verify(log["did"], log["items"], OTHERS)
    assert verified.did == log["did"]
    for noted in log["documents"]:
        at = datetime.fromisoformat(noted["at"])
        stood = outsider.stood(log["did"], log["items"], at, OTHERS)
        document = noted["document"]
        keys = [(f"{log['did']}#{key['id']}", key["public_key_multibase"]) for key in stood.holding(at)]
        assert keys == [(each["id"], each["publicKeyMultibase"]) for each in document["verificationMethod"]], noted[
            "at"
        ]
        handle = stood.state["handle"]
        assert document.get("alsoKnownAs", []) == ([] if handle is None else [f"mun://{handle}"])


@pytest.mark.parametrize("log", VECTORS["bad"], ids=lambda log: log["name"])
def test_a_bad_log_is_refused_for_its_reason(log: Any) -> None:
    with pytest.raises(outsider.Lie) as refused:
        outsider.verify(log["did"], log["items"], OTHERS)
    assert str(refused.value) == log["reason"]


@pytest.mark.stack
async def test_what_the_api_serves_is_verified_by_an_outsider(postgres: Postgres) -> None:
    chancery: Noting = await played()
    async with reading(chancery, postgres) as registry:
        served = {did: (await ask(registry, f"/dids/{did}/log")).json["items"] for did in chancery.noted}
        for did, items in served.items():
            outsider.verify(did, items, served)
            noted = chancery.noted[did][-1]
            shown = await ask(registry, f"/dids/{did}", as_of=moment(noted.at))
            stood = outsider.stood(did, items, datetime.fromisoformat(moment(noted.at)), served)
            names = [key["id"] for key in stood.holding(stood.at)]
            assert sorted(names) == noted.keys == key_names(shown.json)
        ada, items = next(iter(served.items()))
        for index in range(len(items)):
            with pytest.raises(outsider.Lie):
                outsider.verify(ada, [*items[:index], *items[index + 1 :], items[0]], served)


def test_the_second_verifier_is_short_and_imports_nothing_of_ours() -> None:
    text = VERIFIER.read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 155
    nodes = [*ast.walk(ast.parse(text)), *ast.walk(ast.parse(Path(personal_sign.__file__).read_text()))]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported - {personal_sign.__name__}} <= {
        "base64", "functools", "hashlib", "json", "datetime", "cryptography", "nacl",
    }  # fmt: skip


def test_the_page_names_all_that_a_verifier_must_know() -> None:
    page = (Path(__file__).parents[2] / "ops" / "did_operations.md").read_text()
    for kind, members in outsider.MEMBERS.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{kind}` |")]
        for name in " ".join(members).split():
            assert f"`{name}`" in row, (kind, name)
    rules = set(re.findall(r'require\(.*"(\w+)"\)', VERIFIER.read_text()))
    assert {log["reason"] for log in VECTORS["bad"]} <= rules
    for rule in rules:
        assert f"`{rule}`" in page.partition("## Vectors")[2], rule
