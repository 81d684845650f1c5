"""What a registry answers, as values: each keeps the JSON object that it was read from.

Times are RFC 3339 text in UTC with milliseconds; positions and ``as_of`` are opaque tokens. ``position`` is where a
write lies, or the decision that made what is shown; ``as_of`` how far the registry had read when it answered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Self

from muniment.client.refusals import Refused, UnexpectedAnswer
from muniment.client.transport import Answer

Json = Mapping[str, Any]
Readers = Mapping[str, Callable[[Any], Any]]
"""By field what reads it, where it isn't taken as it is."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One answer; ``repeated`` says that it is the outcome of an earlier request."""

    position: str | None = None
    as_of: str | None = None
    repeated: bool = False
    json: Json = field(repr=False, compare=False)

    nested: ClassVar[Readers] = {}
    named: ClassVar[Mapping[str, str]] = {}
    """By field the member that it is read from, where that has another name."""

    @classmethod
    def read(cls, found: Any, answer: Answer) -> Self:
        """Read a JSON object; members unknown here stay in ``json``. Raises UnexpectedAnswer."""
        if not isinstance(found, dict):
            raise UnexpectedAnswer(f"a {cls.__name__} is no JSON object")
        given: dict[str, Any] = {"position": answer.position, "as_of": answer.as_of, "repeated": answer.repeated}
        for each in fields(cls):
            member = cls.named.get(each.name, each.name)
            if member in found and each.name not in {"json", "as_of", "repeated"}:
                given[each.name] = cls.nested.get(each.name, _as_it_is)(found[member])
            elif each.name not in given and each.name != "json" and _is_required(each):
                raise UnexpectedAnswer(f"a {cls.__name__} has no member {member}")
        return cls(json=found, **given)


def _as_it_is(value: Any) -> Any:
    return value


def _is_required(each: Any) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


@dataclass(frozen=True, slots=True)
class Subject:
    """What a fact is about; two are the same when all four members are."""

    origin: str
    type: str
    ref: str
    digest: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the object that is sent and signed; an absent digest is no member."""
        found = {"origin": self.origin, "type": self.type, "ref": self.ref}
        return found if self.digest is None else {**found, "digest": self.digest}


def _subject(found: Any) -> Subject:
    try:
        return Subject(found["origin"], found["type"], found["ref"], found.get("digest"))
    except (KeyError, TypeError, AttributeError):
        raise UnexpectedAnswer("a subject lacks a member") from None


@dataclass(frozen=True, kw_only=True)
class Fact(Result):
    """A signed statement; ``status`` is active, revoked, expired or quarantined, ``position`` that of its issuing.

    One that is ``key_compromised`` counts no more, by the word of the event ``key_compromised_by``.
    """

    id: str
    kind: str
    subject: Subject
    issuer_did: str
    body: Json
    body_hash: str
    alg: str
    signature: str
    status: str
    issued_at: str
    created_at: str
    key_id: str | None = None
    status_reason: str | None = None
    expires_at: str | None = None
    key_compromised: bool = False
    key_compromised_by: str | None = None

    nested: ClassVar[Readers] = {"subject": _subject}


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What became of one fact of a batch: ``fact``, or ``refused``; ``status`` is HTTP's as if sent alone."""

    status: int
    fact: Fact | None
    refused: Refused | None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a fact: issued, revoked, expired, quarantined, released, key_compromised or key_cleared.

    ``fact`` is as of then.

    ``resume`` is a cursor from which nothing behind this change is missed; at most a page comes again.
    """

    change: str
    fact: Fact
    position: str
    as_of: str | None
    resume: str


@dataclass(frozen=True, kw_only=True)
class Event(Result):
    """One event of a fact's history: what changed, by whom, and the signature where it was signed."""

    type: str
    at: str
    change: str | None = None
    by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class PublicEvent(Result):
    """What happened to a record (``uri``) or to media (``media_id``); ``cursor`` is where to go on behind it.

    ``record`` and ``media`` are as reads show them, as of this event; a record that was deleted, or whose owner erased
    it, isn't there.
    """

    type: str
    did: str
    at: str
    correlation_id: str
    cursor: str
    uri: str | None = None
    media_id: str | None = None
    cid: str | None = None
    record: Json | None = None
    media: Json | None = None


@dataclass(frozen=True, kw_only=True)
class Signer(Result):
    """A DID that has roles; revoked when ``revoked_at`` is there."""

    did: str
    roles: Sequence[str]
    added_by: str
    added_at: str
    revoked_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class Webhook(Result):
    """An endpoint; ``secret`` is there once, in the answer that made it."""

    id: str
    url: str | None = None
    kinds: Sequence[str] | None = None
    status: str | None = None
    secret: str | None = field(default=None, repr=False)
    overlap_until: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery(Result):
    """One delivery to an endpoint; ``status`` is pending, failed, delivered or parked, ``body`` what is sent."""

    sequence: int
    status: str
    attempts: int
    scheduled_at: str
    body: Json
    attempted_at: str | None = None
    retry_at: str | None = None
    response_status: int | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class Playlist(Result):
    """A playlist as the feed shows it; ``star`` and ``stars_recent`` are the registry's, not the publisher's."""

    id: str
    slug: str
    title: str
    created: str
    items: Sequence[Json] = ()
    star: bool | None = None
    stars_recent: Sequence[Json] = ()


@dataclass(frozen=True, kw_only=True)
class Command(Result):
    """What became of a command: ``status`` is pending, accepted or refused."""

    id: str
    type: str
    status: str
    result: Json | None = None
    problem: Json | None = None


@dataclass(frozen=True, kw_only=True)
class Health(Result):
    """How the registry is; ``serving`` is whether it answered 200."""

    status: str
    serving: bool = False
