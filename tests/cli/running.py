"""Running the command line as people and programs do: a process with arguments, output and an exit status."""

import os
import subprocess
import sys
from pathlib import Path

VERB_TIMEOUT_S = 120.0


def environment(**given: str) -> dict[str, str]:
    """Give this process's environment without settings of a registry, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MUNIMENT_")}
    cache = os.environ.get("MUNIMENT_CACHE")
    return kept | ({"MUNIMENT_CACHE": cache} if cache else {}) | given


def command(*arguments: str) -> list[str]:
    """Give the command of a call."""
    return [sys.executable, "-P", "-m", "muniment", *arguments]


def muniment(
    *arguments: str, cwd: Path | None = None, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run one verb to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        input=stdin,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=VERB_TIMEOUT_S,
        check=False,
    )
