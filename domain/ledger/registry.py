"""A registry is an operator's shop in a frame; its terms keep to bounds that no operator and no vote can leave."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.ledger.account import Account, account_id, account_key
from domain.ledger.frame import frame
from domain.ledger.volume import BPS

AVT: Final = 1_000_000
"""Micro-AVT in one AVT."""
FEE_BPS: Final = (50, 500)
CROSS_FEE_BPS: Final = 50
LOCKS: Final = (0, 30, 90, 180, 365)
"""Days that a stake can be locked for."""


@dataclass(frozen=True, slots=True)
class Premium:
    """What a lock adds to the base APY."""

    lock_days: int
    bps: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What a registry charges, grants and asks; rates in basis points, the grant in micro-AVT."""

    fee_bps: int = 50
    step_bps: int = 0
    velocity_threshold_bps: int = 1_000
    genesis_enabled: bool = True
    genesis_grant: int = 1_000 * AVT
    invite_required: bool = False
    base_apy_bps: int = 500
    premiums: tuple[Premium, ...] = (Premium(30, 100), Premium(90, 200), Premium(180, 300), Premium(365, 500))
    mint_rewards: bool = False
    quorum_bps: int = 2_000
    threshold_bps: int = 5_000


BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "fee_bps": FEE_BPS,
    "step_bps": (0, 500),
    "velocity_threshold_bps": (1, 1_000_000),
    "genesis_grant": (0, 100_000 * AVT),
    "base_apy_bps": (0, 1_500),
    "quorum_bps": (0, BPS),
    "threshold_bps": (0, BPS),
}
"""By term the least and the most that it may be."""
PREMIUM_BPS: Final = (0, 10_000)
PARAMETERS: Final[Mapping[str, str]] = {
    "fee_bps": "fee_bps",
    "step_bps": "step_bps",
    "base_apy_bps": "base_apy_bps",
    "genesis.grant": "genesis_grant",
    "genesis.enabled": "genesis_enabled",
    "invite_required": "invite_required",
    "quorum_bps": "quorum_bps",
    "threshold_bps": "threshold_bps",
}
"""What a vote can change: by the parameter's name the term that it is."""


@dataclass(frozen=True, slots=True)
class RegistryOpened:
    """A shop opens in a frame, with a treasury that its opener owns."""

    frame_id: str
    registry_id: str
    treasury: str
    terms: Terms
    opened_by: str
    authority: str


@dataclass(frozen=True, slots=True)
class RegistryChanged:
    """A registry has these terms from now on."""

    frame_id: str
    registry_id: str
    terms: Terms
    changed_by: str
    authority: str


@dataclass(frozen=True, slots=True)
class ParameterChanged:
    """A proposal that passed takes effect; ``value`` is digits, ``true`` or ``false``."""

    frame_id: str
    registry_id: str
    proposal_id: str
    parameter: str
    value: str


class Registry(NamedTuple):
    """A registry's entry in the state: its terms, and ``staked`` of all owners in micro-AVT."""

    frame_id: str
    opened_by: str
    treasury: str
    terms: tuple[Any, ...]
    staked: int = 0
    proposals: int = 0


def registry_key(registry_id: str) -> str:
    """Give the key of a registry's entry."""
    return f"registry/{registry_id}"


def registry(state: State, registry_id: str, frame_id: str | None = None) -> Registry | None:
    """Find a registry, of this frame if one is named."""
    entry = state.get(registry_key(registry_id))
    found = None if entry is None else Registry(*entry)
    return None if found is None or frame_id not in (None, found.frame_id) else found


def terms_entry(terms: Terms) -> tuple[Any, ...]:
    """Write terms as an entry holds them."""
    premiums = tuple((each.lock_days, each.bps) for each in terms.premiums)
    values = (getattr(terms, name) for name in Terms.__slots__)
    return tuple(premiums if name == "premiums" else value for name, value in zip(Terms.__slots__, values, strict=True))


def terms_of(found: Registry) -> Terms:
    """Read terms from an entry."""
    named = dict(zip(Terms.__slots__, found.terms, strict=True))
    return Terms(**{**named, "premiums": tuple(Premium(*each) for each in named["premiums"])})


def fee_bps(state: State, found: Registry) -> int:
    """Give what a transfer inside a registry pays now, by the frame's last measured velocity."""
    base, step, threshold = found.terms[:3]
    if not step:
        return int(base)
    known = frame(state, found.frame_id)
    steps = 0 if known is None else known.velocity_bps // threshold
    return int(max(FEE_BPS[0], min(FEE_BPS[1], base + step * steps)))


def fee_of(amount: int, bps: int) -> int:
    """Give a fee in micro-AVT, rounded up."""
    return -(-amount * bps // BPS)


def changed_terms(terms: Terms, parameter: str, value: str) -> Terms:
    """Give terms with one parameter as a vote set it."""
    name = PARAMETERS[parameter]
    changed: dict[str, Any] = {name: int(value) if name in BOUNDS else value == "true"}
    return replace(terms, **changed)


def evolve(state: State, event: RegistryOpened | RegistryChanged | ParameterChanged, _at: int) -> Iterable[Change]:
    """Fold one event of a registry."""
    key = registry_key(event.registry_id)
    match event:
        case RegistryOpened(frame_id, registry_id, treasury, terms, opened_by):
            yield key, Registry(frame_id, opened_by, treasury, terms_entry(terms))
            yield account_key(treasury), Account(frame_id, registry_id, opened_by, "treasury")
        case RegistryChanged():
            yield key, Registry(*state[key])._replace(terms=terms_entry(event.terms))
        case ParameterChanged():
            known = Registry(*state[key])
            terms = changed_terms(terms_of(known), event.parameter, event.value)
            yield key, known._replace(terms=terms_entry(terms))


@dataclass(frozen=True, slots=True)
class OpenRegistry:
    """Open a shop in a frame; ``authority`` is where the actor was seen to be an admin."""

    frame_id: str
    registry_id: str
    terms: Terms
    authority: str


@dataclass(frozen=True, slots=True)
class ChangeRegistry:
    """Change some of a registry's terms: those that aren't named stay; ``authority`` as in OpenRegistry."""

    frame_id: str
    registry_id: str
    fee_bps: int | None
    step_bps: int | None
    velocity_threshold_bps: int | None
    genesis_enabled: bool | None
    genesis_grant: int | None
    invite_required: bool | None
    base_apy_bps: int | None
    premiums: tuple[Premium, ...] | None
    mint_rewards: bool | None
    quorum_bps: int | None
    threshold_bps: int | None
    authority: str


class RegistryRefusal(StrEnum):
    """Why a registry stays as it is, in order of precedence."""

    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    OUT_OF_BOUNDS = "out_of_bounds"


def out_of_bounds(name: str, low: int, high: int) -> Refusal:
    """Refuse a term outside its bounds, naming them."""
    details = {"bound": name, "minimum": str(low), "maximum": str(high)}
    return Refusal(RegistryRefusal.OUT_OF_BOUNDS, {**details, "detail": f"{name} is from {low} to {high}"})


def check_bounds(terms: Terms) -> Refusal | None:
    """Refuse terms of which one is outside its bounds."""
    for name, (low, high) in BOUNDS.items():
        if not low <= getattr(terms, name) <= high:
            return out_of_bounds(name, low, high)
    for premium in terms.premiums:
        if not PREMIUM_BPS[0] <= premium.bps <= PREMIUM_BPS[1]:
            return out_of_bounds("premiums_bps", *PREMIUM_BPS)
    return None


def decide(
    state: State, command: OpenRegistry | ChangeRegistry, around: Circumstances
) -> Sequence[RegistryOpened | RegistryChanged] | Refusal:
    """Rule on a registry's terms."""
    frame_id, registry_id = command.frame_id, command.registry_id
    if isinstance(command, OpenRegistry):
        if frame(state, frame_id) is None:
            return Refusal(RegistryRefusal.NOT_FOUND, {"frame_id": frame_id})
        if registry(state, registry_id) is not None:
            return Refusal(RegistryRefusal.ALREADY_EXISTS, {"registry_id": registry_id})
        refusal = check_bounds(command.terms)
        if refusal is not None:
            return refusal

        treasury = account_id(frame_id, registry_id, around.actor, "treasury")
        return [RegistryOpened(frame_id, registry_id, treasury, command.terms, around.actor, command.authority)]
    known = registry(state, registry_id, frame_id)
    if known is None:
        return Refusal(RegistryRefusal.NOT_FOUND, {"registry_id": registry_id})
    named = {name: getattr(command, name) for name in Terms.__slots__}
    terms = replace(terms_of(known), **{name: value for name, value in named.items() if value is not None})
    refusal = check_bounds(terms)
    if refusal is not None:
        return refusal

    return [RegistryChanged(frame_id, registry_id, terms, around.actor, command.authority)]


REGISTRY = Decider(initial={}, decide=decide, evolve=evolve)
