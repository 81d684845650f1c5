"""The one table of problems: every code that a client can meet, its status, its title, and whether to try again.

A refusal of a decider is a problem of the same code. Bodies are RFC 9457 ``application/problem+json``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.times import rfc3339
from domain.decider import Refusal
from domain.json_value import JsonObject, JsonValue
from log import strict_json

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:muniment:problem:"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a code means: its HTTP status, a title that stays, and whether the same request may succeed later."""

    status: int
    title: str
    retryable: bool = False


PROBLEMS: Mapping[str, Kind] = {
    "invalid_request": Kind(400, "The request is not as it must be"),
    "malformed_json": Kind(400, "The body is not strict JSON"),
    "invalid_cursor": Kind(400, "The cursor is not one of this list with these filters"),
    "unsupported_algorithm": Kind(400, "The signature's algorithm is not one that this registry verifies"),
    "out_of_bounds": Kind(400, "A value is outside its bounds"),
    "invalid_operation": Kind(400, "The operation can't be part of the DID's log"),
    "invalid_card": Kind(400, "The card is no A2A agent card"),
    "timestamp_out_of_range": Kind(400, "The record's timestamp is too far from the log's time"),
    "unauthenticated": Kind(401, "A session is needed"),
    "invalid_signature": Kind(401, "The signature does not hold"),
    "forbidden": Kind(403, "The caller may not do this"),
    "key_not_registered": Kind(403, "The public key is not one whose intents are taken"),
    "signer_not_authorized": Kind(403, "The signer has no role that may issue this"),
    "not_the_issuer": Kind(403, "Only the fact's issuer may do this"),
    "not_the_publisher": Kind(403, "Only the playlist's publisher may do this"),
    "not_the_owner": Kind(403, "Only the account's owner may do this"),
    "not_the_payee": Kind(403, "Only the payment's payee may do this"),
    "developer_not_registered": Kind(403, "The caller is no developer of this frame"),
    "invite_required": Kind(403, "The registry asks for an invite"),
    "invite_invalid": Kind(403, "The invite is not one of this registry, or is used up"),
    "no_voting_power": Kind(403, "The caller had no stake when the proposal was made"),
    "unknown_account": Kind(404, "There is no such account"),
    "not_found": Kind(404, "There is no such thing"),
    "method_not_allowed": Kind(405, "This route doesn't know this method"),
    "not_acceptable": Kind(406, "There is no representation that the Accept header takes"),
    "idempotency_conflict": Kind(409, "The idempotency key was used for another request"),
    "already_active": Kind(409, "A fact of the same issuer, subject and kind is active"),
    "not_active": Kind(409, "It is not active"),
    "not_quarantined": Kind(409, "The fact is not quarantined"),
    "not_expired": Kind(409, "The fact's time is not over"),
    "already_revoked": Kind(409, "The signer is revoked already"),
    "already_registered": Kind(409, "It is registered already"),
    "unknown_collection": Kind(409, "The collection has no schema"),
    "incompatible_schema": Kind(409, "Records that are valid may not be under this schema"),
    "rkey_taken": Kind(409, "The collection has a record under this key"),
    "quota_exceeded": Kind(409, "The vault has no room for this"),
    "already_finalized": Kind(409, "The file is finalized already"),
    "already_exists": Kind(409, "Something of this id exists already"),
    "minting_disabled": Kind(409, "The frame mints and burns nothing"),
    "deadline_passed": Kind(409, "The order's deadline passed"),
    "nonce_used": Kind(409, "This nonce was used"),
    "record_exists": Kind(409, "The key has published a record of this id"),
    "ambiguous_record": Kind(409, "Several keys have published a record of this id"),
    "not_confirmed": Kind(409, "The record's transaction is in no block yet"),
    "transaction_refused": Kind(409, "The chain does not take the transaction"),
    "output_known": Kind(409, "The pool has had this output"),
    "output_not_available": Kind(409, "The pool has no such free output"),
    "chain_too_long": Kind(409, "The output stands on too many transactions that are in no block"),
    "same_account": Kind(409, "Both accounts are the same"),
    "amount_not_positive": Kind(409, "The amount is zero"),
    "amount_too_small": Kind(409, "The fee would take the whole amount"),
    "insufficient_funds": Kind(409, "The account has less than is needed"),
    "account_frozen": Kind(409, "The account is frozen"),
    "account_not_frozen": Kind(409, "The account is not frozen"),
    "payment_expired": Kind(409, "The payment's time is over"),
    "payment_cancelled": Kind(409, "The payer took the payment back"),
    "already_claimed": Kind(409, "The payment is claimed already"),
    "stake_locked": Kind(409, "The stake's lock is not over"),
    "already_withdrawn": Kind(409, "The stake is withdrawn already"),
    "voting_closed": Kind(409, "The vote is over"),
    "voting_open": Kind(409, "The vote is not over"),
    "already_accepted": Kind(409, "The receiving side accepted the transfer"),
    "already_rejected": Kind(409, "The receiving side rejected the transfer"),
    "not_prepared": Kind(409, "The transfer is not under way"),
    "not_accepted": Kind(409, "The receiving side has not accepted the transfer"),
    "not_rejected": Kind(409, "The receiving side has not rejected the transfer"),
    "day_not_over": Kind(409, "The day is not over"),
    "day_not_open": Kind(409, "The day is not open"),
    "terms_changed": Kind(409, "The registry's terms are others by now"),
    "stale_prev": Kind(409, "The operation doesn't follow the last one of the DID's log"),
    "handle_taken": Kind(409, "The handle is another's, or its claim is over"),
    "handle_change_too_soon": Kind(409, "A handle is changed at most every 30 days"),
    "claim_holds": Kind(409, "The DID took the handle that it claimed"),
    "not_due": Kind(409, "It is not due"),
    "erased": Kind(410, "Its owner had this erased"),
    "cid_mismatch": Kind(412, "The record is not as the condition says"),
    "payload_too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "This is not of a type that is taken here"),
    "range_not_satisfiable": Kind(416, "The file has none of these bytes"),
    "schema_violation": Kind(422, "The value is not as its collection's schema says"),
    "media_mismatch": Kind(422, "The file is not what was reserved"),
    "rate_limited": Kind(429, "Too many requests", retryable=True),
    "internal": Kind(500, "Something went wrong here", retryable=True),
    "log_unavailable": Kind(503, "The log can't be reached; nothing was appended", retryable=True),
    "not_caught_up": Kind(503, "The position asked for is not reached yet", retryable=True),
    "read_model_unavailable": Kind(503, "The read model can't be reached", retryable=True),
    "chain_unavailable": Kind(503, "The chain can't be reached", retryable=True),
    "storage_unavailable": Kind(503, "The media storage can't be reached, or has no room", retryable=True),
    "outcome_unknown": Kind(504, "The command was sent and its decision did not come in time", retryable=True),
}


TIMES = ("allowed_at", "unlocks_at", "deadline", "now")
"""Details of refusals that are times in ms."""


class ProblemError(Exception):
    """What a handler raises to answer with a problem.

    ``errors`` are (JSON Pointer, detail) pairs; ``members`` are further members of the body, ``headers`` of the answer.
    Nothing in it may tell of our inside.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Sequence[tuple[str, str]] = (),
        members: Mapping[str, JsonValue] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code, self.detail, self.errors = code, detail, errors
        self.members: Mapping[str, JsonValue] = members or {}
        self.headers: Mapping[str, str] = headers or {}
        self.kind = PROBLEMS[code]

    def body(self, request_id: str | None) -> JsonObject:
        """Give the members of the problem's body."""
        body: JsonObject = {
            "type": TYPE_PREFIX + self.code,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail or self.kind.title,
            "code": self.code,
            "retryable": self.kind.retryable,
        }
        if request_id is not None:
            body["request_id"] = request_id
        if self.errors:
            body["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in self.errors]
        return {**self.members, **body}


def invalid(pointer: str, detail: str) -> ProblemError:
    """Make the problem of one member that is not as it must be."""
    return ProblemError("invalid_request", detail, errors=[(pointer, detail)])


def of_refusal(refusal: Refusal) -> ProblemError:
    """Make the problem of a decider's refusal; its details are members of the body."""
    details = dict(refusal.details)
    if refusal.code not in PROBLEMS:
        return ProblemError("internal")
    if "pointer" in details:
        return ProblemError(refusal.code, details.get("detail"), errors=[(details["pointer"], details["detail"])])
    if "places" in details:
        places: Any = strict_json.parse_own(details.pop("places"))
        return ProblemError(refusal.code, f"{places[0][0]}: {places[0][1]}", errors=places, members=dict(details))
    detail = details.pop("detail", None)
    # A rule counts in ms; who reads a refusal has times as everywhere.
    details |= {name: rfc3339(int(details[name])) for name in TIMES if name in details}
    details.pop("cause", None)
    wait_ms = details.pop("retry_after_ms", None)
    headers = {} if wait_ms is None else {"Retry-After": str(-(-int(wait_ms) // 1000))}
    return ProblemError(refusal.code, detail, members=dict(details), headers=headers)
