"""What the ledger has to be asked for: transfers under way, and what ends or is paid by the clock.

It holds, by key:

- ``transit/<transfer>``: prepared and neither committed nor aborted; ``landed/<transfer>``: what the receiving side
  decided. The two partitions have no order among them, so either can be folded first;
- ``hold/<ms>/<payment>`` and ``ballot/<ms>/<proposal>``: what ends, in the order of its end, with its frame;
- ``ends/<id>``: where in that order something lies;
- ``frame/<frame>``; ``shop/<registry>``: its frame, its terms, and the last day that it paid rewards for;
- ``stake/<registry>/<stake>``: what earns, with when it was placed and withdrawn.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from domain.decider import Change
from domain.ledger.frame import FrameOpened
from domain.ledger.payment import PaymentCancelled, PaymentClaimed, PaymentExpired, PaymentHeld
from domain.ledger.proposal import ProposalOpened, ProposalTallied
from domain.ledger.registry import (
    ParameterChanged,
    Registry,
    RegistryChanged,
    RegistryOpened,
    changed_terms,
    terms_entry,
    terms_of,
)
from domain.ledger.reward import RewardDayClosed, RewardDayOpened
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from domain.ledger.transit import (
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)
from log.fold import Overlay
from log.store import MemoryStore, Store
from processors.agenda_entries import number
from processors.context_agenda import ContextAgenda

CONTEXT: Final = "ledger"
NEVER_PAID: Final = -1


class Transit(NamedTuple):
    """A transfer that was prepared; ``prepared_at`` is ``context/partition/offset``, ``at`` when (ms)."""

    frame_id: str
    receiver_frame: str
    sender: str
    receiver: str
    amount: int
    timeout_at: int
    prepared_at: str
    at: int


class Landed(NamedTuple):
    """What the receiving side decided, and where: ``reason`` is there where it rejected."""

    sender_frame: str
    reason: str | None
    seen_at: str


class Shop(NamedTuple):
    """A registry: its terms, and the last day (from 1970) that it opened rewards for."""

    frame_id: str
    terms: tuple[Any, ...]
    day: int = NEVER_PAID
    open: bool = False


class Lying(NamedTuple):
    """A stake as it earns; times in ms."""

    amount: int
    lock_days: int
    placed_at: int
    withdrawn_at: int | None


def _shop_changes(overlay: Overlay, event: Any) -> Iterator[Change]:
    key = f"shop/{event.registry_id}"
    if isinstance(event, RegistryOpened):
        yield key, Shop(event.frame_id, terms_entry(event.terms))
        return
    shop = Shop(*overlay[key])
    match event:
        case RegistryChanged():
            yield key, shop._replace(terms=terms_entry(event.terms))
        case ParameterChanged():
            terms = terms_of(Registry(shop.frame_id, "", "", shop.terms))
            yield key, shop._replace(terms=terms_entry(changed_terms(terms, event.parameter, event.value)))
        case RewardDayOpened():
            yield key, shop._replace(day=event.day, open=True)
        case RewardDayClosed():
            yield key, shop._replace(open=False)


def _ending(kind: str, name: str, ends_at: int, frame_id: str) -> Iterator[Change]:
    key = f"{kind}/{number(ends_at)}/{name}"
    yield key, (frame_id,)
    yield f"ends/{name}", (key,)


def _ended(overlay: Overlay, name: str) -> Iterator[Change]:
    entry = overlay.get(f"ends/{name}")
    if entry is not None:
        yield entry[0], None
        yield f"ends/{name}", None


def _transit_changes(event: Any, at: int, where: str) -> Iterator[Change]:
    name = event.transfer_id
    match event:
        case TransferPrepared():
            said = (event.frame_id, event.receiver_frame, event.sender, event.receiver, event.amount)
            yield f"transit/{name}", Transit(*said, event.timeout_at, where, at)
        case TransferAccepted():
            yield f"landed/{name}", Landed(event.sender_frame, None, where)
        case TransferRejected():
            yield f"landed/{name}", Landed(event.sender_frame, event.reason, where)
        case TransferCommitted() | TransferAborted():
            # The sending side ends only what it saw decided, so neither comes again.
            yield f"transit/{name}", None
            yield f"landed/{name}", None


TRANSITS: Final = (TransferPrepared, TransferAccepted, TransferRejected, TransferCommitted, TransferAborted)
SHOPS: Final = (RegistryOpened, RegistryChanged, ParameterChanged, RewardDayOpened, RewardDayClosed)


def changes(overlay: Overlay, event: Any, at: int, where: str) -> Iterator[Change]:
    """Give what an event changes of what is to be asked for."""
    if isinstance(event, TRANSITS):
        yield from _transit_changes(event, at, where)
    elif isinstance(event, SHOPS):
        yield from _shop_changes(overlay, event)
    match event:
        case FrameOpened():
            yield f"frame/{event.frame_id}", ()
        case PaymentHeld():
            yield from _ending("hold", event.payment_id, event.expires_at, event.frame_id)
        case PaymentClaimed() | PaymentCancelled() | PaymentExpired():
            yield from _ended(overlay, event.payment_id)
        case ProposalOpened():
            yield from _ending("ballot", event.proposal_id, event.ends_at, event.frame_id)
        case ProposalTallied():
            yield from _ended(overlay, event.proposal_id)
        case StakePlaced():
            lying = Lying(event.amount, event.lock_days, at, None)
            yield f"stake/{event.registry_id}/{event.stake_id}", lying
        case StakeWithdrawn():
            key = f"stake/{event.registry_id}/{event.stake_id}"
            yield key, Lying(*overlay[key])._replace(withdrawn_at=at)


class LedgerAgenda(ContextAgenda):
    """Follows the ledger into a store of its own."""

    def __init__(self, store: Store | MemoryStore) -> None:
        super().__init__(store, changes)
