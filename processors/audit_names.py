"""How a command is named after who asks what, made again from what the command says."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from domain.facts.fact import QuarantineFact
from domain.facts.mark import ClearFactKey, MarkFactKey
from domain.facts.signer import RevokeSigner
from domain.facts.webhook import DisableWebhook, ReportAttempt, ScheduleDelivery
from domain.ruling import HALF, ID_PREFIX
from log.canonical import canonical_json
from log.message import Command
from processors.audit_base32 import names

REACTOR: Final = "muniment:reactor"
FACTS_ROUTE: Final = "POST /facts"
FACTS_REQUEST: Final = canonical_json({"route": FACTS_ROUTE, "path": {}})
REVOKE_ROUTE: Final = "POST /facts/{id}/revoke"
QUARANTINE_ROUTE: Final = "POST /facts/{id}/quarantine"
REVOKE_SIGNER_ROUTE: Final = "DELETE /signers/{did}"


class Fault(Exception):
    """A rule that does not hold; ``rule`` is stable, ``detail`` says what was found."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule, self.detail = rule, detail


def require(holds: bool, rule: str, detail: str) -> None:  # noqa: FBT001  # reads as the sentence it is
    """Raise Fault unless something holds."""
    if not holds:
        raise Fault(rule, detail)


def content_of_reactor(payload: Any) -> str | None:
    """Say what a reactor's command is about; it is named after that, so that asked again it is the same.

    A fact's end is asked for again after a while under another name, which the command doesn't say.
    """
    match payload:
        case ScheduleDelivery(webhook_id, about, replay):
            return f"deliver:{webhook_id}:{about}:{replay}"
        case ReportAttempt(webhook_id, sequence, attempt):
            return f"attempt:{webhook_id}:{sequence}:{attempt}"
        case DisableWebhook(webhook_id):
            return f"disable:{webhook_id}"
        case MarkFactKey(fact_id, compromised_by):
            return f"mark:{fact_id}:{compromised_by}"
        case ClearFactKey(fact_id, cleared_by):
            return f"clear:{fact_id}:{cleared_by}"
    return None


def signed_request(route: str, path: Mapping[str, str], signed: bytes) -> bytes:
    """Give the hash of a request whose content is signed."""
    asked = FACTS_REQUEST if route == FACTS_ROUTE else canonical_json({"route": route, "path": path})
    return hashlib.sha256(asked + b"\x00" + signed).digest()


def request(payload: Any) -> bytes | None:
    """Give the hash of a request that a session backs, where the command says all that was asked."""
    match payload:
        case RevokeSigner(did):
            asked: dict[str, Any] = {"route": REVOKE_SIGNER_ROUTE, "path": {"did": did}, "body": None}
        case QuarantineFact(fact_id, reason):
            asked = {"route": QUARANTINE_ROUTE, "path": {"id": fact_id}, "body": {"reason": reason}}
        case _:
            return None
    return hashlib.sha256(canonical_json(asked)).digest()


def check_id(command: Command, wanted: bytes | None, content: str | None) -> None:
    """A command is named after who asks what, so that nothing of it can be changed under its name."""
    name, asked = command.id, command.request_hash
    require(wanted is None or asked == wanted, "request_hash", "the hash of the request isn't that of what is asked")
    scope, request_half = name[len(ID_PREFIX) : -HALF], name[-HALF:]
    formed = name.startswith(ID_PREFIX) and len(scope) == HALF
    require(formed and names(request_half, asked), "command_id", "the command's id doesn't name its request's hash")
    given = command.idempotency_key
    if given is not None or content is not None:
        by, what = ("key", given) if given is not None else ("content", content)
        digest = hashlib.sha256(f"{by}\x00{command.actor}\x00{what}".encode()).digest()
        require(names(scope, digest), "command_id", "the command's id doesn't name its scope")
