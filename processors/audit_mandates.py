"""What a command on the ledger must be by itself: signed by whom it says, and saying what was signed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from domain.catalog import BY_CLASS
from domain.ledger.frame import MeasureVelocity
from domain.ledger.payment import ExpirePayment, HoldPayment
from domain.ledger.proposal import CastVote, TallyProposal
from domain.ledger.reward import CloseRewardDay, OpenRewardDay, RewardStakes
from domain.ledger.stake import PlaceStake, WithdrawStake
from domain.ledger.transfer import PostTransfer
from domain.ledger.transit import AbortTransfer, AcceptTransfer, CommitTransfer, RejectTransfer
from log.canonical import NotCanonicalizable, base32_id, canonical_json
from log.message import Command
from log.statements import mandate_prefixes
from log.strict_json import MalformedJson, parse
from processors.audit_base32 import names
from processors.audit_names import REACTOR, Fault, check_id, require
from processors.audit_statements import check_session, is_time, same_did, verify_signature

OF_REACTORS: Final = (
    AcceptTransfer,
    RejectTransfer,
    CommitTransfer,
    AbortTransfer,
    ExpirePayment,
    TallyProposal,
    OpenRewardDay,
    RewardStakes,
    CloseRewardDay,
    MeasureVelocity,
)
"""What our own processes ask for: no person signs it, so its rule alone must hold."""
ID_LETTERS: Final = 52
ALWAYS: Final = {"type", "nonce", "deadline"}


class Form(NamedTuple):
    """How an owner orders something: its name, and by each member that is signed the one of the command.

    ``named`` is the member that holds the order's own id; members in ``may`` can be left out.
    """

    what: str
    members: Mapping[str, str]
    named: str | None
    may: Sequence[str] = ()


FORMS: Final[Mapping[type, Form]] = {
    PostTransfer: Form(
        "transfer",
        {"from": "sender", "to": "receiver", "amount": "amount", "memo": "memo"},
        "transfer_id",
        ("memo",),
    ),
    HoldPayment: Form(
        "payment",
        {"from": "sender", "to": "receiver", "amount": "amount", "expires_at": "expires_at"},
        "payment_id",
        ("expires_at",),
    ),
    PlaceStake: Form("stake", {"account": "account", "amount": "amount", "lock_days": "lock_days"}, "stake_id"),
    WithdrawStake: Form("unstake", {"stake_id": "stake_id"}, None),
    CastVote: Form("vote", {"proposal_id": "proposal_id", "choice": "choice"}, None),
}
"""Every order that an owner signs."""


def check(command: Command) -> int:
    """Check a command and give how many signatures were verified. Raises Fault."""
    payload = command.payload
    require(command.type == BY_CLASS[type(payload)].name, "type", "the command's type isn't that of its payload")
    if isinstance(payload, OF_REACTORS):
        require(command.actor == REACTOR, "actor", "only a reactor may ask for this")
        require(command.signature is None, "signature", "a reactor signs nothing")
        check_id(command, None, None)
        return 0
    form = FORMS.get(type(payload))
    if form is None:
        check_session(command)
        check_id(command, None, None)
    else:
        check_id(command, None, _check_order(command, form))
    return 1


def _check_order(command: Command, form: Form) -> str:
    """Check that an owner signed just what a command says, and give the order's id. Raises Fault."""
    payload, held = command.payload, command.signature
    if held is None:
        raise Fault("signature", "the command has no signature")
    mandate = payload.mandate
    require(same_did(held.did, mandate.signed_by), "mandate", "the mandate names another signer than the signature")
    require(same_did(command.actor, mandate.signed_by), "actor", "the actor isn't the signer")
    require(mandate.key_id == held.key_id, "mandate", "the mandate names another key than the signature")
    said = _parsed(held.signed_bytes)
    require(said.get("type") == f"muniment.{form.what}.v1", "mandate", f"what was signed is no {form.what}")
    wanted = ALWAYS | form.members.keys() | ({"key_id"} if mandate.key_id is not None else set())
    there = said.keys()
    require(wanted - set(form.may) <= there <= wanted, "mandate", f"what was signed has {', '.join(sorted(there))}")
    for member, name in form.members.items():
        value = getattr(payload, name)
        same = SAME.get(member, _equal)(said.get(member), value)
        require(same, "mandate", f"{member} was signed as {said.get(member)!r}, and the command says {value!r}")
    require(said.get("key_id") == mandate.key_id, "mandate", "the key isn't the one that was signed")
    require(said["nonce"] == mandate.nonce, "mandate", "the nonce isn't what was signed")
    require(is_time(said["deadline"], mandate.deadline), "mandate", "the deadline isn't what was signed")
    digest = hashlib.sha256(held.signed_bytes).digest()
    prefix = mandate_prefixes[form.what]
    verify_signature(held)
    if form.named is None:
        return base32_id(prefix, digest)
    given: str = getattr(payload, form.named)
    letters = given.removeprefix(prefix)
    formed = given.startswith(prefix) and len(letters) == ID_LETTERS
    require(formed and names(letters, digest), form.named, f"{given} isn't the id of what was signed")
    return given


def _parsed(signed: bytes) -> dict[str, Any]:
    try:
        said: Any = parse(signed)
        canonical = isinstance(said, dict) and canonical_json(said) == signed
    except (MalformedJson, NotCanonicalizable):
        raise Fault("signature", "what was signed is no JSON") from None
    require(canonical, "signature", "what was signed isn't in its canonical form")
    found: dict[str, Any] = said
    return found


def _equal(said: Any, held: Any) -> bool:
    return type(said) is type(held) and bool(said == held)


def _amount(said: Any, held: int) -> bool:
    plain = isinstance(said, str) and said.isascii() and said.isdigit() and len(said) <= len(str(2**63))
    return plain and int(said) == held


SAME: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"amount": _amount, "expires_at": is_time}
"""How a member that was signed is compared where it lies in another form in the command."""
