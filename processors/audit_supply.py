"""The supply auditor: every event of the ledger replayed, and its frame's tokens counted again from postings alone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from domain.ledger.agent import AgentRegistered
from domain.ledger.developer import DeveloperRegistered
from domain.ledger.frame import FrameOpened
from domain.ledger.payment import PaymentClaimed
from domain.ledger.registry import RegistryOpened
from domain.ledger.transit import (
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)
from log import topic
from log.avro import UndecodableValue
from log.chain import Chain, Mark
from log.message import Decision, Message
from log.released import codec
from processors.audit_books import Books
from processors.audit_movements import SAYS, claim
from processors.audit_names import Fault
from processors.audit_transit import CONTEXT, Transits
from processors.audit_verdict import Difference, Source

IN_TRANSIT: Final = (TransferPrepared, TransferAccepted, TransferRejected, TransferCommitted, TransferAborted)
AMOUNTS: Final = ("tokens_issued", "tokens_destroyed", "transit_net", "tokens_circulating", "in_flight")


@dataclass(frozen=True, slots=True)
class FrameSupply:
    """A frame's tokens in micro-AVT at a position (``ledger/partition/offset``).

    Where it doesn't hold, that is the position of the first event which fails.
    """

    frame_id: str
    tokens_issued: int
    tokens_destroyed: int
    transit_net: int
    tokens_circulating: int
    in_flight: int
    holds: bool
    position: str

    def as_json(self) -> dict[str, Any]:
        """Give it as a JSON object, its amounts as text."""
        return asdict(self) | {name: str(getattr(self, name)) for name in AMOUNTS}


class SupplyAudit:
    """Reads the ledger partition by partition by the reading rule, and goes on from where it stood.

    A frame is not followed behind its first difference; the others are. ``differences`` are by frame, those that are no
    frame's under an empty name.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._chains: dict[int, Chain] = {}
        self._frames: dict[str, Books] = {}
        self._transits = Transits()
        self._decisions = codec(CONTEXT, "decision")
        self._stranded: dict[int, Message] = {}
        self._causes: dict[int, int] = {}
        self.differences: dict[str, Difference] = {}
        self.events = 0

    @property
    def difference(self) -> Difference | None:
        """Give the first difference that was found, in the order of reading."""
        return next(iter(self.differences.values()), None)

    async def advance(self) -> Sequence[FrameSupply]:
        """Read on to where the log ends now and give every frame's supply. Raises LogUnavailable."""
        name = topic.events(CONTEXT)
        for partition, end in sorted((await self._source.ends(name)).items()):
            chain = self._chains.setdefault(partition, Chain(Mark.start(name, partition)))
            async for batch in self._source.messages(name, partition, end, chain.mark.next):
                for message in batch:
                    if chain.admit(message):
                        self._stranded.pop(partition, None)
                        self._take(message)
                    else:
                        self._stranded.setdefault(partition, message)
        self._check()
        return self.figures()

    def figures(self) -> Sequence[FrameSupply]:
        """Give every frame's supply as of the last event that was read, by the frame's name."""
        return [self._figure(books) for _, books in sorted(self._frames.items())]

    def broken(self) -> Difference | None:
        """Find where commands were decided by messages at the end that don't count; a writer may yet mend that."""
        for partition, message in sorted(self._stranded.items()):
            try:
                cause = self._decisions.decode(message.value).cause
            except (UndecodableValue, TypeError):
                continue
            if cause > self._causes.get(partition, -1):
                place = f"{CONTEXT}/{partition}/{message.offset}"
                return Difference(place, "chain", "commands were decided from here on, and nothing counts")
        return None

    def _figure(self, books: Books) -> FrameSupply:
        found = self.differences.get(books.frame_id) or self.differences.get("")
        last = self._chains[books.partition].mark.last
        return FrameSupply(
            books.frame_id,
            books.issued,
            books.destroyed,
            books.transit_net,
            books.circulating,
            self._transits.in_flight.get(books.frame_id, 0),
            found is None,
            f"{CONTEXT}/{books.partition}/{last}" if found is None else found.place,
        )

    def _take(self, message: Message) -> None:
        try:
            decision: Decision = self._decisions.decode(message.value)
        except UndecodableValue as error:
            self._differ("", f"{CONTEXT}/{message.partition}/{message.offset}", Fault("undecodable", str(error)))
            return
        self._causes[message.partition] = decision.cause
        for happening in decision.events:
            event = happening.payload
            self.events += 1
            if event.frame_id in self.differences:
                continue
            try:
                self._hear(event, message)
            except Fault as fault:
                self._differ(event.frame_id, f"{CONTEXT}/{message.partition}/{message.offset}", fault, happening.type)

    def _differ(self, frame_id: str, place: str, fault: Fault, name: str | None = None) -> None:
        detail = fault.detail if name is None else f"{name}: {fault.detail}"
        self.differences.setdefault(frame_id, Difference(place, fault.rule, detail))

    def _hear(self, event: Any, message: Message) -> None:
        """Check one event and count what it moves. Raises Fault."""
        kind = type(event)
        books = self._frames.get(event.frame_id)
        if kind is FrameOpened:
            if books is not None:
                raise Fault("frame", f"{event.frame_id} was opened before")
            self._frames[event.frame_id] = Books(event.frame_id, message.partition)
            return
        if books is None or books.partition != message.partition:
            raise Fault("frame", f"{event.frame_id} was not opened in this partition")
        if kind is RegistryOpened:
            if event.registry_id in books.treasuries:
                raise Fault("registry", f"{event.registry_id} was opened before")
            books.open(event.treasury, event.registry_id, event.opened_by, "treasury")
            books.treasuries[event.registry_id] = event.treasury
        elif kind is DeveloperRegistered or kind is AgentRegistered:
            books.open(event.account, event.registry_id, event.did, "user" if kind is DeveloperRegistered else "agent")
        elif kind is PaymentClaimed:
            claim(books, event)
        elif kind in IN_TRANSIT:
            self._transit(event, f"{CONTEXT}/{message.partition}/{message.offset}")
        says = SAYS.get(kind)
        if says is not None:
            books.post(says(books, event), event.postings)

    def _transit(self, event: Any, place: str) -> None:
        match event:
            case TransferPrepared():
                self._transits.prepare(event, place)
            case TransferAccepted():
                followed = self._frames.keys() - self.differences.keys()
                self._transits.accept(event, place, self._standing(), followed)
            case TransferRejected():
                self._transits.reject(event, place)
            case TransferAborted():
                self._transits.abort(event, place)
            case TransferCommitted():
                self._transits.commit(event)

    def _standing(self) -> Mapping[int, int]:
        """Say for each partition which offset was read last."""
        return {partition: chain.mark.next - 1 for partition, chain in self._chains.items()}

    def _check(self) -> None:
        """Check what holds over all frames, and that each one's accounts add up, once all was read."""
        if self.differences:
            return
        for books in self._frames.values():
            try:
                books.check()
            except Fault as fault:
                last = self._chains[books.partition].mark.last
                self._differ(books.frame_id, f"{CONTEXT}/{books.partition}/{last}", fault)
        transit_net = sum(books.transit_net for books in self._frames.values())
        found = self._transits.check(transit_net, self._standing(), self._frames)
        if found is not None:
            self._differ(found.frame_id, found.place, Fault("transit", found.detail))
