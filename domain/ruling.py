"""One command gets one ruling, and its scope keeps that ruling for ever.

A command's id is ``cmd_`` + 26 characters of its *scope* (who asks, under which idempotency key) + 26 characters of its
*request* (what is asked), both lower-case base32 of SHA-256. So the same request again has the same id, and another
request under the same key differs in its second half only.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from domain.catalog import decide, evolve
from domain.decider import Change, Circumstances, Refusal, State

REPEATED = "repeated"
IDEMPOTENCY_CONFLICT = "idempotency_conflict"
UNDECODABLE = "undecodable_command"
"""The refusal of a message that is no command; its decision has an empty ``command_id``."""
ID_PREFIX = "cmd_"
HALF = 26


class Scope(NamedTuple):
    """What was asked under a scope, and the offset of the first command that asked it."""

    request: str
    cause: int


def scope_key(command_id: str) -> str:
    """Give the key of a scope's entry."""
    return "scope/" + command_id[len(ID_PREFIX) : len(ID_PREFIX) + HALF]


def request_of(command_id: str) -> str:
    """Give the half of a command's id that says what is asked."""
    return command_id[len(ID_PREFIX) + HALF :]


def rule(state: State, command_id: str, payload: Any, around: Circumstances) -> Sequence[Any] | Refusal:
    """Rule on a command: a scope that was ruled on is not ruled on again."""
    known = state.get(scope_key(command_id))
    if known is not None:
        scope = Scope(*known)
        code = REPEATED if scope.request == request_of(command_id) else IDEMPOTENCY_CONFLICT
        return Refusal(code, {"cause": str(scope.cause)})
    return decide(state, payload, around)


def fold(state: State, command_id: str, cause: int, outcome: Sequence[Any] | Refusal, at: int) -> Iterable[Change]:
    """Fold one decision; ``state`` must already show the changes given so far when the next is asked for.

    A scope that was ruled on keeps its first ruling, and an undecodable command (its id is empty) has none.
    """
    if state.get(scope_key(command_id)) is not None or not command_id.startswith(ID_PREFIX):
        return
    yield scope_key(command_id), Scope(request_of(command_id), cause)
    if not isinstance(outcome, Refusal):
        for event in outcome:
            yield from evolve(state, event, at)
