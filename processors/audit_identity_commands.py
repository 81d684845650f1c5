"""What a command of identity must be by itself: an operation that was signed, and a payload that says just that."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from domain.catalog import BY_CLASS
from domain.identity.completion import CompleteRecovery
from domain.identity.creation import CreateDid
from domain.identity.guardian import CancelRecovery, RecoverByGuardians, SetGuardians
from domain.identity.handle import ClaimHandle, ConfirmHandle, ReleaseHandle
from domain.identity.naming import LapseClaim, SetHandle
from domain.identity.operation import SignedOperation
from domain.identity.recovery import RecoverDid
from domain.identity.rotation import RevokeKey, RotateKeys
from domain.identity.session import EndSession
from log.message import Command
from log.signatures import usable_key
from processors.audit_names import REACTOR, check_id, require
from processors.audit_operations import DEFAULT_S, Said, check_approval, plain, read
from processors.audit_statements import check_session, is_time, same_did

OF_REACTORS: Final = (ConfirmHandle, ReleaseHandle, LapseClaim, CompleteRecovery)
"""What our own processes ask for: no person signs it, so its rule alone must hold."""


def check(command: Command) -> int:
    """Check a command and give how many signatures were verified. Raises Fault."""
    payload = command.payload
    require(command.type == BY_CLASS[type(payload)].name, "type", "the command's type isn't that of its payload")
    if isinstance(payload, OF_REACTORS):
        require(command.actor == REACTOR, "actor", "only a reactor may ask for this")
        require(command.signature is None, "signature", "a reactor signs nothing")
        check_id(command, None, None)
        return 0
    if isinstance(payload, ClaimHandle):
        require(command.actor in {REACTOR, payload.did}, "actor", "a handle is claimed by another than its DID")
        require(command.signature is None, "signature", "a claim is signed by nobody")
        check_id(command, None, None)
        return 0
    if isinstance(payload, EndSession):
        require(same_did(command.actor, payload.did), "actor", "a session ends by another than its DID")
        check_session(command)
        check_id(command, None, None)
        return 1
    return _check_operation(command)


def _check_operation(command: Command) -> int:
    payload = command.payload
    said = read(payload.did, payload.signed)
    kind, told = SAYS[type(payload)]
    require(said["type"] == kind, "operation", f"a {said['type']} is asked for as a {kind}")
    for name, right in told(said).items():
        value = getattr(payload, name)
        if name == "since" and value is not None and right is not None:
            require(is_time(right, value), "operation", f"since is {value}, and {right} was signed")
        else:
            require(_plain(value) == right, "operation", f"{name} is {value!r}, and {right!r} was signed")
    require(same_did(command.actor, payload.did), "actor", "an operation is sent for another DID than its own")
    _check_carried(command, payload.signed)
    check_id(command, None, payload.signed.hash if command.idempotency_key is None else None)
    if isinstance(payload, RecoverByGuardians):
        for approval in payload.approvals:
            check_approval(approval, said)
        return len(payload.approvals) + bool(payload.signed.signature)
    return 1


def _check_carried(command: Command, signed: SignedOperation) -> None:
    """A command whose envelope carries a signature too carries just that of its operation. Raises Fault."""
    held = command.signature
    if held is not None:
        said = (held.did, held.key_id, held.signed_bytes, held.signature)
        right = (command.payload.did, None, signed.operation.encode(), signed.signature)
        require(said == right, "signature", "the command carries another signature than its operation")
        require(held.alg == usable_key(signed.signed_by).type, "signature", f"no rotation key signs with {held.alg}")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "public_key_multibase") and hasattr(value, "purposes"):
        return plain(value)
    if hasattr(value, "threshold"):
        return {"dids": [*value.dids], "threshold": value.threshold, "delay_s": value.delay_s}
    if hasattr(value, "key_id"):
        return [value.did, value.key_id, value.signature]
    return value


def _anew(said: Said) -> dict[str, Any]:
    return {"rotation_keys": said["rotation_keys"], "keys": said["keys"]}


def _rescue(said: Said) -> dict[str, Any]:
    approvals = [[each["did"], each.get("key_id", ""), each["signature"]] for each in said["approvals"]]
    return {**_anew(said), "approvals": approvals}


def _rotation(said: Said) -> dict[str, Any]:
    ends_ms = 1000 * said.get("overlap_s", DEFAULT_S)
    return {"add": said.get("add", []), "end": said.get("end", []), "overlap_ms": ends_ms}


def _guardians(said: Said) -> dict[str, Any]:
    delay_s = said.get("delay_s", DEFAULT_S)
    return {"guardians": {"dids": said["dids"], "threshold": said["threshold"], "delay_s": delay_s}}


SAYS: Final[Mapping[type, tuple[str, Callable[[Said], dict[str, Any]]]]] = {
    CreateDid: ("create", lambda said: {**_anew(said), "handle": said.get("handle")}),
    RotateKeys: ("rotate", _rotation),
    RevokeKey: ("revoke", lambda said: {name: said.get(name) for name in ("key_id", "reason", "since")}),
    RecoverDid: ("recover", _anew),
    SetHandle: ("set_handle", lambda said: {"handle": said["handle"]}),
    SetGuardians: ("set_guardians", _guardians),
    RecoverByGuardians: ("guardian_recover", _rescue),
    CancelRecovery: ("cancel", lambda said: {"operation": said["operation"]}),
}
"""By command its type of operation, and by member what was signed."""
