"""The broker's jars: fetched once into a cache by jgo, checked against the pinned list, shared by every data directory.

`python -m muniment.stack.jars` fetches what is missing and prints the directory. `--lock` resolves the pinned
coordinates anew and prints the list that belongs into `broker_jars.txt`.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from muniment.stack.errors import StackError, StackFault
from muniment.stack.versions import KAFKA_COORDINATES, KAFKA_LOGGING_COORDINATE, KAFKA_VERSION

PINNED_LIST: Final = Path(__file__).with_name("broker_jars.txt")
fetch_timeout_s: Final = 30
fetch_attempts: Final = 3
fetches_at_once: Final = 4
progress_interval_s: Final = 3.0


@dataclass(frozen=True)
class Jar:
    """Names one jar by its Maven coordinate, the SHA-256 of its bytes, and its size in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """The name of the jar's file in the cache."""
        return f"{self.artifact}-{self.version}.jar"


def pinned_jars() -> list[Jar]:
    """Reads the pinned list: one jar a line."""
    lines = PINNED_LIST.read_text(encoding="ascii").splitlines()
    parts = (line.split() for line in lines if not line.startswith("#"))
    return [Jar(group, artifact, version, sha256, int(size)) for group, artifact, version, sha256, size in parts]


def cache_directory() -> Path:
    """Returns where fetched files are kept: `MUNIMENT_CACHE`, or the user's cache directory."""
    if chosen := os.environ.get("MUNIMENT_CACHE"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "muniment"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "muniment"


def jar_directory() -> Path:
    """Returns the directory of the pinned jars; a change of the list is another directory."""
    fingerprint = hashlib.sha256(PINNED_LIST.read_bytes()).hexdigest()[:12]
    return cache_directory() / f"kafka-{KAFKA_VERSION}-{fingerprint}"


def missing_jars() -> list[Jar]:
    """Lists the pinned jars that the cache lacks or holds damaged; hashing all 44 MB takes a tenth of a second."""
    directory = jar_directory()
    return [jar for jar in pinned_jars() if not _is_whole(directory / jar.file_name, jar)]


def _is_whole(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


class Progress:
    """Shows how much of a fetch is done: a line rewritten in place on a terminal, else a plain line now and then."""

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._done = 0
        self._shown = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Counts bytes that arrived."""
        with self._lock:
            self._done = min(self._done + count, self._total)
            finished = self._done == self._total
            if finished or time.monotonic() - self._shown >= (0.1 if self._terminal else progress_interval_s):
                self._shown = time.monotonic()
                text = f"fetching Apache Kafka {KAFKA_VERSION}: {self._done / 1e6:.1f} of {self._total / 1e6:.1f} MB"
                end = "\r" if self._terminal and not finished else "\n"
                print(text, end=end, file=sys.stderr, flush=True)

    @contextmanager
    def watch(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        """Gives jgo what to call for every chunk."""
        yield self.add


def fetch() -> Path:
    """Fetches what the cache lacks and returns the directory of the jars; raises StackError `fetch_failed`.

    Safe when several processes fetch at once, and after one was killed: a jar is moved to its name only when whole.
    """
    try:
        if missing_jars():
            with _one_at_a_time():
                _fetch(missing_jars())
    except OSError as error:
        raise StackError(
            StackFault.FETCH_FAILED,
            f"the cache {cache_directory()} cannot be used ({error.strerror or error}); set MUNIMENT_CACHE",
        ) from error
    return jar_directory()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    cache_directory().mkdir(parents=True, exist_ok=True)
    with (cache_directory() / "fetch.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another process that is fetching Apache Kafka", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(jars: list[Jar]) -> None:
    if not jars:
        return
    jar_directory().mkdir(parents=True, exist_ok=True)
    progress = Progress(sum(jar.size for jar in jars))
    logging.getLogger("jgo").setLevel(logging.ERROR)
    with ThreadPoolExecutor(fetches_at_once) as pool:
        waiting = [pool.submit(_fetch_jar, jar, progress) for jar in jars]
        try:
            for done in as_completed(waiting):
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    shutil.rmtree(jar_directory() / "drafts", ignore_errors=True)


def _fetch_jar(jar: Jar, progress: Progress) -> None:
    """Fetches one jar beside its place, checks its hash, and moves it there."""
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - loads an HTTP client that only a fetch needs

    drafts = jar_directory() / "drafts"
    context = MavenContext(
        resolver=PythonResolver(progress_callback=progress.watch), repo_cache=drafts, timeout=fetch_timeout_s
    )
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    reason = "no answer"
    for attempt in range(fetch_attempts):
        if (leftover := artifact.cached_path) is not None:
            leftover.unlink(missing_ok=True)  # what a killed fetch left is taken for whole by jgo
        try:
            draft = artifact.resolve()
        except Exception as error:  # noqa: BLE001 - jgo raises what its HTTP client and it itself think fit
            reason = str(error).partition("(")[0].strip() or type(error).__name__
        else:
            if _is_whole(draft, jar):
                draft.replace(jar_directory() / jar.file_name)
                return
            reason = "its SHA-256 is not the pinned one"
        time.sleep(attempt)
    raise StackError(StackFault.FETCH_FAILED, f"{jar.file_name} could not be fetched: {reason}")


def resolve_anew() -> list[Jar]:
    """Resolves the pinned coordinates with all they need and returns the jars, hashed."""
    from jgo.maven import MavenContext  # noqa: PLC0415 - as above

    context = MavenContext(repo_cache=cache_directory() / "resolving", timeout=fetch_timeout_s)
    named, needed = context.resolver.resolve([context.create_dependency(each) for each in KAFKA_COORDINATES])
    wanted = [each for each in (*named, *needed) if each.scope not in ("test", "provided")]
    artifacts = [each.artifact for each in (*wanted, context.create_dependency(KAFKA_LOGGING_COORDINATE))]
    return sorted(
        (
            Jar(each.groupId, each.artifactId, each.version, hashlib.sha256(content).hexdigest(), len(content))
            for each in artifacts
            for content in [each.resolve().read_bytes()]
        ),
        key=lambda jar: (jar.group, jar.artifact),
    )


def main(arguments: list[str]) -> int:
    """Fetches the jars, or with `--lock` prints a new pinned list; returns the exit status."""
    if arguments == ["--lock"]:
        print("# Made by python -m muniment.stack.jars --lock: group, artifact, version, SHA-256, bytes.")
        for jar in resolve_anew():
            print(jar.group, jar.artifact, jar.version, jar.sha256, jar.size)
        return 0
    try:
        print(fetch())
    except StackError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
