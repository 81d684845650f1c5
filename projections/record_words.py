"""What can be found of a value: the DID that it is about, and the text that it says, as columns beside it.

Every record is treated alike, whatever its collection, so that which collections are posts, follows and profiles is
only asked when somebody reads.
"""

from collections.abc import Mapping
from typing import Any, Final

from domain.did import identity
from log import strict_json

SUBJECT_MAX: Final = 512
SAID_MAX: Final = 10_000
"""How many characters of a record are searched, from its start."""
SAYING: Final = ("text", "display_name", "description")
"""The members of a value that people read."""
PLAIN: Final = "simple"
"""How words are taken where no language is named: as they are, in lower case."""
LANGUAGES: Final[Mapping[str, str]] = {"en": "english", "de": "german", "fr": "french", "es": "spanish"}
"""By the code of a language, what Postgres calls its words' stems."""
WORDS: Final = " || ".join(f"to_tsvector('{name}', said)" for name in (PLAIN, *LANGUAGES.values()))
"""Every word of ``said`` as it is and by its stem in each language: one index for all of them, which finds too much;
what it finds is asked again in the one language."""
SPANS: Final = range(12, 33, 4)
"""How long the spans of time are under which a record lies in the index of words, as powers of two of a millisecond.

By them the index gives those of a word's records that are of a while, so that nobody fetches the rest to see how old
they are. A span's name is a hash of its collection with its number: what it finds is held against both.
"""
LIES_IN: Final = "ARRAY[" + ", ".join(f"hashtextextended(collection, {s}) # (indexed_at >> {s})" for s in SPANS) + "]"
"""The names of the spans that a record lies in."""


def about(text: str | None) -> tuple[str | None, str | None]:
    """Give of a value's RFC 8785 text the DID that it is about and what it says, each nothing where there is none."""
    value = None if text is None else strict_json.parse_own(text)
    if not isinstance(value, dict):
        return None, None
    return _subject(value.get("subject")), _said([value.get(name) for name in SAYING])


def _subject(member: Any) -> str | None:
    if not isinstance(member, str) or not member.startswith("did:") or len(member) > SUBJECT_MAX or "\0" in member:
        return None
    return identity(member)


def _said(members: list[Any]) -> str | None:
    said = "\n".join(member for member in members if isinstance(member, str))[:SAID_MAX]
    # Postgres's text can't hold the character NUL.
    return said.replace("\0", "\ufffd") or None
