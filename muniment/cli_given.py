"""What a verb is given as a file or as standard input."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from log import strict_json
from muniment.cli_outcome import Failure

STDIN: Final = "-"
MAX_FILE_BYTES: Final = 64 << 20


def json_value(text: str) -> Any:
    """Read an argument that is JSON, ``@FILE`` for a file that holds it, or ``-`` for standard input."""
    try:
        if text == STDIN:
            content = sys.stdin.buffer.read(MAX_FILE_BYTES)
        else:
            content = Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()
        return strict_json.parse(content)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text[1:]}: {error.strerror}") from None
    except strict_json.MalformedJson as error:
        raise argparse.ArgumentTypeError(f"not strict JSON: {error.detail}") from None


def json_argument(text: str) -> Mapping[str, Any]:
    """Read an argument that is a JSON object, ``@FILE`` for a file that holds one, or ``-`` for standard input."""
    found = json_value(text)
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError("a JSON object is wanted")
    return found


def file_argument(text: str) -> Mapping[str, Any]:
    """Read a file that holds a JSON object, ``-`` for standard input."""
    return json_argument(text if text == STDIN else f"@{text}")


def opened(path: str) -> BinaryIO:
    """Open a file to read, ``-`` for standard input; raises Failure."""
    if path == STDIN:
        return sys.stdin.buffer
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise Failure("unreadable_file", f"{path}: {error.strerror}") from None


def json_lines(file: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Give each line's number and JSON object, blank lines left out; raises Failure at one that is none."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            found = strict_json.parse(line)
        except strict_json.MalformedJson as error:
            raise Failure("malformed_json", f"line {number}: {error.detail}") from None
        if not isinstance(found, dict):
            raise Failure("malformed_json", f"line {number}: not an object")
        yield number, found


def secret_in(path: Path | None) -> str | None:
    """Read a secret from a file, never from a flag that others could see; raises Failure."""
    if path is None:
        return None
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise Failure("unreadable_file", f"{path} can't be read as a secret") from None
