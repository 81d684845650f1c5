"""Runs the console blocks of README on a new registry, and writes or compares what they print.

`python -m tests.end_to_end.readme` writes what was really printed into README.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.end_to_end.registry import Registry, environment, free_port, running

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
COMMAND_TIMEOUT_S = 300
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
VOLATILE = (
    (re.compile(r"did:key:z[1-9A-HJ-NP-Za-km-z]+|did:mun:[a-z2-7]+"), "DID"),
    (re.compile(r"mun://DID/([a-z.]+)/[0-9a-v]+"), r"mun://DID/\1/RKEY"),
    (re.compile(r"sha256-[A-Za-z0-9_-]{43}"), "HASH"),
    (re.compile(r"the DID has no key \S+"), "the DID has no key ID"),
    (re.compile(r"(fct|wh|cmd|req|acc|agt|trf|pay|stk|prp|med|job|bat)_[a-z0-9]+"), r"\1_ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\b0[23][0-9a-f]{64}\b"), "PUBKEY"),
    (re.compile(r"\b[0-9a-f]{64}(:\d+)?\b"), "HEX"),
    (re.compile(r"\bheight \d+"), "height N"),
    (re.compile(r"whsec_[A-Za-z0-9+/=]+"), "SECRET"),
    (re.compile(r"(facts|identity|ledger|records|publishing)/\d+/\d+"), "POSITION"),
    (re.compile(r"\b[\d.]+ s\b"), "SECONDS"),
    (re.compile(r'"(position|signature|body_hash|request_id|next_cursor)":\s*"[^"]*"'), r'"\1": "…"'),
    (re.compile(r"sha256=\S+"), "HMAC"),
    (re.compile(r"request_id [0-9a-f]+"), "request_id ID"),
    (re.compile(r"─+"), "─"),
    (re.compile(r" +"), " "),
    # A block may come before the chain is asked for what it was sent, and another before a job is.
    (re.compile(r"^TIME The chain was seen .*\n", re.MULTILINE), ""),
    (re.compile(r"^confirmations \d+", re.MULTILINE), "confirmations N"),
    # How many partitions and deliveries there were by then differs.
    (re.compile(r"^position .*\n", re.MULTILINE), ""),
    (re.compile(r"^((?:decisions|signatures|projection \w+:) )\d+", re.MULTILINE), r"\1N"),
    # What the clock asks comes when it comes: a payment that expires, the hour's velocity, the pool's first split.
    (re.compile(r"^(rows|records) \d+", re.MULTILINE), r"\1 N"),
)


def steps(readme: str) -> Iterator[tuple[str, str]]:
    """Give each command of the console blocks with what README says that it prints."""
    for block in BLOCK.findall(readme):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            while command.endswith("\\"):
                more, _, printed = printed.partition("\n")
                command += "\n" + more
            yield command, printed


def masked(text: str) -> str:
    """Hide what differs from one run to the next: ids, times, keys, widths of columns."""
    for pattern, instead in VOLATILE:
        text = pattern.sub(instead, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def play(registry: Registry, folder: Path, readme: str) -> Iterator[tuple[str, str, str]]:
    """Run each command in its turn; gives it, what README says, and what it printed."""
    hook = str(free_port())
    env = environment() | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MUNIMENT_DATA": str(registry.data),
        "COLUMNS": "120",
        "TZ": "UTC",
    }
    groups = []
    try:
        for command, said in steps(readme):
            real = command.replace("http://127.0.0.1:8080", registry.url).replace("9000", hook)
            running_command = subprocess.Popen(
                ["bash", "-c", real],
                cwd=folder,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            groups.append(running_command.pid)
            printed, _ = running_command.communicate(timeout=COMMAND_TIMEOUT_S)
            yield command, said, as_readme_has_it(printed, registry.url, hook, folder)
    finally:
        for group in groups:
            # What a command left in the background, the receiver for one, ends with the story.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGTERM)


def as_readme_has_it(printed: str, registry_url: str, hook_port: str, folder: Path) -> str:
    """Put README's addresses and folder in place of this run's."""
    # Its whole address: a transaction's id may have the digits of the port in it.
    printed = printed.replace(registry_url, "http://127.0.0.1:8080")
    printed = printed.replace(f"http://127.0.0.1:{hook_port}", "http://127.0.0.1:9000")
    return printed.replace(str(folder), ".")


def write() -> None:
    """Put what is really printed into README."""
    with tempfile.TemporaryDirectory() as parent, running(Path(parent) / ".muniment") as registry:
        played = list(play(registry, Path(parent), README.read_text()))
    # The story takes minutes: what was written into README meanwhile stays.
    readme = README.read_text()
    for command, said, printed in played:
        readme = readme.replace(
            f"$ {command}\n{said}", f"$ {command}\n{printed.rstrip()}\n" if printed.strip() else f"$ {command}\n", 1
        )
    README.write_text(readme)


if __name__ == "__main__":
    write()
