"""How a verb ends: its exit status, and what a failure says."""

import argparse
import asyncio
import inspect
import json
import sys
from collections.abc import Mapping
from typing import Any, Final

from log.canonical import NotCanonicalizable
from log.log import LogUnavailable
from muniment.amounts import InvalidAmount, read_amount, written_avt
from muniment.settings import InvalidSetting
from muniment.signing_key import KeyFileError
from muniment.stack.errors import StackError

CODES: Final[Mapping[str, str]] = {
    "PostgresUnavailable": "postgres_unavailable",
    "RebuildRunning": "rebuild_running",
    "AppendUnknown": "log_unavailable",
    "GenesisFailed": "genesis_failed",
    "WrongVaultKey": "wrong_vault_key",
}
"""Errors of layers that most verbs never import, by name."""

SHOWN: Final = (
    "fact_id", "command_id", "request_id", "account", "available", "needed", "unlocks_at",
    "jobId", "job_status", "pubkeys",
)  # fmt: skip
"""Members of a refusal that people are told too."""
SHOWN_IN_AVT: Final = ("available", "needed")

DONE: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2


class Failure(Exception):
    """Why a verb was not done: a stable code, a sentence, the exit status, and further members for programs."""

    def __init__(self, code: str, detail: str, status: int = FAILED, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.status, self.more = code, detail, status, dict(more or {})

    def show(self, *, as_json: bool) -> None:
        """Print one line on standard error."""
        if as_json:
            line = json.dumps({"code": self.code, "detail": self.detail, **self.more}, ensure_ascii=False)
        else:
            told = {name: value for name, value in self.more.items() if name in SHOWN and value is not None}
            named = [f"{name} {_shown(name, value)}" for name, value in told.items()]
            line = f"muniment: {self.code}: {self.detail}" + (f" ({', '.join(named)})" if named else "")
        print(line, file=sys.stderr, flush=True)


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    try:
        return f"{written_avt(read_amount(value))} AVT" if name in SHOWN_IN_AVT else value
    except InvalidAmount:
        return value


def usage_error(detail: str) -> Failure:
    """Give the failure of a call that makes no sense as it was written."""
    return Failure("wrong_usage", detail, WRONG_USAGE)


def failure_of(error: Exception) -> Failure | None:
    """Give the failure that an error of the layers below is for whoever called, if it is one."""
    # The processes of a registry have no client, and start faster without it.
    from muniment.client.ledger_refusals import StillInTransit  # noqa: PLC0415
    from muniment.client.publishing_refusals import PublishingFailed, StillPublishing  # noqa: PLC0415
    from muniment.client.record_refusals import FileChanged  # noqa: PLC0415
    from muniment.client.refusals import Refused, UnexpectedAnswer, Unreachable  # noqa: PLC0415

    match error:
        case Failure():
            return error
        case InvalidSetting():
            return Failure(error.code, str(error), WRONG_USAGE)
        case KeyFileError():
            return Failure(error.code, str(error))
        case StackError():
            return Failure(error.code, error.message)
        case Refused():
            more = {"status": error.status, "request_id": error.request_id, **error.members}
            if error.errors:
                more["errors"] = [{"pointer": each.pointer, "detail": each.detail} for each in error.errors]
            return Failure(error.code, error.detail, more=more)
        case StillInTransit():
            return Failure("still_in_transit", str(error), more={"transfer_id": error.transfer_id})
        case StillPublishing():
            return Failure("still_publishing", str(error), more={"jobId": error.job_id, "job_status": error.status})
        case PublishingFailed():
            return Failure("publishing_failed", str(error), more={"jobId": error.job_id})
        case Unreachable():
            return Failure("unreachable", str(error))
        case FileChanged():
            return Failure("file_changed", str(error))
        case UnexpectedAnswer():
            return Failure("unexpected_answer", str(error))
        case NotCanonicalizable():
            return Failure("invalid_request", str(error), WRONG_USAGE)
        case LogUnavailable():
            return Failure("log_unavailable", "the broker does not answer")
        case ConnectionError() | RuntimeError() if type(error).__name__ in CODES:
            return Failure(CODES[type(error).__name__], str(error))
    return None


def run_verb(args: argparse.Namespace) -> int:
    """Do the verb that was asked for and give its exit status; raises Failure."""
    try:
        outcome = args.run(args)
        if inspect.iscoroutine(outcome):
            outcome = asyncio.run(outcome)
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        raise failure from None
    return DONE if outcome is None else int(outcome)
