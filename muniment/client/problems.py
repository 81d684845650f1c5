"""What a registry's problem (RFC 9457) is to a client: the exception that its code names, or else its status."""

from collections.abc import Mapping
from typing import Any

from muniment.client.identity_refusals import IDENTITY_BY_CODE
from muniment.client.ledger_refusals import LEDGER_BY_CODE
from muniment.client.publishing_refusals import PUBLISHING_BY_CODE
from muniment.client.record_refusals import RECORDS_BY_CODE
from muniment.client.refusals import (
    AlreadyActive,
    Conflict,
    ErrorAt,
    Forbidden,
    Gone,
    IdempotencyConflict,
    InvalidRequest,
    InvalidSignature,
    LogUnavailable,
    NotActive,
    NotCaughtUp,
    NotFound,
    NotTheIssuer,
    OutcomeUnknown,
    PreconditionFailed,
    RangeNotSatisfiable,
    RateLimited,
    Refused,
    SignerNotAuthorized,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unprocessable,
)

BY_CODE: Mapping[str, type[Refused]] = {
    "invalid_signature": InvalidSignature,
    "signer_not_authorized": SignerNotAuthorized,
    "not_the_issuer": NotTheIssuer,
    "idempotency_conflict": IdempotencyConflict,
    "already_active": AlreadyActive,
    "not_active": NotActive,
    "log_unavailable": LogUnavailable,
    "not_caught_up": NotCaughtUp,
    "outcome_unknown": OutcomeUnknown,
    **IDENTITY_BY_CODE,
    **LEDGER_BY_CODE,
    **RECORDS_BY_CODE,
    **PUBLISHING_BY_CODE,
}
BY_STATUS: Mapping[int, type[Refused]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    410: Gone,
    412: PreconditionFailed,
    416: RangeNotSatisfiable,
    422: Unprocessable,
    405: InvalidRequest,
    406: InvalidRequest,
    409: Conflict,
    413: InvalidRequest,
    415: InvalidRequest,
    429: RateLimited,
    500: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
_OWN = frozenset({"type", "title", "status", "detail", "code", "retryable", "request_id", "errors"})


def refusal(problem: Mapping[str, Any], status: int, retry_after_s: float | None = None) -> Refused:
    """Make the exception of a problem's body; raises UnexpectedAnswer where it has no code."""
    code = problem.get("code")
    if not isinstance(code, str):
        raise UnexpectedAnswer(f"status {status} without a problem's code")
    kind = BY_CODE.get(code) or BY_STATUS.get(status, Refused)
    errors = [ErrorAt(str(each.get("pointer", "")), str(each.get("detail", ""))) for each in problem.get("errors", ())]
    return kind(
        code,
        status,
        str(problem.get("detail") or problem.get("title") or code),
        errors=errors,
        retryable=bool(problem.get("retryable", False)),
        request_id=problem.get("request_id"),
        retry_after_s=retry_after_s,
        members={name: value for name, value in problem.items() if name not in _OWN},
    )
