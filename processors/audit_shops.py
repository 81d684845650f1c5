"""Frames, registries and who is in them before the auditor: terms within their bounds, and fees by those terms."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from domain.decider import Change
from domain.did import identity
from domain.ledger.account import AccountFrozen, AccountUnfrozen
from domain.ledger.agent import AgentRegistered
from domain.ledger.developer import DeveloperRegistered, InvitesIssued
from domain.ledger.frame import FrameOpened, TokensBurned, TokensMinted, VelocityMeasured
from domain.ledger.registry import ParameterChanged, RegistryChanged, RegistryOpened, Terms
from log.fold import Entries
from processors.audit_names import Fault, require

WHOLE: Final = 10_000
"""All of something, in basis points."""
LEAST_FEE_BPS: Final = 50
MOST_FEE_BPS: Final = 500
ACROSS_FEE_BPS: Final = 50
MICRO: Final = 1_000_000
BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "fee_bps": (LEAST_FEE_BPS, MOST_FEE_BPS),
    "step_bps": (0, MOST_FEE_BPS),
    "velocity_threshold_bps": (1, 100 * WHOLE),
    "genesis_grant": (0, 100_000 * MICRO),
    "base_apy_bps": (0, 1_500),
    "quorum_bps": (0, WHOLE),
    "threshold_bps": (0, WHOLE),
}


class Frame(NamedTuple):
    """A frame: whether it may mint, and its last velocity."""

    mints: bool
    velocity_bps: int = 0


class Shop(NamedTuple):
    """A registry: its frame, its treasury, its terms by name, what is staked in it, and its proposals so far."""

    frame_id: str
    treasury: str
    terms: Mapping[str, Any]
    staked: int = 0
    proposals: int = 0


class Holder(NamedTuple):
    """An account: whose it is, and whether it is frozen."""

    frame_id: str
    registry_id: str
    owner: str
    frozen: bool = False


def frame(state: Entries, frame_id: str) -> Frame:
    """Find a frame. Raises Fault."""
    entry = state.get(f"own/frame/{frame_id}")
    if entry is None:
        raise Fault("frame", f"there is no frame {frame_id}")
    return Frame(*entry)


def shop(state: Entries, frame_id: str, registry_id: str) -> Shop:
    """Find a registry of a frame. Raises Fault."""
    entry = state.get(f"own/shop/{registry_id}")
    if entry is None or entry[0] != frame_id:
        raise Fault("registry", f"{registry_id} is no registry of {frame_id}")
    return Shop(*entry)


def holder(state: Entries, frame_id: str, account: str, *, thawed: bool = True) -> Holder:
    """Find an account of a frame, which isn't frozen where it sends or receives. Raises Fault."""
    entry = state.get(f"own/account/{account}")
    if entry is None or entry[0] != frame_id:
        raise Fault("account", f"{account} is no account of {frame_id}")
    found = Holder(*entry)
    require(not (thawed and found.frozen), "frozen", f"{account} is frozen")
    return found


def fee(amount: int, bps: int) -> int:
    """Give a fee in micro-AVT, rounded up."""
    return (amount * bps + WHOLE - 1) // WHOLE


def fee_inside(state: Entries, frame_id: str, registry_id: str, amount: int) -> int:
    """Give what a transfer inside a registry pays now."""
    terms = shop(state, frame_id, registry_id).terms
    steps = frame(state, frame_id).velocity_bps // terms["velocity_threshold_bps"]
    bps = min(max(terms["fee_bps"] + terms["step_bps"] * steps, LEAST_FEE_BPS), MOST_FEE_BPS)
    return fee(amount, bps)


def _terms(terms: Terms) -> dict[str, Any]:
    """Give terms by name. Raises Fault where one is outside its bounds."""
    for name, (least, most) in BOUNDS.items():
        value = getattr(terms, name)
        require(least <= value <= most, "bounds", f"{name} is {value}, and may be {least} to {most}")
    named = {name: getattr(terms, name) for name in BOUNDS}
    flags = {name: getattr(terms, name) for name in ("genesis_enabled", "invite_required", "mint_rewards")}
    return named | flags | {"premiums": {str(each.lock_days): each.bps for each in terms.premiums}}


def _open(state: Entries, account: str, held: Holder) -> Change:
    require(state.get(f"own/account/{account}") is None, "uniqueness", f"{account} was opened before")
    return f"own/account/{account}", held


def opened(state: Entries, event: FrameOpened, _at: int) -> Iterator[Change]:
    """A frame opens once; a federated one doesn't mint."""
    key = f"own/frame/{event.frame_id}"
    require(state.get(key) is None, "uniqueness", f"{event.frame_id} was opened before")
    known = event.mode in {"federated", "sovereign"} and event.minting in {"disabled", "enabled"}
    require(known and (event.mode, event.minting) != ("federated", "enabled"), "bounds", "a federated frame mints")
    yield key, Frame(event.minting == "enabled")


def measured(state: Entries, event: VelocityMeasured, _at: int) -> Iterator[Change]:
    """A velocity is volume over what circulates."""
    known = frame(state, event.frame_id)
    right = event.velocity_bps == event.volume * WHOLE // max(event.circulating, 1)
    require(right, "velocity", "the velocity isn't the volume over what circulates")
    yield f"own/frame/{event.frame_id}", known._replace(velocity_bps=event.velocity_bps)


def coined(state: Entries, event: TokensMinted | TokensBurned, _at: int) -> Iterator[Change]:
    """Tokens begin and end where the frame may mint."""
    require(frame(state, event.frame_id).mints, "minting", f"{event.frame_id} doesn't mint")
    require(event.amount > 0, "amount", "the amount isn't positive")
    holder(state, event.frame_id, event.account)
    yield from ()


def shop_opened(state: Entries, event: RegistryOpened, _at: int) -> Iterator[Change]:
    """A registry opens once, with terms within their bounds and a treasury of its opener."""
    key = f"own/shop/{event.registry_id}"
    frame(state, event.frame_id)
    require(state.get(key) is None, "uniqueness", f"{event.registry_id} was opened before")
    yield key, Shop(event.frame_id, event.treasury, _terms(event.terms))
    yield _open(state, event.treasury, Holder(event.frame_id, event.registry_id, event.opened_by))


def shop_changed(state: Entries, event: RegistryChanged, _at: int) -> Iterator[Change]:
    """Terms change within their bounds."""
    known = shop(state, event.frame_id, event.registry_id)
    yield f"own/shop/{event.registry_id}", known._replace(terms=_terms(event.terms))


def voted(state: Entries, event: ParameterChanged, _at: int) -> Iterator[Change]:
    """A parameter changes once, by a proposal that passed and said so, within its bounds."""
    known = shop(state, event.frame_id, event.registry_id)
    entry = state.get(f"own/proposal/{event.proposal_id}")
    asked = entry is not None and (entry[0], entry[2], entry[3]) == (event.registry_id, event.parameter, event.value)
    require(
        asked and entry is not None and entry[6] == "passed", "proposal", f"{event.proposal_id} passed no such change"
    )
    name = event.parameter.replace("genesis.", "genesis_")
    if name in BOUNDS:
        require(event.value.isdigit(), "bounds", f"{name} is no number")
        least, most = BOUNDS[name]
        require(least <= int(event.value) <= most, "bounds", f"{name} is {event.value}, and may be {least} to {most}")
    value: Any = int(event.value) if name in BOUNDS else event.value == "true"
    yield f"own/shop/{event.registry_id}", known._replace(terms={**known.terms, name: value})
    if entry is not None:
        yield f"own/proposal/{event.proposal_id}", (*entry[:6], "applied", *entry[7:])


def invited(state: Entries, event: InvitesIssued, _at: int) -> Iterator[Change]:
    """Codes are issued by a registry that is there."""
    shop(state, event.frame_id, event.registry_id)
    for code in event.code_hashes:
        yield f"own/invite/{event.registry_id}/{code}", (1,)


def developer(state: Entries, event: DeveloperRegistered, _at: int) -> Iterator[Change]:
    """A developer is in a frame once, used up an invite where one is asked for, and got the grant."""
    terms = shop(state, event.frame_id, event.registry_id).terms
    key = f"own/developer/{event.frame_id}/{identity(event.did)}"
    require(state.get(key) is None, "uniqueness", f"{event.did} was registered before")
    if event.authority is None:
        itself = identity(event.registered_by) == identity(event.did)
        require(itself, "authority", f"{event.did} was registered by another without authority")
    invite = f"own/invite/{event.registry_id}/{event.invite_hash}"
    if event.invite_hash is not None:
        require(state.get(invite) is not None, "invite", "the invite was used up, or is none")
        yield invite, None
    require(event.invite_hash is not None or not terms["invite_required"], "invite", "there is no invite")
    grant = terms["genesis_grant"] if terms["genesis_enabled"] else 0
    require(event.grant == grant, "grant", f"the grant is {event.grant}, and by the terms {grant}")
    yield key, (event.account,)
    yield _open(state, event.account, Holder(event.frame_id, event.registry_id, event.did))


def agent(state: Entries, event: AgentRegistered, _at: int) -> Iterator[Change]:
    """An agent is in a registry once, by a developer of the frame."""
    shop(state, event.frame_id, event.registry_id)
    by = f"own/developer/{event.frame_id}/{identity(event.developer_did)}"
    require(state.get(by) is not None, "developer", f"{event.developer_did} is no developer here")
    yield _open(state, event.account, Holder(event.frame_id, event.registry_id, event.did))


def frozen(state: Entries, event: AccountFrozen | AccountUnfrozen, _at: int) -> Iterator[Change]:
    """An account is frozen or not, in turns."""
    freezes = isinstance(event, AccountFrozen)
    known = holder(state, event.frame_id, event.account, thawed=False)
    require(known.frozen != freezes, "frozen", f"{event.account} was so before")
    yield f"own/account/{event.account}", known._replace(frozen=freezes)
