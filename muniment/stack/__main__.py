"""`python -m muniment.stack DIR`: a broker and PostgreSQL in the foreground, and one JSON line when both are ready."""

import argparse
import asyncio
import sys
from pathlib import Path

from muniment.stack.embedded import Settings, print_services, run
from muniment.stack.errors import StackError


def main() -> int:
    """Runs broker and PostgreSQL until a signal; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m muniment.stack", description=__doc__)
    parser.add_argument("directory", type=Path, help="the data directory, made if absent")
    directory: Path = parser.parse_args().directory
    try:
        asyncio.run(run(Settings.from_environment(directory), on_ready=print_services))
    except StackError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
