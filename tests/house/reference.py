"""Writes `ops/reference.md` from the code: every setting, verb, message, refusal and metric, so that none is missing.

`python -m tests.house.reference` writes the page; a test fails while it differs.
"""

import argparse
import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from api.problems import PROBLEMS
from domain.catalog import CATALOG
from domain.facts.kinds import KINDS
from muniment.cli import parser
from muniment.settings import OTHER_VARIABLES, TABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "ops" / "reference.md"
LAYERS = ("log", "projections", "processors", "api", "muniment")
METRICS = {"Counter", "Gauge", "Histogram", "Summary"}


def sentence(text: str | None) -> str:
    """Give the first paragraph of a text on one line, fit for a cell of a table."""
    return " ".join((text or "").split("\n\n")[0].split()).replace("|", "\\|")


def leaves(tree: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Walk the verbs that do something: path, help, parser."""
    for action in tree._actions:
        if isinstance(action, argparse._SubParsersAction):
            said = {choice.dest: choice.help for choice in action._choices_actions}
            for name, child in action.choices.items():
                if any(isinstance(each, argparse._SubParsersAction) for each in child._actions):
                    yield from leaves(child, f"{path} {name}")
                else:
                    yield f"{path} {name}", said.get(name) or child.description or "", child


def usage(tree: argparse.ArgumentParser) -> str:
    """Give a verb's arguments on one line."""
    words = []
    for action in tree._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
        if isinstance(value, tuple):
            value = " ".join(value)
        if isinstance(action.choices, (list, tuple)) and action.metavar is None:
            value = "|".join(str(choice) for choice in action.choices)
        # The last name of a flag is its long one; a switch has one for each way.
        flag = " | ".join(
            action.option_strings if isinstance(action, argparse.BooleanOptionalAction) else action.option_strings[-1:]
        )
        words.append(f"[{flag} {value}".rstrip() + "]" if action.option_strings else str(value))
    return " ".join(words).replace("|", "\\|")


def metrics() -> Iterator[tuple[str, str, str, str]]:
    """Find every metric that the code declares: name, kind, help, labels."""
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in METRICS):
                    continue
                said = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                if len(said) < 2:
                    continue  # a counter of the standard library has no name and no help
                labels = [
                    str(label.value)
                    for arg in node.args
                    if isinstance(arg, ast.List | ast.Tuple)
                    for label in arg.elts
                    if isinstance(label, ast.Constant)
                ]
                yield str(said[0]), node.func.id.lower(), str(said[1]), ", ".join(labels)


def page() -> str:
    """Write the page."""
    lines = [
        "# Reference",
        "",
        "Written from the code by `python -m tests.house.reference`; a test holds it to that.",
        "",
    ]
    lines += ["## Settings", "", "| variable | flag | default | what it says |", "| --- | --- | --- | --- |"]
    for row in TABLE:
        flag = f"`{row.flag}`" if row.flag else "none: it is a secret"
        default = ",".join(row.default) if isinstance(row.default, tuple) else row.default
        lines.append(
            f"| `{row.variable}` | {flag} | {'' if default is None else f'`{default}`'} | {sentence(row.doc)} |"
        )
    lines += [f"| `{name}` | | | {sentence(said)} |" for name, said in sorted(OTHER_VARIABLES.items())]
    lines += ["", "## Command line", "", "| verb | arguments | what it does |", "| --- | --- | --- |"]
    for path, said, tree in leaves(parser(), "muniment"):
        lines.append(f"| `{path}` | {usage(tree)} | {sentence(said)} |")
    lines += ["", "## Messages", "", "| name | version | what | context | members | meaning |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for entry in CATALOG:
        members = ", ".join(f"`{member.name}`" for member in dataclasses.fields(entry.cls))
        meaning = sentence(entry.cls.__doc__)
        lines.append(f"| `{entry.name}` | {entry.version} | {entry.role} | {entry.context} | {members} | {meaning} |")
    lines += ["", "## Kinds of facts", "", "| kind | roles | members of its body |", "| --- | --- | --- |"]
    for kind in KINDS.values():
        body = ", ".join(
            f"`{name}`" + ("" if name in kind.body_schema["required"] else "?")
            for name in kind.body_schema["properties"]
        )
        lines.append(f"| `{kind.name}` | {', '.join(kind.roles)} | {body} |")
    lines += ["", "## Problems", "", "| code | status | retryable | meaning |", "| --- | --- | --- | --- |"]
    for code, problem in PROBLEMS.items():
        lines.append(f"| `{code}` | {problem.status} | {'yes' if problem.retryable else 'no'} | {problem.title} |")
    lines += ["", "## Metrics", "", "| name | kind | labels | what it shows |", "| --- | --- | --- | --- |"]
    lines += [f"| `{name}` | {kind} | {labels} | {said} |" for name, kind, said, labels in sorted(metrics())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
