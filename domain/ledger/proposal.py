"""A proposal is text or a change of a registry's terms, which those vote on who had a stake when it was made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity
from domain.ledger.account import Mandate, check_mandate, nonce_key
from domain.ledger.power import power_at
from domain.ledger.registry import (
    BOUNDS,
    PARAMETERS,
    ParameterChanged,
    Registry,
    out_of_bounds,
    registry,
    registry_key,
    terms_of,
)
from domain.ledger.volume import BPS

OPEN_FOR_MS: Final = (5_000, 90 * 86_400_000)
CHOICES: Final = ("yes", "no", "abstain")


@dataclass(frozen=True, slots=True)
class ProposalOpened:
    """A registry's stakers are asked until ``ends_at`` (ms); ``electorate`` is all that is staked, in micro-AVT."""

    proposal_id: str
    frame_id: str
    registry_id: str
    number: int
    kind: str
    title: str
    text: str | None
    parameter: str | None
    value: str | None
    ends_at: int
    electorate: int
    opened_by: str


@dataclass(frozen=True, slots=True)
class VoteCast:
    """A staker's choice, with its power at the proposal's position; the last one before the end counts."""

    proposal_id: str
    frame_id: str
    voter: str
    choice: str
    power: int
    mandate: Mandate


@dataclass(frozen=True, slots=True)
class ProposalTallied:
    """The votes were counted; ``status`` is passed or rejected."""

    proposal_id: str
    frame_id: str
    registry_id: str
    status: str
    yes: int
    no: int
    abstain: int
    electorate: int


class Proposal(NamedTuple):
    """A proposal's entry in the state; powers in micro-AVT."""

    frame_id: str
    registry_id: str
    number: int
    parameter: str | None
    value: str | None
    ends_at: int
    electorate: int
    status: str = "open"
    yes: int = 0
    no: int = 0
    abstain: int = 0


def proposal_key(proposal_id: str) -> str:
    """Give the key of a proposal's entry."""
    return f"proposal/{proposal_id}"


def vote_key(proposal_id: str, voter: str) -> str:
    """Give the key of a DID's vote: (choice, power)."""
    return f"vote/{proposal_id}/{identity(voter)}"


ProposalEvent = ProposalOpened | VoteCast | ProposalTallied


def evolve(state: State, event: ProposalEvent, _at: int) -> Iterable[Change]:
    """Fold one event of a proposal."""
    key = proposal_key(event.proposal_id)
    match event:
        case ProposalOpened(_, frame_id, registry_id, number):
            shop = registry_key(registry_id)
            yield shop, Registry(*state[shop])._replace(proposals=number)
            asked = (event.parameter, event.value, event.ends_at, event.electorate)
            yield key, Proposal(frame_id, registry_id, number, *asked)
        case VoteCast():
            counted = Proposal(*state[key])._asdict()
            before = state.get(vote_key(event.proposal_id, event.voter))
            if before is not None:
                counted[before[0]] -= before[1]
            counted[event.choice] += event.power
            yield key, Proposal(**counted)
            yield vote_key(event.proposal_id, event.voter), (event.choice, event.power)
            yield nonce_key(event.frame_id, event.mandate.signed_by, event.mandate.nonce), ()
        case ProposalTallied():
            yield key, Proposal(*state[key])._replace(status=event.status)


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """Ask a registry's stakers; the actor is one of them."""

    proposal_id: str
    frame_id: str
    registry_id: str
    kind: str
    title: str
    text: str | None
    parameter: str | None
    value: str | None
    ends_at: int


@dataclass(frozen=True, slots=True)
class CastVote:
    """Choose; the mandate's signer votes."""

    proposal_id: str
    frame_id: str
    choice: str
    mandate: Mandate


@dataclass(frozen=True, slots=True)
class TallyProposal:
    """Count the votes of a proposal whose time is over."""

    proposal_id: str
    frame_id: str


ProposalCommand = OpenProposal | CastVote | TallyProposal


class ProposalRefusal(StrEnum):
    """Why a proposal stays as it is, in order of precedence."""

    NOT_FOUND = "not_found"
    OUT_OF_BOUNDS = "out_of_bounds"
    INVALID_REQUEST = "invalid_request"
    VOTING_CLOSED = "voting_closed"
    VOTING_OPEN = "voting_open"
    NO_VOTING_POWER = "no_voting_power"


def check_value(parameter: str, value: str) -> Refusal | None:
    """Refuse what is no parameter, and what a parameter can't be."""
    name = PARAMETERS.get(parameter)
    if name is None:
        detail = f"a parameter is one of {', '.join(PARAMETERS)}"
        return Refusal(ProposalRefusal.INVALID_REQUEST, {"pointer": "/parameter", "detail": detail})
    if name not in BOUNDS:
        wrong = Refusal(ProposalRefusal.INVALID_REQUEST, {"pointer": "/value", "detail": "this is true or false"})
        return None if value in ("true", "false") else wrong
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        detail = "this is a whole number in plain digits"
        return Refusal(ProposalRefusal.INVALID_REQUEST, {"pointer": "/value", "detail": detail})
    low, high = BOUNDS[name]
    return None if low <= int(value) <= high else out_of_bounds(parameter, low, high)


def decide(
    state: State, command: ProposalCommand, around: Circumstances
) -> Sequence[ProposalEvent | ParameterChanged] | Refusal:
    """Rule on a command about a proposal."""
    if isinstance(command, OpenProposal):
        return decide_open(state, command, around)
    entry = state.get(proposal_key(command.proposal_id))
    known = None if entry is None else Proposal(*entry)
    if known is None or known.frame_id != command.frame_id:
        return Refusal(ProposalRefusal.NOT_FOUND, {"proposal_id": command.proposal_id})
    closed = Refusal(ProposalRefusal.VOTING_CLOSED, {"proposal_id": command.proposal_id})
    if isinstance(command, CastVote):
        voter = command.mandate.signed_by
        refusal = check_mandate(state, known.frame_id, voter, command.mandate, around.now)
        if refusal is not None:
            return refusal
        if command.choice not in CHOICES:
            detail = f"a choice is one of {', '.join(CHOICES)}"
            return Refusal(ProposalRefusal.INVALID_REQUEST, {"pointer": "/choice", "detail": detail})
        if known.status != "open" or known.ends_at <= around.now:
            return closed
        power = power_at(state, known.registry_id, voter, known.number)
        if not power:
            return Refusal(ProposalRefusal.NO_VOTING_POWER, {"did": voter})

        return [VoteCast(command.proposal_id, known.frame_id, voter, command.choice, power, command.mandate)]
    if known.status != "open":
        return closed
    if known.ends_at > around.now:
        return Refusal(ProposalRefusal.VOTING_OPEN, {"proposal_id": command.proposal_id})
    return tally(state, command.proposal_id, known)


def decide_open(state: State, command: OpenProposal, around: Circumstances) -> Sequence[ProposalEvent] | Refusal:
    """Rule on a new proposal."""
    known = registry(state, command.registry_id, command.frame_id)
    if known is None:
        return Refusal(ProposalRefusal.NOT_FOUND, {"registry_id": command.registry_id})
    if not OPEN_FOR_MS[0] <= command.ends_at - around.now <= OPEN_FOR_MS[1]:
        detail = "ends_at is from 5 s to 90 days ahead of the log's time"
        return Refusal(ProposalRefusal.OUT_OF_BOUNDS, {"bound": "ends_at", "detail": detail})
    if command.parameter is not None and command.value is not None:
        refusal = check_value(command.parameter, command.value)
        if refusal is not None:
            return refusal
    number = known.proposals + 1
    if not power_at(state, command.registry_id, around.actor, number):
        return Refusal(ProposalRefusal.NO_VOTING_POWER, {"did": around.actor})

    return [
        ProposalOpened(
            command.proposal_id,
            command.frame_id,
            command.registry_id,
            number,
            command.kind,
            command.title,
            command.text,
            command.parameter,
            command.value,
            command.ends_at,
            known.staked,
            around.actor,
        )
    ]


def tally(state: State, proposal_id: str, known: Proposal) -> Sequence[ProposalEvent | ParameterChanged]:
    """Count: it passes when enough voted, and strictly more than the threshold of yes and no said yes."""
    terms = terms_of(Registry(*state[registry_key(known.registry_id)]))
    turnout, decided = known.yes + known.no + known.abstain, known.yes + known.no
    enough = turnout * BPS >= terms.quorum_bps * known.electorate
    passed = enough and known.yes * BPS > terms.threshold_bps * decided
    counted = ProposalTallied(
        proposal_id,
        known.frame_id,
        known.registry_id,
        "passed" if passed else "rejected",
        known.yes,
        known.no,
        known.abstain,
        known.electorate,
    )
    if not passed or known.parameter is None or known.value is None:
        return [counted]
    changed = ParameterChanged(known.frame_id, known.registry_id, proposal_id, known.parameter, known.value)
    return [counted, changed]


PROPOSAL = Decider(initial={}, decide=decide, evolve=evolve)
