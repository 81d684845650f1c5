"""What an audit of a context goes by: the auditor's own fold, and who must have been allowed what."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from domain.catalog import evolve
from domain.decider import Change, State
from domain.facts.signer import SignerAdded
from domain.identity.creation import DidCreated
from domain.ledger.frame import FrameOpened
from domain.publishing.job import JobQueued
from domain.records.schema import PutSchema, SchemaPut
from log.fold import Entries
from processors import audit_fold, audit_identity, audit_ledger, audit_publishing


class Rules(NamedTuple):
    """The rules of one context.

    ``changes`` checks an event against the auditor's own fold and changes it. ``evolve`` folds it as the deciders do,
    where their entries are others. ``founds`` is the event whose authority may be that the log was empty.
    """

    changes: Callable[[Entries, Any, Any, str, int], Iterator[Change]]
    roles_needed: Callable[[Any], Sequence[str]]
    evolve: Callable[[State, Any, int], Iterable[Change]]
    founds: type


def _nothing(_state: State, _event: Any, _at: int) -> Iterable[Change]:
    """The auditor's own entries are those that the deciders read."""
    return ()


def _unjudged(_state: Entries, _event: Any, _payload: Any, _actor: str, _at: int) -> Iterator[Change]:
    """Every command is decided again; beside that, no event of these is held against a fold of the auditor's own."""
    return iter(())


def _admin_puts_schemas(payload: Any) -> Sequence[str]:
    return ("admin",) if isinstance(payload, PutSchema) else ()


RULES: Final[Mapping[str, Rules]] = {
    "facts": Rules(audit_fold.changes, audit_fold.authority_needed, _nothing, SignerAdded),
    "identity": Rules(audit_identity.changes, audit_identity.roles_needed, evolve, DidCreated),
    "ledger": Rules(audit_ledger.changes, audit_ledger.roles_needed, evolve, FrameOpened),
    "records": Rules(_unjudged, _admin_puts_schemas, evolve, SchemaPut),
    # A job needs nobody's role: so no authority but a position can be cited here.
    "publishing": Rules(audit_publishing.changes, audit_publishing.roles_needed, evolve, JobQueued),
}
"""By context."""
