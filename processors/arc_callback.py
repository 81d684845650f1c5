"""What ARC says at the callback URL: that a transaction went on, which makes the observer look sooner and no more."""

import hmac
from typing import Final, NamedTuple

from log import strict_json
from processors.arc_chain import STATUSES

MAX_CALLBACK_BYTES: Final = 256 << 10
_scheme: Final = "Bearer "
_txid_digits: Final = frozenset("0123456789abcdef")


class CallbackRefused(Exception):
    """Whoever called does not show the token."""


class InvalidCallback(ValueError):
    """What was said at the callback URL is nothing that ARC says."""


class Hint(NamedTuple):
    """A transaction that ARC says went on, and its status there: nothing of it is certain until the chain is asked."""

    txid: str
    status: str


def read_callback(authorization: str | None, body: bytes, token: str) -> Hint:
    """Read a callback by its header Authorization, in time that tells nothing of the token, and its body.

    Raises CallbackRefused first, InvalidCallback.
    """
    shown = (authorization or "").encode("utf-8", "surrogateescape")
    if not token or not hmac.compare_digest(shown, (_scheme + token).encode()):
        raise CallbackRefused("the callback does not show the token")
    if len(body) > MAX_CALLBACK_BYTES:
        raise InvalidCallback("the callback is too long")
    try:
        said = strict_json.parse(body)
    except strict_json.MalformedJson:
        said = None
    txid, status = (said.get("txid"), said.get("txStatus")) if isinstance(said, dict) else (None, None)
    if not isinstance(txid, str) or len(txid) != 64 or not set(txid) <= _txid_digits:
        raise InvalidCallback("the callback names no transaction")
    if not isinstance(status, str) or status not in STATUSES:
        raise InvalidCallback("the callback names no status")
    return Hint(txid, status)
