"""README's commands print what README says, and its Python runs."""

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.readme import README, as_readme_has_it, masked, play
from tests.end_to_end.registry import Registry, running


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command_of_readme_prints_what_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path / ".muniment") as registry:
        for command, said, printed in play(registry, tmp_path, README.read_text()):
            assert masked(printed) == masked(said), f"$ {command}\n{printed}"
        monkeypatch.chdir(tmp_path)
        run_python(registry, README.read_text())
    assert "revoked fct_" in capsys.readouterr().out


def test_digits_that_happen_to_be_a_port_stay_in_an_id(tmp_path: Path) -> None:
    txid = "45678" + 59 * "a"
    printed = f"listening on http://127.0.0.1:45678\noutput 0 of {txid} in {tmp_path}/proof.json"
    shown = as_readme_has_it(printed, "http://127.0.0.1:41234", "45678", tmp_path)
    assert shown == f"listening on http://127.0.0.1:9000\noutput 0 of {txid} in ./proof.json"


def run_python(registry: Registry, readme: str) -> None:
    """Run README's Python as a notebook would, with `await` at the top."""
    (block,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    source = block.replace("http://127.0.0.1:8080", registry.url)
    code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {}
    coroutine = eval(code, names)  # noqa: S307  # our own README
    assert inspect.iscoroutine(coroutine)
    asyncio.run(coroutine)
