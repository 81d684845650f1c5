"""What is on its way between registries and frames, matched by transfer: nothing gets lost, nothing arrives twice."""

from collections.abc import Collection, Iterator, Mapping
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
SILENT, ACCEPTED, REJECTED = ANSWERS = ("silent", "accepted", "rejected")
"""What a receiving side says of a transfer."""
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


class Rejected(NamedTuple):
    """A transfer that will never be accepted, and did not return yet."""

    event: TransferRejected
    prepared_at: Cited
    place: str


class Aborted(NamedTuple):
    """A transfer that returned before its rejection was read, which lies in another partition or log."""

    frame_id: str
    receiver_frame: str
    seen_at: Cited
    place: str


class Pending(NamedTuple):
    """A transfer that was prepared and neither committed nor aborted, and what its receiving side said by now.

    ``at`` is when it was prepared by the log's time, in ms; ``answer`` is one of ``ANSWERS``.
    """

    frame_id: str
    receiver_frame: str
    amount: int
    at: int
    place: str
    answer: str


class Unmatched(NamedTuple):
    """What doesn't hold between two sides, or over all frames: the frame and the place where that shows."""

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
    """Every transfer in flight, and what went to frames of other logs for good (``abroad``, in micro-AVT).

    A transfer is in flight until its amount arrives or returns, and pending until its sending side has ended it too.
    """

    pending: dict[str, Pending] = field(default_factory=dict)
    departed: dict[str, Departed] = field(default_factory=dict)
    arrived: dict[str, Arrived] = field(default_factory=dict)
    rejected: dict[str, Rejected] = field(default_factory=dict)
    committed: dict[str, Cited] = field(default_factory=dict)
    aborted: dict[str, Aborted] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    abroad: int = 0

    def prepare(self, event: TransferPrepared, place: str, at: int) -> None:
        """Note a departure. Raises Fault."""
        transfer_id = event.transfer_id
        if transfer_id in self.departed:
            raise Fault("transit", f"{transfer_id} is in flight already")
        departed = Departed(event.frame_id, event.receiver_frame, event.receiver, event.amount, place)
        early = self.arrived.pop(transfer_id, None)
        answer = ACCEPTED if early is not None else REJECTED if transfer_id in self.rejected else SILENT
        of = (event.frame_id, event.receiver_frame, event.amount)
        self.pending[transfer_id] = Pending(*of, at, place, answer)
        if early is not None:
            _match(departed, early.event)
            return
        self.departed[transfer_id] = departed
        self._fly(event.frame_id, event.amount)

    def accept(self, event: TransferAccepted, place: str, standing: Mapping[int, int], hosted: Collection[str]) -> None:
        """Note an arrival; ``standing`` is up to which offset each partition was read. Raises Fault."""
        if event.transfer_id in self.rejected:
            raise Fault("transit", f"{event.transfer_id} is accepted and was rejected")
        self._answered(event.transfer_id, ACCEPTED)
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
        self._answered(event.transfer_id, REJECTED)
        if self.aborted.pop(event.transfer_id, None) is None:
            self.rejected[event.transfer_id] = Rejected(event, cited(event.prepared_at), place)

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
        self.pending.pop(transfer_id, None)

    def commit(self, event: TransferCommitted) -> None:
        """Note an end; where it is one of another partition or log, whether it arrived shows later. Raises Fault."""
        departed = self.departed.get(event.transfer_id)
        if departed is None:
            self.pending.pop(event.transfer_id, None)
            return
        if departed.receiver_frame == event.frame_id or departed.frame_id != event.frame_id:
            raise Fault("transit", f"{event.transfer_id} is committed and wasn't accepted")
        self.committed[event.transfer_id] = cited(event.seen_at)
        self.pending.pop(event.transfer_id, None)

    def leave(self, standing: Mapping[int, int], hosted: Collection[str]) -> None:
        """Let go of what went to frames that are not on this log, or came from them: nothing more is heard of it.

        What cites a place that wasn't read yet may be of a frame that wasn't either.
        """
        for name, arrived in list(self.arrived.items()):
            if arrived.event.sender_frame not in hosted and _read(arrived.prepared_at, standing):
                self.abroad -= arrived.event.amount
                del self.arrived[name]
        for name, seen_at in list(self.committed.items()):
            departed = self.departed[name]
            if departed.receiver_frame not in hosted and _read(seen_at, standing):
                self.abroad += departed.amount
                self._fly(departed.frame_id, -departed.amount)
                del self.departed[name], self.committed[name]
        for name, aborted in list(self.aborted.items()):
            if aborted.receiver_frame not in hosted and _read(aborted.seen_at, standing):
                del self.aborted[name]

    def unmatched(self, standing: Mapping[int, int], hosted: Collection[str]) -> Iterator[Unmatched]:
        """Give each transfer of which one side says what the other never did, though both were read that far."""
        for name, (event, prepared_at, place) in self.arrived.items():
            if _read(prepared_at, standing):
                yield Unmatched(event.frame_id, place, f"{name} is accepted and was prepared nowhere")
        for name, seen_at in self.committed.items():
            if _read(seen_at, standing):
                departed = self.departed[name]
                yield Unmatched(departed.frame_id, departed.place, f"{name} is committed and was accepted nowhere")
        for name, aborted in self.aborted.items():
            if _read(aborted.seen_at, standing):
                yield Unmatched(aborted.frame_id, aborted.place, f"{name} is aborted and was rejected nowhere")
        for name, rejected in self.rejected.items():
            here = rejected.event.sender_frame in hosted and _read(rejected.prepared_at, standing)
            if here and name not in self.departed:
                place, frame_id = rejected.place, rejected.event.frame_id
                yield Unmatched(frame_id, place, f"{name} is rejected and was not under way")

    def off_balance(self, transit_net: int, standing: Mapping[int, int]) -> Unmatched | None:
        """Give what does not come to nothing over all frames: what left and arrived, what flies, what is abroad.

        Where it is an arrival of what never left, the frame and the place are its own.
        """
        in_flight = sum(departed.amount for departed in self.departed.values())
        made = [each for each in self.arrived.values() if _read(each.prepared_at, standing)]
        early = sum(each.event.amount for each in self.arrived.values()) - sum(each.event.amount for each in made)
        if not transit_net + in_flight + self.abroad - early:
            return None
        figures = f"transit_net {transit_net}, in flight {in_flight}, gone to other logs {self.abroad}"
        frame_id, place = (made[0].event.frame_id, made[0].place) if made else ("", CONTEXT)
        return Unmatched(frame_id, place, f"{figures} do not come to nothing")

    def _answered(self, transfer_id: str, answer: str) -> None:
        known = self.pending.get(transfer_id)
        if known is not None:
            self.pending[transfer_id] = known._replace(answer=answer)

    def _fly(self, frame_id: str, amount: int) -> None:
        self.in_flight[frame_id] = self.in_flight.get(frame_id, 0) + amount


def _match(departed: Departed, event: TransferAccepted) -> None:
    said = (departed.frame_id, departed.receiver_frame, departed.receiver, departed.amount)
    if said != (event.sender_frame, event.frame_id, event.receiver, event.amount):
        raise Fault("transit", f"{event.transfer_id} is accepted as another than was prepared")


def _read(place: Cited, standing: Mapping[int, int]) -> bool:
    """Tell whether a place was read by now; what names no place of this log counts as read."""
    return place is None or place[1] <= standing.get(place[0], -1)
