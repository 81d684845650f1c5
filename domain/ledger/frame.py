"""A frame is one economy: its admin may mint and burn where it is sovereign and minting is enabled."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.ledger.account import AccountRefusal, account, frozen, insufficient, unknown
from domain.ledger.posting import (
    AVAILABLE,
    COUNTER,
    DESTROYED,
    ISSUED,
    MAX_AMOUNT,
    Posting,
    Supply,
    moved,
    post,
    room,
    supply,
    supply_key,
)
from domain.ledger.volume import BPS, volume_of_a_day

GENESIS: Final = "genesis"
"""The authority of the frame that an empty log begins with."""


@dataclass(frozen=True, slots=True)
class FrameOpened:
    """An economy begins, with no token in it."""

    frame_id: str
    mode: str
    minting: str
    opened_by: str
    authority: str


@dataclass(frozen=True, slots=True)
class TokensMinted:
    """An admin brought tokens into being."""

    frame_id: str
    account: str
    amount: int
    minted_by: str
    authority: str
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class TokensBurned:
    """An admin ended tokens."""

    frame_id: str
    account: str
    amount: int
    burned_by: str
    authority: str
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class VelocityMeasured:
    """How much of the frame's tokens moved in the last 24 hours, in basis points of those that circulate.

    Both fit 64 bits: a volume beyond is taken as the most that does.
    """

    frame_id: str
    volume: int
    circulating: int
    velocity_bps: int


FrameEvent = FrameOpened | TokensMinted | TokensBurned | VelocityMeasured


class Frame(NamedTuple):
    """A frame's entry in the state."""

    mode: str
    minting: str
    opened_by: str
    velocity_bps: int = 0


def frame_key(frame_id: str) -> str:
    """Give the key of a frame's entry."""
    return f"frame/{frame_id}"


def frame(state: State, frame_id: str) -> Frame | None:
    """Find a frame."""
    entry = state.get(frame_key(frame_id))
    return None if entry is None else Frame(*entry)


def evolve(state: State, event: FrameEvent, _at: int) -> Iterable[Change]:
    """Fold one event of a frame."""
    key = frame_key(event.frame_id)
    match event:
        case FrameOpened():
            yield key, Frame(event.mode, event.minting, event.opened_by)
            yield supply_key(event.frame_id), Supply()
        case VelocityMeasured():
            yield key, Frame(*state[key])._replace(velocity_bps=event.velocity_bps)
        case TokensMinted() | TokensBurned():
            yield from post(state, event.frame_id, event.postings)


@dataclass(frozen=True, slots=True)
class OpenFrame:
    """Begin an economy; ``authority`` is where the actor was seen to be an admin, or ``genesis`` on an empty log."""

    frame_id: str
    mode: str
    minting: str
    authority: str


@dataclass(frozen=True, slots=True)
class MintTokens:
    """Bring tokens into being; ``authority`` as in OpenFrame."""

    frame_id: str
    account: str
    amount: int
    authority: str


@dataclass(frozen=True, slots=True)
class BurnTokens:
    """End tokens; ``authority`` as in OpenFrame."""

    frame_id: str
    account: str
    amount: int
    authority: str


@dataclass(frozen=True, slots=True)
class MeasureVelocity:
    """Take the snapshot that fees go by until the next one."""

    frame_id: str


FrameCommand = OpenFrame | MintTokens | BurnTokens | MeasureVelocity


class FrameRefusal(StrEnum):
    """Why a frame stays as it is, in order of precedence; an account's refusals come behind these."""

    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    MINTING_DISABLED = "minting_disabled"
    OUT_OF_BOUNDS = "out_of_bounds"


def decide(state: State, command: FrameCommand, around: Circumstances) -> Sequence[FrameEvent] | Refusal:
    """Rule on a command about a frame."""
    known = frame(state, command.frame_id)
    if isinstance(command, OpenFrame):
        return decide_open(known, command, around)
    if known is None:
        return Refusal(FrameRefusal.NOT_FOUND, {"frame_id": command.frame_id})
    if isinstance(command, MeasureVelocity):
        circulating = supply(state, command.frame_id).circulating
        most = min(MAX_AMOUNT, MAX_AMOUNT * max(circulating, 1) // BPS)
        volume = min(volume_of_a_day(state, command.frame_id, around.now), most)

        return [VelocityMeasured(command.frame_id, volume, circulating, volume * BPS // max(circulating, 1))]
    return decide_money(state, known, command, around)


def decide_open(known: Frame | None, command: OpenFrame, around: Circumstances) -> Sequence[FrameEvent] | Refusal:
    """Rule on a new frame."""
    if command.authority == GENESIS and not around.first:
        return Refusal(FrameRefusal.FORBIDDEN, {"detail": "the log has begun: a frame is opened by an admin"})
    if known is not None:
        return Refusal(FrameRefusal.ALREADY_EXISTS, {"frame_id": command.frame_id})
    if command.mode == "federated" and command.minting != "disabled":
        detail = "a federated frame has minting disabled"
        return Refusal(FrameRefusal.OUT_OF_BOUNDS, {"bound": "minting", "detail": detail})

    return [FrameOpened(command.frame_id, command.mode, command.minting, around.actor, command.authority)]


def decide_money(
    state: State, known: Frame, command: MintTokens | BurnTokens, around: Circumstances
) -> Sequence[FrameEvent] | Refusal:
    """Rule on minting and burning."""
    frame_id, name, amount = command.frame_id, command.account, command.amount
    if known.mode != "sovereign" or known.minting != "enabled":
        return Refusal(FrameRefusal.MINTING_DISABLED, {"frame_id": frame_id})
    held = account(state, name)
    if held is None or held.frame_id != frame_id:
        return unknown(name)
    if amount <= 0:
        return Refusal(AccountRefusal.AMOUNT_NOT_POSITIVE, {"amount": str(amount)})
    if isinstance(command, BurnTokens):
        if held.available < amount:
            return insufficient(held.available, amount)
        if held.frozen:
            return frozen(name)

        postings = moved(amount, (name, AVAILABLE), (DESTROYED, COUNTER, amount))
        return [TokensBurned(frame_id, name, amount, around.actor, command.authority, postings)]
    if amount > room(state, frame_id):
        detail = f"a frame issues and holds at most {MAX_AMOUNT} micro-AVT"
        return Refusal(FrameRefusal.OUT_OF_BOUNDS, {"bound": "tokens_issued", "detail": detail})
    if held.frozen:
        return frozen(name)

    postings = moved(amount, (ISSUED, COUNTER), (name, AVAILABLE, amount))
    return [TokensMinted(frame_id, name, amount, around.actor, command.authority, postings)]


FRAME = Decider(initial={}, decide=decide, evolve=evolve)
