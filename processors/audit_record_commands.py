"""What a command on records must be by itself: asked in its owner's session, or by a process of ours."""

from domain.catalog import BY_CLASS
from domain.records.media import SweepMedia
from domain.records.record import PutRecord
from log.message import Command
from processors.audit_names import REACTOR, check_id, require
from processors.audit_statements import check_session


def check(command: Command) -> int:
    """Check a command and give how many signatures were verified. Raises Fault."""
    payload = command.payload
    require(command.type == BY_CLASS[type(payload)].name, "type", "the command's type isn't that of its payload")
    check_id(command, None, None)
    if isinstance(payload, SweepMedia):
        require(command.actor == REACTOR, "actor", "only a reactor may ask for this")
        require(command.signature is None, "signature", "a reactor signs nothing")
        return 0
    check_session(command)
    if isinstance(payload, PutRecord):
        held = command.signature
        opened_by = None if held is None or held.public_key is None else held.key_id
        require(payload.key_id == opened_by, "key_id", "the record names another key than opened its session")
    return 1
