"""Which of several media types a request would have (RFC 9110 section 12.5.1)."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # a token of HTTP's grammar
RANGE: Final = re.compile(rf"(\*|{TOKEN})/(\*|{TOKEN})")
QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class MediaRange(NamedTuple):
    """What a request accepts: a type, a type's subtypes or anything, as much as ``quality`` says; 0 is not at all."""

    main: str
    sub: str
    quality: float

    @property
    def specificity(self) -> int:
        """Say how closely it names a type."""
        return (self.main != "*") + (self.sub != "*")

    def takes(self, media_type: str) -> bool:
        """Tell whether a type is one of its."""
        main, _, sub = media_type.partition("/")
        return self.main in {"*", main} and self.sub in {"*", sub}


def preferred(accept: str | None, offered: Sequence[str]) -> str | None:
    """Give the offered media type that a request would have, of equal ones that which it names, then the first.

    Nothing where it takes none of them. A header that says nothing that can be read accepts anything.
    """
    ranges = list(_ranges(accept or ""))
    if not ranges:
        return offered[0]
    best, found = (0.0, 0), None
    for media_type in offered:
        taking = [each for each in ranges if each.takes(media_type)]
        closest = max(taking, key=lambda each: (each.specificity, each.quality), default=None)
        if closest is not None and closest.quality > 0 and (closest.quality, closest.specificity) > best:
            best, found = (closest.quality, closest.specificity), media_type
    return found


def _ranges(accept: str) -> Iterator[MediaRange]:
    """Give what can be read of a header; parameters of types are passed over."""
    for element in _split(accept, ","):
        name, *parameters = (part.strip() for part in _split(element, ";"))
        found = RANGE.fullmatch(name.lower())
        if found is None or (found[1] == "*" and found[2] != "*"):
            continue
        said = dict(part.split("=", 1) for part in parameters if "=" in part)
        quality = {key.strip().lower(): value.strip() for key, value in said.items()}.get("q", "1")
        if QUALITY.fullmatch(quality):
            yield MediaRange(found[1], found[2], float(quality))


def _split(text: str, separator: str) -> Iterator[str]:
    """Split text at what stands outside of quoted strings, in time that grows with its length alone."""
    begun, quoted, escaped = 0, False, False
    for index, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter == separator and not quoted:
            yield text[begun:index]
            begun = index + 1
    yield text[begun:]
