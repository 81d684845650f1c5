"""One reading of the ledger by its auditors: every event heard once, in books that share no rule with the deciders."""

from collections.abc import Mapping
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
from log.avro import UndecodableValue
from log.message import Decision, Message
from log.released import codec
from processors.audit_books import Books
from processors.audit_counted import CountedReading
from processors.audit_movements import SAYS, claim
from processors.audit_names import Fault
from processors.audit_transit import CONTEXT, Transits
from processors.audit_verdict import Difference, Source

NO_FRAME: Final = ""
"""Whose difference it is, where it is no frame's."""
IN_TRANSIT: Final = (TransferPrepared, TransferAccepted, TransferRejected, TransferCommitted, TransferAborted)


class LedgerReading:
    """Reads the ledger partition by partition by the reading rule, and goes on from where it stood.

    A frame is not followed behind its first difference; the others are. ``differences`` are by frame, those that are no
    frame's under ``NO_FRAME``. What is on its way between frames is in ``transits``.
    """

    def __init__(self, source: Source) -> None:
        self._counted = CountedReading(source, CONTEXT)
        self._decisions = codec(CONTEXT, "decision")
        self.frames: dict[str, Books] = {}
        self.transits = Transits()
        self.differences: dict[str, Difference] = {}
        self.events = 0

    async def read_on(self) -> None:
        """Read to where the log ends now. Raises LogUnavailable."""
        await self._counted.read_on(self._take)

    def broken(self) -> Difference | None:
        """Find where commands were decided by messages at the end that don't count."""
        return self._counted.broken()

    def place(self, books: Books) -> str:
        """Give the position of the last decision that was read where a frame lies."""
        return f"{CONTEXT}/{books.partition}/{self._counted.last(books.partition)}"

    def standing(self) -> Mapping[int, int]:
        """Say for each partition which offset was read last."""
        return self._counted.standing()

    def _take(self, message: Message) -> None:
        try:
            decision: Decision = self._decisions.decode(message.value)
        except UndecodableValue as error:
            self._differ(NO_FRAME, f"{CONTEXT}/{message.partition}/{message.offset}", Fault("undecodable", str(error)))
            return
        self._counted.decided(message.partition, decision.cause)
        for happening in decision.events:
            event = happening.payload
            self.events += 1
            if event.frame_id in self.differences:
                continue
            try:
                self._hear(event, message, decision.at)
            except Fault as fault:
                self._differ(event.frame_id, f"{CONTEXT}/{message.partition}/{message.offset}", fault, happening.type)

    def _differ(self, frame_id: str, place: str, fault: Fault, name: str | None = None) -> None:
        detail = fault.detail if name is None else f"{name}: {fault.detail}"
        self.differences.setdefault(frame_id, Difference(place, fault.rule, detail))

    def _hear(self, event: Any, message: Message, at: int) -> None:
        """Check one event and count what it moves. Raises Fault."""
        kind = type(event)
        books = self.frames.get(event.frame_id)
        if kind is FrameOpened:
            if books is not None:
                raise Fault("frame", f"{event.frame_id} was opened before")
            self.frames[event.frame_id] = Books(event.frame_id, message.partition)
            return
        if books is None or books.partition != message.partition:
            raise Fault("frame", f"{event.frame_id} was not opened in this partition")
        if kind is RegistryOpened:
            books.open_registry(event.registry_id, event.treasury, event.opened_by)
        elif kind is DeveloperRegistered or kind is AgentRegistered:
            books.open(event.account, event.registry_id, event.did, "user" if kind is DeveloperRegistered else "agent")
        elif kind is PaymentClaimed:
            claim(books, event)
        elif kind in IN_TRANSIT:
            self._transit(event, f"{CONTEXT}/{message.partition}/{message.offset}", at)
        says = SAYS.get(kind)
        if says is not None:
            books.post(says(books, event), event.postings)

    def _transit(self, event: Any, place: str, at: int) -> None:
        match event:
            case TransferPrepared():
                self.transits.prepare(event, place, at)
            case TransferAccepted():
                followed = self.frames.keys() - self.differences.keys()
                self.transits.accept(event, place, self.standing(), followed)
            case TransferRejected():
                self.transits.reject(event, place)
            case TransferAborted():
                self.transits.abort(event, place)
            case TransferCommitted():
                self.transits.commit(event)
