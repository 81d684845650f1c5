"""What is on its way between registries and frames, matched by transfer: nothing gets lost, nothing arrives twice."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain.ledger.transit import (
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)
from processors.audit_names import Fault

CONTEXT: Final = "ledger"
Cited = tuple[int, int] | None
"""A partition and an offset of this log, or nothing where a text is no position of it."""


class Departed(NamedTuple):
    """A transfer that was prepared and did not end; ``place`` is where."""

    frame_id: str
    receiver_frame: str
    receiver: str
    amount: int
    place: str


class Arrived(NamedTuple):
    """A transfer that was accepted before its preparation was read, which lies in another partition or log."""

    event: TransferAccepted
    prepared_at: Cited
    place: str


class Aborted(NamedTuple):
    """A transfer that returned before its rejection was read, which lies in another partition or log."""

    frame_id: str
    receiver_frame: str
    seen_at: Cited
    place: str


class Unmatched(NamedTuple):
    """What doesn't hold over all frames: the frame and the place where that shows."""

    frame_id: str
    place: str
    detail: str


def cited(text: str) -> Cited:
    """Read ``ledger/partition/offset``."""
    context, _, rest = text.partition("/")
    partition, _, offset = rest.partition("/")
    if context != CONTEXT or not all(part.isascii() and part.isdigit() for part in (partition, offset)):
        return None
    return int(partition), int(offset)


@dataclass(slots=True)
class Transits:
    """Every transfer in flight, and what went to frames of other logs for good (``abroad``, in micro-AVT)."""

    departed: dict[str, Departed] = field(default_factory=dict)
    arrived: dict[str, Arrived] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    committed: dict[str, Cited] = field(default_factory=dict)
    aborted: dict[str, Aborted] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    abroad: int = 0

    def prepare(self, event: TransferPrepared, place: str) -> None:
        """Note a departure. Raises Fault."""
        transfer_id = event.transfer_id
        if transfer_id in self.departed:
            raise Fault("transit", f"{transfer_id} is in flight already")
        departed = Departed(event.frame_id, event.receiver_frame, event.receiver, event.amount, place)
        early = self.arrived.pop(transfer_id, None)
        if early is not None:
            _match(departed, early.event)
            return
        self.departed[transfer_id] = departed
        self._fly(event.frame_id, event.amount)

    def accept(self, event: TransferAccepted, place: str, standing: Mapping[int, int], hosted: Collection[str]) -> None:
        """Note an arrival; ``standing`` is up to which offset each partition was read. Raises Fault."""
        if event.transfer_id in self.rejected:
            raise Fault("transit", f"{event.transfer_id} is accepted and was rejected")
        departed = self.departed.pop(event.transfer_id, None)
        if departed is not None:
            _match(departed, event)
            self.committed.pop(event.transfer_id, None)
            self._fly(departed.frame_id, -departed.amount)
            return
        arrived = Arrived(event, cited(event.prepared_at), place)
        if event.transfer_id in self.arrived or (event.sender_frame in hosted and _read(arrived.prepared_at, standing)):
            raise Fault("transit", f"{event.transfer_id} is accepted and wasn't in flight")
        self.arrived[event.transfer_id] = arrived

    def reject(self, event: TransferRejected, place: str) -> None:
        """Note that a transfer will never be accepted. Raises Fault."""
        if event.transfer_id in self.arrived or event.transfer_id in self.rejected:
            raise Fault("transit", f"{event.transfer_id} is rejected, and the receiving side had decided")
        if self.aborted.pop(event.transfer_id, None) is None:
            self.rejected[event.transfer_id] = place

    def abort(self, event: TransferAborted, place: str) -> None:
        """Note a return, which follows a rejection. Raises Fault."""
        transfer_id = event.transfer_id
        departed = self.departed.pop(transfer_id, None)
        if departed is None or departed.frame_id != event.frame_id or transfer_id in self.committed:
            raise Fault("transit", f"{transfer_id} is aborted and wasn't in flight")
        if departed.amount != event.amount:
            raise Fault("transit", f"{transfer_id}: {departed.amount} departed and {event.amount} returns")
        if self.rejected.pop(transfer_id, None) is None:
            if departed.receiver_frame == departed.frame_id:
                raise Fault("transit", f"{transfer_id} is aborted and wasn't rejected")
            told = cited(event.seen_at)
            self.aborted[transfer_id] = Aborted(departed.frame_id, departed.receiver_frame, told, place)
        self._fly(event.frame_id, -departed.amount)

    def commit(self, event: TransferCommitted) -> None:
        """Note an end; where it is one of another partition or log, whether it arrived shows later. Raises Fault."""
        departed = self.departed.get(event.transfer_id)
        if departed is None:
            return
        if departed.receiver_frame == event.frame_id or departed.frame_id != event.frame_id:
            raise Fault("transit", f"{event.transfer_id} is committed and wasn't accepted")
        self.committed[event.transfer_id] = cited(event.seen_at)

    def check(self, transit_net: int, standing: Mapping[int, int], hosted: Collection[str]) -> Unmatched | None:
        """Check the whole once all partitions were read, and give what doesn't hold."""
        early = 0
        for transfer_id, arrived in list(self.arrived.items()):
            event = arrived.event
            if event.sender_frame not in hosted:
                self.abroad -= event.amount
                del self.arrived[transfer_id]
            elif _read(arrived.prepared_at, standing):
                return Unmatched(event.frame_id, arrived.place, f"{transfer_id} is accepted and was prepared nowhere")
            else:
                early += event.amount
        for transfer_id, seen_at in list(self.committed.items()):
            departed = self.departed[transfer_id]
            if departed.receiver_frame not in hosted:
                self.abroad += departed.amount
                self._fly(departed.frame_id, -departed.amount)
                del self.departed[transfer_id], self.committed[transfer_id]
            elif _read(seen_at, standing):
                detail = f"{transfer_id} is committed and was accepted nowhere"
                return Unmatched(departed.frame_id, departed.place, detail)
        for transfer_id, aborted in list(self.aborted.items()):
            if aborted.receiver_frame not in hosted:
                del self.aborted[transfer_id]
            elif _read(aborted.seen_at, standing):
                return Unmatched(aborted.frame_id, aborted.place, f"{transfer_id} is aborted and was rejected nowhere")
        in_flight = sum(departed.amount for departed in self.departed.values())
        if transit_net + in_flight + self.abroad - early:
            figures = f"transit_net {transit_net}, in flight {in_flight}, gone to other logs {self.abroad}"
            return Unmatched("", CONTEXT, f"{figures} do not come to nothing")
        return None

    def _fly(self, frame_id: str, amount: int) -> None:
        self.in_flight[frame_id] = self.in_flight.get(frame_id, 0) + amount


def _match(departed: Departed, event: TransferAccepted) -> None:
    said = (departed.frame_id, departed.receiver_frame, departed.receiver, departed.amount)
    if said != (event.sender_frame, event.frame_id, event.receiver, event.amount):
        raise Fault("transit", f"{event.transfer_id} is accepted as another than was prepared")


def _read(place: Cited, standing: Mapping[int, int]) -> bool:
    """Tell whether a place was read by now; what names no place of this log counts as read."""
    return place is None or place[1] <= standing.get(place[0], -1)
