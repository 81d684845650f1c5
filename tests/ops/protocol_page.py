"""Writes the fingerprints of the protocol's page, `schemas/avro/README.md`, from the schemas that lie beside it.

`python -m tests.ops.protocol_page` writes them, after `make schemas`; a test fails while they differ.
"""

import json
import re

from log import released
from log.avro import fingerprint

PAGE = released.FOLDER / "README.md"
BLOCK = re.compile(r'(?<= "fingerprints": )\{.*?\}', re.DOTALL)


def with_fingerprints(text: str) -> str:
    """Give the page with the fingerprint of every schema there is."""
    held = {path.name: fingerprint(released.load(path)).hex() for path in sorted(released.FOLDER.glob("*.avsc"))}
    block = json.dumps(held, indent=2)[:-1] + " }"
    written, found = BLOCK.subn(lambda _: block, text)
    if found != 1:
        raise ValueError(f"{PAGE.name} has {found} blocks of fingerprints, not one")
    return written


if __name__ == "__main__":
    PAGE.write_text(with_fingerprints(PAGE.read_text()))
