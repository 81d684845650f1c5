"""README says what there is: each verb, and, with the reference that it links to, each setting and metric."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.cli import parser
from muniment.settings import OTHER_VARIABLES, TABLE

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
REFERENCE = ROOT / "ops" / "reference.md"
METRIC = re.compile(r"""["'](muniment_[a-z_]+)["']""")
NOT_METRICS = {"muniment_feed"}


def verbs(tree: argparse.ArgumentParser, path: str = "muniment") -> Iterator[str]:
    below = [action for action in tree._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield path
    for action in below:
        for name, child in action.choices.items():
            yield from verbs(child, f"{path} {name}")


def metrics() -> set[str]:
    layers = ("log", "projections", "processors", "api", "muniment")
    files = [
        path for layer in layers for path in (ROOT / layer).rglob("*.py") if "prometheus_client" in path.read_text()
    ]
    return {name for path in files for name in METRIC.findall(path.read_text())} - NOT_METRICS


def documented() -> str:
    """Give README with the reference, if README leads there."""
    readme = README.read_text()
    return readme + REFERENCE.read_text() if "ops/reference.md" in readme else readme


def test_readme_names_every_noun_and_verb_at_the_top() -> None:
    top = {" ".join(verb.split()[:2]) for verb in verbs(parser())}
    readme = README.read_text()
    assert {verb for verb in top if verb not in readme} == set()


@pytest.mark.parametrize("what", ["verbs", "settings", "metrics"])
def test_nothing_is_undocumented(what: str) -> None:
    wanted = {
        "verbs": set(verbs(parser())),
        "settings": {setting.variable for setting in TABLE} | set(OTHER_VARIABLES),
        "metrics": metrics(),
    }[what]
    text = documented()
    assert wanted
    assert {name for name in wanted if name not in text} == set()
