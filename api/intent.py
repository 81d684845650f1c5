"""What a write intends: a command before it has an id, and the outcome that its decision gives."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from api.caller import Caller
from api.problems import ProblemError
from domain.catalog import BY_CLASS
from domain.json_value import JsonValue
from log.canonical import canonical_json
from log.following import Decided
from log.message import Signature
from log.scope import command_id

KEY_FORM = re.compile(r"[\x20-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Intent:
    """A command to be: ``key`` is its partition key, ``id`` its scope and its request.

    ``fact_id`` is set where the same fact again is not an error but that fact.
    """

    id: str
    key: str
    actor: str
    payload: Any
    request_hash: bytes
    idempotency_key: str | None
    signature: Signature | None
    fact_id: str | None = None

    @property
    def context(self) -> str:
        """Name the context that decides it."""
        return BY_CLASS[type(self.payload)].context


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an intent: its decision, or the fact that was there already; ``hit`` where it was asked before."""

    decided: Decided | None
    hit: bool
    fact_id: str | None = None


def idempotency_key(request: web.Request) -> str | None:
    """Read the idempotency key of a request; raises ``invalid_request``."""
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if len(keys) > 1 or KEY_FORM.fullmatch(keys[0]) is None:
        raise ProblemError("invalid_request", "Idempotency-Key is one header of 1 to 255 printable ASCII characters")
    return keys[0]


def request_hash(route: str, path: dict[str, str], body: JsonValue) -> bytes:
    """Give the SHA-256 of what is asked: the route, the parts of its path, and the body as sent."""
    return hashlib.sha256(canonical_json({"route": route, "path": path, "body": body})).digest()


def signed_hash(route: str, path: dict[str, str], signed_bytes: bytes) -> bytes:
    """Give the SHA-256 of what is asked where it is signed: a second signature over the same bytes asks the same."""
    return hashlib.sha256(canonical_json({"route": route, "path": path}) + b"\x00" + signed_bytes).digest()


def session_intent(
    caller: Caller, asked_hash: bytes, given_key: str | None, key: str, payload: Any, *, named: str | None = None
) -> Intent:
    """Make the intent of a write that a session authorises, with the signature that opened the session.

    ``named`` is the command's id where the payload was named after it.
    """
    name = named or command_id(caller.identity, asked_hash, idempotency_key=given_key)
    return Intent(name, key, caller.identity, payload, asked_hash, given_key, caller.proof)
