"""What a registry refuses, as exceptions: one class for each code that a caller may want to tell apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class ClientError(Exception):
    """Whatever keeps a call from its answer."""


class Unreachable(ClientError):
    """No registry answered in time; a write may have happened, and the same idempotency key tells."""


class UnexpectedAnswer(ClientError):
    """Something answered that is no registry, or a newer one that this client doesn't understand."""


@dataclass(frozen=True, slots=True)
class ErrorAt:
    """One thing wrong in a request; ``pointer`` is a JSON Pointer (RFC 6901) into its body."""

    pointer: str
    detail: str


class Refused(ClientError):
    """The registry's refusal (RFC 9457).

    ``code`` is one of a closed list, ``status`` HTTP's; ``members`` holds what the problem says besides, for example
    the ``fact_id`` of ``already_active``. ``command_id`` names the command of an ``outcome_unknown``.
    """

    def __init__(
        self,
        code: str,
        status: int,
        detail: str,
        *,
        errors: Sequence[ErrorAt] = (),
        retryable: bool = False,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.status, self.detail, self.errors = code, status, detail, tuple(errors)
        self.retryable, self.request_id, self.retry_after_s = retryable, request_id, retry_after_s
        self.members: Mapping[str, Any] = members or {}

    @property
    def command_id(self) -> str | None:
        """Name the command that the refusal is about, where it was appended."""
        found = self.members.get("command_id")
        return found if isinstance(found, str) else None


class InvalidRequest(Refused):
    """The request is not as it must be (400)."""


class Unauthenticated(Refused):
    """No session, or none that holds (401)."""


class InvalidSignature(Refused):
    """The signature does not hold (401)."""


class Forbidden(Refused):
    """The caller may not do this (403)."""


class SignerNotAuthorized(Forbidden):
    """The signer has no role that may issue this kind of fact."""


class NotTheIssuer(Forbidden):
    """Only the fact's issuer may do this."""


class NotFound(Refused):
    """There is no such thing (404)."""


class Gone(Refused):
    """It was there, and its owner had it erased (410)."""


class PreconditionFailed(Refused):
    """What was to be changed is not what the condition says (412)."""


class RangeNotSatisfiable(Refused):
    """No byte of a file lies in the range that was asked for (416)."""


class Unprocessable(Refused):
    """What was sent is well-formed and not what it must be, as a value against its schema (422)."""


class Conflict(Refused):
    """What is asked contradicts what is there (409)."""


class IdempotencyConflict(Conflict):
    """The idempotency key was used for another request."""


class AlreadyActive(Conflict):
    """A fact of the same issuer, subject and kind is active; ``fact_id`` names it."""

    @property
    def fact_id(self) -> str | None:
        """Name the active fact."""
        found = self.members.get("fact_id")
        return found if isinstance(found, str) else None


class NotActive(Conflict):
    """The fact is not active."""


class RateLimited(Refused):
    """Too many requests (429), for longer than the call may take."""


class Unavailable(Refused):
    """The registry can't do it now (500, 502, 503)."""


class LogUnavailable(Unavailable):
    """The log can't be reached; nothing was appended."""


class NotCaughtUp(Unavailable):
    """The position asked for was not reached in time."""


class OutcomeUnknown(Unavailable):
    """The command was appended and its decision did not come in time; the same idempotency key gives the outcome."""
