"""Which rotation key signed an operation, whether its guardians approved it, and the command that it becomes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from api.did_requests import (
    OPERATION,
    Anew,
    Cancelling,
    First,
    Guarding,
    Naming,
    Rescue,
    Revocation,
    Rotation,
    Stated,
    keys_of,
)
from api.freshness import RETRY_AFTER_S, not_caught_up
from api.intent import Intent, signed_hash
from api.problems import ProblemError
from api.registered_keys import is_registered, registered_key
from api.route import Asked
from api.times import read_time
from api.wiring import Api
from domain.identity.creation import CreateDid
from domain.identity.guardian import Approval, CancelRecovery, RecoverByGuardians, SetGuardians
from domain.identity.identifier import Guardians, identifier, stood_after
from domain.identity.key import ASSERTION
from domain.identity.naming import SetHandle
from domain.identity.operation import SignedOperation, operation
from domain.identity.recovery import RecoverDid
from domain.identity.rotation import RevokeKey, RotateKeys
from log.dids import parse_did
from log.log import LogUnavailable
from log.public_keys import InvalidKey
from log.scope import command_id
from log.signatures import InvalidSignature, usable_key, verify, verify_key
from log.statements import approval_signed_bytes
from projections.mirror import caught_up

IDENTITY: Final = "identity"
CATCH_UP_S: Final = 2.0
SECOND_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Authorised:
    """An operation whose signatures hold: by which rotation key, and by whom else."""

    stated: Stated
    signed: SignedOperation
    approvals: tuple[Approval, ...] = ()


async def authorised(asked: Asked, stated: Stated) -> Authorised:
    """Check an operation's signatures.

    Raises ``not_found``, ``invalid_signature``, ``invalid_request``, ``not_caught_up``, ``log_unavailable``.
    """
    signer = await _signer(asked.api, stated)
    signed = SignedOperation(stated.hash, stated.said.prev, signer, stated.signed_bytes.decode(), stated.signature)
    approvals = _approvals(asked.api, stated) if isinstance(stated.said, Rescue) else ()
    return Authorised(stated, signed, approvals)


async def catch_up(api: Api) -> None:
    """Wait for all that identity's log held when this was asked. Raises ``log_unavailable``, ``not_caught_up``."""
    try:
        reached = await caught_up(api.log, IDENTITY, api.mirror, CATCH_UP_S)
    except LogUnavailable:
        raise ProblemError("log_unavailable", headers={"Retry-After": str(RETRY_AFTER_S)}) from None
    if not reached:
        raise not_caught_up()


async def _signer(api: Api, stated: Stated) -> str:
    """Find the rotation key that signed; another process may have just decided which there are."""
    if isinstance(stated.said, First):
        found = _signed_by(stated.said.rotation_keys, stated)
    elif isinstance(stated.said, Rescue) and not stated.signature:
        await _known(api, stated)
        return ""
    else:
        await _known(api, stated)
        found = _signed_by(_rotation_keys(api, stated), stated)
        if found is None:
            await catch_up(api)
            found = _signed_by(_rotation_keys(api, stated), stated)
    if found is None:
        raise ProblemError("invalid_signature", "the signature is by no rotation key of the DID over this operation")
    return found


async def _known(api: Api, stated: Stated) -> None:
    store: Any = api.mirror.store  # only asked by key
    if identifier(store, stated.did) is None:
        await catch_up(api)
        if identifier(api.mirror.store, stated.did) is None:  # type: ignore[arg-type]  # only asked by key
            raise ProblemError("not_found", "there is no such DID")


def _rotation_keys(api: Api, stated: Stated) -> Iterable[str]:
    """Give the rotation keys that may have signed: which of them rules is the decider's to say.

    They are those of now, of a recovery that may have become due, of where a recovery forks off, of what the operation
    itself brings where guardians vouch for it, and of before it where it was decided already.
    """
    store: Any = api.mirror.store  # only asked by key
    known = identifier(store, stated.did)
    if known is None:
        return ()
    found = [*known.rotation_keys, *(() if known.recovery is None else known.recovery.rotation_keys)]
    fork = operation(store, stated.did, stated.said.prev)
    stood = None if fork is None else stood_after(store, stated.did, fork)
    before = operation(store, stated.did, stated.hash)
    found += [*(() if stood is None else stood.rotation_keys), *(() if before is None else before.rotation_keys)]
    found += stated.said.rotation_keys if isinstance(stated.said, Rescue) else ()
    return dict.fromkeys(found)


def _signed_by(rotation_keys: Iterable[str], stated: Stated) -> str | None:
    for multibase in rotation_keys:
        try:
            verify_key(usable_key(multibase), stated.signed_bytes, stated.signature)
        except (InvalidKey, InvalidSignature):
            continue
        return multibase
    return None


def _approvals(api: Api, stated: Stated) -> tuple[Approval, ...]:
    """Check what guardians signed, each by a key of its own."""
    content = approval_signed_bytes(stated.sent)
    found: list[Approval] = []
    for number, each in enumerate(stated.said.approvals):
        key_id = each.key_id or ""
        try:
            multibase, seen_at = _approved(api, each.did, key_id, content, each.signature)
        except (ProblemError, InvalidSignature) as error:
            pointer, detail = f"{OPERATION}/approvals/{number}", error.detail or "the approval does not hold"
            raise ProblemError("invalid_signature", f"{pointer}: {detail}", errors=[(pointer, detail)]) from None
        found.append(Approval(each.did, key_id, multibase, each.signature, seen_at))
    return tuple(found)


def _approved(api: Api, did: str, key_id: str, content: bytes, signature: str) -> tuple[str, str]:
    """Give the key by which a guardian signed, and where it was seen to hold. Raises ProblemError, InvalidSignature."""
    if is_registered(did):
        key = registered_key(api.mirror, did, key_id, ASSERTION)
        verify_key(key.key, content, signature)
        return key.multibase, key.seen_at
    own = parse_did(did).key
    verify("eip191" if own is None else own.type, did, content, signature)
    return "" if own is None else own.multibase, ""


def payload_of(operation: Authorised) -> Any:
    """Give the command of an operation; the claim of its handle is still to come."""
    did, said, signed = operation.stated.did, operation.stated.said, operation.signed
    match said:
        case First():
            return CreateDid(did, signed, tuple(said.rotation_keys), keys_of(said.keys), said.handle, None)
        case Rotation():
            return RotateKeys(did, signed, keys_of(said.add), tuple(said.end), said.overlap_s * SECOND_MS)
        case Revocation():
            since = None if said.since is None else read_time(said.since)
            return RevokeKey(did, signed, said.key_id, said.reason, since)
        case Rescue():
            new = (tuple(said.rotation_keys), keys_of(said.keys))
            return RecoverByGuardians(did, signed, *new, operation.approvals)
        case Anew():
            return RecoverDid(did, signed, tuple(said.rotation_keys), keys_of(said.keys))
        case Naming():
            return SetHandle(did, signed, said.handle, None)
        case Guarding():
            return SetGuardians(did, signed, Guardians(tuple(said.dids), said.threshold, said.delay_s))
        case Cancelling():
            return CancelRecovery(did, signed, said.operation)
    raise TypeError(said)


def intent_of(operation: Authorised, route: str, path: dict[str, str], given_key: str | None) -> Intent:
    """Make the intent of an operation; its content is its key where none was given."""
    stated = operation.stated
    asked_hash = signed_hash(route, path, stated.signed_bytes)
    name = command_id(stated.did, asked_hash, idempotency_key=given_key, content_id=stated.hash)
    return Intent(name, stated.did, stated.did, payload_of(operation), asked_hash, given_key, None)
