"""Where a client sends files to: where the registry says, as long as that is a place that it may name."""

from collections.abc import Iterable, Mapping
from typing import Final

from yarl import URL

from muniment.client.record_shapes import Upload
from muniment.client.refusals import UnexpectedAnswer

METHODS: Final = frozenset({"PUT", "POST"})
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "trailer"})
"""Headers that say how a request is cut, and to whom it goes: no answer has a say in them."""


def target_of(upload: Upload, registry: str, further: Iterable[str] = ()) -> URL:
    """Give the URL to send a file to; raises UnexpectedAnswer for one that a file doesn't go to.

    A registry names its own origin, one that is spoken to by https, or one of ``further``: else a registry that lies,
    or whoever alters its answers, could have a file sent to a service of the caller's own network, or in clear over
    someone else's. The session never goes along, and no redirect is followed.
    """
    text = upload.url
    if upload.method not in METHODS:
        raise UnexpectedAnswer("an upload by a method that sends no file")
    if not all("!" <= each <= "~" for each in text):
        raise UnexpectedAnswer("an upload to what is no URL")
    try:
        # As it was written: a signed URL holds for exactly these characters.
        url = URL(text, encoded=True)
        origin, sound = url.origin(), url.user is None and url.password is None and url.host is not None
    except ValueError:
        raise UnexpectedAnswer("an upload to what is no URL") from None
    known = {URL(each).origin() for each in (registry, *further)}
    may = url.scheme == "https" or origin in known or any(_same_machine(origin, each) for each in known)
    if not may or not sound:
        raise UnexpectedAnswer(f"an upload to {origin}, which is neither the registry's origin nor reached by https")
    return url


def _same_machine(origin: URL, known: URL) -> bool:
    """Tell whether both are this machine's by different names, as 127.0.0.1 and localhost."""
    names = {origin.host, known.host}
    return names <= LOOPBACK and (origin.scheme, origin.port) == (known.scheme, known.port)


def headers_of(upload: Upload, size: int) -> Mapping[str, str]:
    """Give the headers of an upload of so many bytes; raises UnexpectedAnswer for those that an answer can't set."""
    for name, value in upload.headers.items():
        if name.lower() in OURS or not value.isprintable() or not name.isascii() or not name:
            raise UnexpectedAnswer("an upload with a header that an answer can't set")
    return {**upload.headers, "Content-Length": str(size)}
