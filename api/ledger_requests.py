"""What the ledger's writes have in common: amounts, ids, whose account it is, and mandates that an owner signed."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field

from api.freshness import RETRY_AFTER_S
from api.intent import Intent, idempotency_key, request_hash, session_intent, signed_hash
from api.problems import ProblemError, invalid
from api.registered_keys import RegisteredKey, is_registered, key_named
from api.route import Asked
from api.shapes import Form, Maybe, Shape, Text
from api.times import is_time, read_time
from domain.did import identity
from domain.json_value import JsonObject
from domain.ledger.account import Account, Mandate, account
from domain.ledger.posting import MAX_AMOUNT
from domain.ledger.registry import Registry, registry
from log import statements
from log.canonical import NotCanonicalizable
from log.checking import Signed
from log.dids import parse_did
from log.log import LogUnavailable
from log.message import Signature
from log.scope import command_id
from projections.mirror import Mirror, caught_up

LEDGER: Final = "ledger"
ID_FORM: Final = re.compile(r"[a-z0-9_-]{1,128}")
UNKNOWN_WAIT_S: Final = 1.0
"""How long what isn't here yet is waited for: another process may have just decided it."""
WRITES: Final = ("unauthenticated", "idempotency_conflict", "log_unavailable", "outcome_unknown")
MANDATED: Final = (
    *WRITES,
    "invalid_signature",
    "unknown_account",
    "not_the_owner",
    "deadline_passed",
    "nonce_used",
    "account_frozen",
    "insufficient_funds",
)

NAME: Final = Form(
    r"^[a-z0-9][a-z0-9-]{0,62}$", "1 to 63 lower-case letters, digits and hyphens, beginning with a letter or a digit"
)
ACCOUNT_ID: Final = Form(r"^acc_[a-z2-7]{26}$", "an account's id: acc_ and 26 lower-case letters and digits 2 to 7")
AMOUNT: Final = Form(r"^[0-9]{1,19}$", "an amount of micro-AVT: 1 to 19 digits")
NONCE: Final = Form(r"^[\x20-\x7e]{16,64}$", "16 to 64 printable ASCII characters")
Name: TypeAlias = Annotated[str, NAME]
AccountId: TypeAlias = Annotated[str, ACCOUNT_ID]
AmountText: TypeAlias = Annotated[str, AMOUNT]
Nonce: TypeAlias = Annotated[str, NONCE]
Moment: TypeAlias = Annotated[str, Field(min_length=20, max_length=40)]
MandateSignature: TypeAlias = Annotated[str, Field(min_length=1, max_length=1024)]


class MandateRequest(Shape):
    """What every order of an owner has beside what it orders."""

    nonce: Nonce
    deadline: Moment
    key_id: Maybe[Text] = None
    signature: MandateSignature


def amount_of(text: str, pointer: str = "/amount") -> int:
    """Read micro-AVT; raises ``invalid_request``."""
    amount = int(text)
    if amount > MAX_AMOUNT:
        raise invalid(pointer, f"an amount is at most {MAX_AMOUNT}")
    return amount


def moment_of(text: str, pointer: str) -> int:
    """Read a time in ms; raises ``invalid_request``."""
    if not is_time(text):
        raise invalid(pointer, "a time is RFC 3339 in UTC")
    return read_time(text)


def named(asked: Asked) -> str:
    """Give the id that a path names; raises ``not_found`` for text that no id is."""
    name = asked.path("id")
    if ID_FORM.fullmatch(name) is None:
        raise ProblemError("not_found", "there is nothing of this id")
    return name


async def known_account(asked: Asked, name: str) -> Account:
    """Find an account, waiting for what the log has by now; raises ``unknown_account``."""
    store = asked.api.mirror
    for _ in range(2):
        known = account(store.store, name)  # type: ignore[arg-type]  # only asked by key
        if known is not None:
            return known
        await _catch_up(asked)
    raise ProblemError("unknown_account", "there is no account of this id", members={"account": name})


async def known_registry(asked: Asked, name: str) -> Registry:
    """Find a registry, waiting for what the log has by now; raises ``not_found``."""
    for _ in range(2):
        known = registry(asked.api.mirror.store, name)  # type: ignore[arg-type]  # only asked by key
        if known is not None:
            return known
        await _catch_up(asked)
    raise ProblemError("not_found", "there is no registry of this id")


async def known_entry(asked: Asked, key: str) -> tuple[Any, ...]:
    """Find an entry of the ledger's fold, waiting for what the log has by now; raises ``not_found``."""
    for _ in range(2):
        known = asked.api.mirror.get(key)
        if known is not None:
            return known
        await _catch_up(asked)
    raise ProblemError("not_found")


async def _catch_up(asked: Asked) -> None:
    try:
        reached = await caught_up(asked.api.log, LEDGER, asked.api.mirror, UNKNOWN_WAIT_S)
    except LogUnavailable:
        raise ProblemError("log_unavailable", headers={"Retry-After": "1"}) from None
    if not reached:
        raise ProblemError("not_caught_up", headers={"Retry-After": str(RETRY_AFTER_S)})


@dataclass(frozen=True, slots=True)
class Order:
    """Something that an owner signed, before its signature is checked: ``payload`` is the command.

    ``key`` is a registered owner's, and ``problem`` why none was found.
    """

    what: str
    owner: str
    id: str
    frame_id: str
    signed_bytes: bytes
    signature: str
    payload: Any
    key: RegisteredKey | None = None
    problem: ProblemError | None = None

    def keyed(self, mirror: Mirror) -> "Order":
        """Look up the key that a registered owner's mandate names."""
        key_id = self.payload.mandate.key_id
        if key_id is not None and not is_registered(self.owner):
            return replace(self, problem=invalid("/key_id", "only a registered DID names the key that signed"))
        try:
            return replace(self, key=key_named(mirror, self.owner, key_id))
        except ProblemError as problem:
            return replace(self, problem=problem)

    @property
    def signed(self) -> Signed:
        """Give what is to be checked."""
        carried = self.carried
        return Signed(carried.alg, self.owner, self.signed_bytes.decode(), self.signature, carried.public_key)

    @property
    def carried(self) -> Signature:
        """Give the signature as the command carries it."""
        if self.key is not None:
            return self.key.signature(self.owner, self.payload.mandate.key_id, self.signed_bytes, self.signature)
        return Signature(own_algorithm(self.owner), self.owner, None, self.signed_bytes, self.signature)


@lru_cache(maxsize=16_384)
def own_algorithm(did: str) -> str:
    """Name the algorithm by which a DID signs that says its key itself."""
    key = parse_did(did).key
    return "eip191" if key is None else key.type


def signed_bytes_of(what: str, sent: JsonObject) -> bytes:
    """Give the bytes that the owner signed: all members that were sent but the signature, and the type."""
    members = {name: value for name, value in sent.items() if name != "signature"}
    try:
        return statements.mandate_signed_bytes(what, members)
    except NotCanonicalizable as error:
        raise invalid("", str(error)) from None


def mandate_of(request: MandateRequest, owner: str) -> Mandate:
    """Make the mandate of a request."""
    return Mandate(owner, request.nonce, moment_of(request.deadline, "/deadline"), request.key_id)


def check_order(asked: Asked, order: Order, fault: str | None) -> None:
    """Refuse an order that its owner didn't sign: by another caller it is not theirs, by the owner it is wrong."""
    if fault is None and order.problem is None:
        return
    if identity(order.owner) != asked.caller.identity:
        raise ProblemError("not_the_owner", "the account is another's")
    if order.problem is not None:
        raise order.problem
    raise ProblemError("invalid_signature", fault)


def order_intent(route: str, path: dict[str, str], order: Order, given_key: str | None) -> Intent:
    """Make the intent of an order whose signature holds; its content is its key where none was given."""
    actor = identity(order.owner)
    asked_hash = signed_hash(route, path, order.signed_bytes)
    name = command_id(actor, asked_hash, idempotency_key=given_key, content_id=order.id)
    return Intent(name, order.frame_id, actor, order.payload, asked_hash, given_key, order.carried)


def admin_intent(asked: Asked, path: dict[str, str], frame_id: str, payload: Any) -> Intent:
    """Make the intent of a write on the ledger that a session authorises."""
    asked_hash = request_hash(f"{asked.route.method} {asked.route.path}", path, asked.json)
    return session_intent(asked.caller, asked_hash, idempotency_key(asked.request), frame_id, payload)


def named_after(intent: Intent, member: str, prefix: str) -> Intent:
    """Name what an intent makes after its command, so that a repeat makes the same."""
    return replace(intent, payload=replace(intent.payload, **{member: prefix + intent.id.removeprefix("cmd_")}))
