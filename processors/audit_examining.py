"""Commands examined by themselves, many at once, in any process: decoded, and checked for all that needs no state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, Final, NamedTuple, get_type_hints

from domain.catalog import BY_CLASS, BY_NAME
from log.avro import UndecodableValue
from log.message import Command
from log.released import codec
from processors import (
    audit_identity_commands,
    audit_mandates,
    audit_publishing_commands,
    audit_record_commands,
    audit_statements,
)
from processors.audit_names import Fault
from processors.audit_signing_keys import SigningKey, signing_key

CHECKS: Final[Mapping[str, Callable[[Command], int]]] = {
    "facts": audit_statements.check,
    "identity": audit_identity_commands.check,
    "ledger": audit_mandates.check,
    "records": audit_record_commands.check,
    "publishing": audit_publishing_commands.check,
}
"""By context, what checks a command and counts the signatures that it verified."""


class Examined(NamedTuple):
    """A command as plain values, so that it crosses between processes cheaply.

    ``undecodable`` says why a message is no command; ``type`` is its payload's; ``fault`` is (rule, detail) of what
    does not hold, ``key`` the registered key that signed it.
    """

    undecodable: str | None = None
    fault: tuple[str, str] | None = None
    id: str = ""
    type: str = ""
    actor: str = ""
    members: tuple[Any, ...] = ()
    signatures: int = 0
    key: SigningKey | None = None


def examine_all(context: str, values: Sequence[bytes]) -> list[Examined]:
    """Examine commands, in their order."""
    return [examine(context, value) for value in values]


def examine(context: str, value: bytes) -> Examined:
    """Decode one command and check all that needs no state."""
    try:
        command: Command = codec(context, "command").decode(value)
    except UndecodableValue as error:
        return Examined(undecodable=str(error))
    fault, signatures = None, 0
    try:
        signatures = CHECKS[context](command)
    except Fault as found:
        fault = (found.rule, found.detail)
    kind = BY_CLASS[type(command.payload)].name
    key = signing_key(command.signature)
    return Examined(None, fault, command.id, kind, command.actor, _flat(command.payload), signatures, key)


def payload_of(examined: Examined) -> Any:
    """Give the command's payload again."""
    cls: Any = BY_NAME[examined.type].cls
    members = list(examined.members)
    for index, kind in _nested(cls):
        members[index] = kind(*members[index])
    return cls(*members)


@cache
def _nested(cls: Any) -> Sequence[tuple[int, type]]:
    hints = get_type_hints(cls)
    return [(index, hints[f.name]) for index, f in enumerate(fields(cls)) if is_dataclass(hints[f.name])]


@cache
def _members(cls: Any) -> Callable[[Any], tuple[Any, ...]]:
    names = [f.name for f in fields(cls)]
    if len(names) == 1:
        return lambda value: (getattr(value, names[0]),)
    return attrgetter(*names)


def _flat(payload: Any) -> tuple[Any, ...]:
    cls: Any = type(payload)
    members: tuple[Any, ...] = _members(cls)(payload)
    nested = _nested(cls)
    if nested:
        plain = list(members)
        for index, kind in nested:
            plain[index] = _members(kind)(plain[index])
        members = tuple(plain)
    return members
