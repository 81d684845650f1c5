"""What lies on the feed's queue: webhooks as they came, pages of a backfill, and the feed's own playlists.

A message's key says which: ``hook/`` and the webhook's idempotency key, ``backfill``, or ``playlist``.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from domain.json_value import JsonObject, JsonValue
from log import strict_json
from log.message import Message
from log.token import InvalidToken, read_token
from projections.feed import FROM_QUEUE, Playlist, Star, is_followed, reason_of

HOOK: Final = "hook/"
BACKFILL: Final = "backfill"
PLAYLIST: Final = "playlist"
STATUSES: Final = ("active", "quarantined", "revoked", "expired")
KEY_MAX: Final = 255
"""An idempotency key is 1 to 255 printable ASCII characters."""
TEXT_MAX: Final = 512
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Heard: TypeAlias = (
    tuple[Literal["star"], Star] | tuple[Literal["playlist"], Playlist] | tuple[Literal["highwater"], str]
)
"""What a message says, of one thing."""


class InvalidMessage(ValueError):
    """A message that says nothing the feed knows; ``pointer`` names the member (RFC 6901)."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or 'the body'}: {detail}")
        self.pointer, self.detail = pointer, detail


def is_idempotency_key(text: str) -> bool:
    """Tell whether a webhook's idempotency key is one."""
    return 0 < len(text) <= KEY_MAX and text.isascii() and text.isprintable()


def _text(given: Mapping[str, JsonValue], name: str, at: str = "", limit: int = TEXT_MAX) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise InvalidMessage(f"{at}/{name}", f"must be text of 1 to {limit} characters")
    if any(character < " " or "\x7f" <= character <= "\x9f" for character in value):
        raise InvalidMessage(f"{at}/{name}", "must have no control characters")
    return value


def _time(given: Mapping[str, JsonValue], name: str, at: str = "") -> int:
    text = _text(given, name, at, 64)
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        moment = datetime.min  # noqa: DTZ901  # has no zone, which is refused below
    if moment.tzinfo is None or "T" not in text.upper():
        raise InvalidMessage(f"{at}/{name}", "must be a time as RFC 3339 writes it")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def read_hook(body: JsonValue, at: str = "") -> tuple[Mapping[str, JsonValue], int, str]:
    """Check a webhook's body and give it with the offset and the text of its position. Raises InvalidMessage."""
    if not isinstance(body, dict):
        raise InvalidMessage(at, "must be an object")
    for name in ("id", "kind", "issuer_did"):
        _text(body, name, at)
    subject = body.get("subject")
    if not isinstance(subject, dict):
        raise InvalidMessage(f"{at}/subject", "must be an object")
    for name in ("origin", "type", "ref"):
        _text(subject, name, f"{at}/subject")
    if body.get("status") not in STATUSES:
        raise InvalidMessage(f"{at}/status", f"must be one of {', '.join(STATUSES)}")
    _time(body, "issued_at", at)
    position = _text(body, "position", at)
    try:
        offsets = list(read_token(position).values())
    except InvalidToken as error:
        raise InvalidMessage(f"{at}/position", str(error)) from None
    if len(offsets) != 1:
        raise InvalidMessage(f"{at}/position", "must be one position")
    return body, offsets[0], position


def _star(item: JsonValue, origin: str, *, complete: bool) -> Star | None:
    body, offset, position = read_hook(item)
    subject: Any = body["subject"]
    if not is_followed(str(body["kind"]), subject["origin"], subject["type"], origin):
        return None
    return Star(
        FROM_QUEUE,
        offset,
        body["status"] == "active" and body.get("key_compromised") is not True,
        subject["ref"],
        str(body["id"]),
        str(body["issuer_did"]),
        _time(body, "issued_at"),
        reason_of(body) if complete else None,
        complete,
        position,
    )


def _page(body: JsonValue, origin: str) -> Iterator[Heard]:
    if not isinstance(body, dict) or not isinstance(items := body.get("items"), list):
        raise InvalidMessage("/items", "must be a list")
    for item in items:
        try:
            star = _star(item, origin, complete=True)
        except InvalidMessage:
            continue
        if star is not None:
            yield "star", star
    yield "highwater", _text(body, "next_cursor", limit=1 << 16)


def _playlist(body: JsonValue, offset: int) -> Playlist:
    if not isinstance(body, dict):
        raise InvalidMessage("", "must be an object")
    created, items = body.get("created"), body.get("items")
    if not isinstance(created, int) or not isinstance(items, list):
        raise InvalidMessage("", "must have created in ms and a list of items")
    text = strict_json.dump(items).decode()
    playlist_id, slug, posted_by = (_text(body, name) for name in ("id", "slug", "posted_by"))
    title = body.get("title")
    if not isinstance(title, str):
        raise InvalidMessage("/title", "must be text")
    return Playlist(FROM_QUEUE, offset, playlist_id, slug, title, created, text, posted_by)


def playlist_message(
    *, playlist_id: str, slug: str, title: str, created: int, items: list[JsonObject], posted_by: str
) -> tuple[bytes, bytes]:
    """Write a playlist as a message of the queue; ``created`` in ms."""
    body = {"id": playlist_id, "slug": slug, "title": title, "created": created, "items": items, "posted_by": posted_by}
    return PLAYLIST.encode(), strict_json.dump(body)


def hook_message(idempotency_key: str, body: bytes) -> tuple[bytes, bytes]:
    """Write a webhook as a message of the queue, byte for byte as it came."""
    return (HOOK + idempotency_key).encode(), body


def hook_key(message: Message) -> str | None:
    """Give the idempotency key of a message that is a webhook."""
    key = (message.key or b"").decode(errors="replace")
    return key[len(HOOK) :] if key.startswith(HOOK) else None


def heard(message: Message, origin: str) -> list[Heard]:
    """Read what a message says that concerns the feed. Raises InvalidMessage for one that no writer of ours made."""
    key = (message.key or b"").decode(errors="replace")
    try:
        body = strict_json.parse(message.value)
    except strict_json.MalformedJson as error:
        raise InvalidMessage("", error.detail) from None
    if key.startswith(HOOK):
        star = _star(body, origin, complete=False)
        return [] if star is None else [("star", star)]
    if key == BACKFILL:
        return list(_page(body, origin))
    if key == PLAYLIST:
        return [("playlist", _playlist(body, message.offset))]
    raise InvalidMessage("", "has a key that names nothing")
