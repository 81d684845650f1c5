"""Every operation log re-verified from genesis, from identity's events alone: what DIDs themselves can prove."""

from dataclasses import dataclass, field
from typing import Any, Final

from domain.did import identity
from domain.identity.creation import DidCreated
from domain.identity.guardian import RecoveryCancelled
from domain.identity.handle import HandleClaimed, HandleConfirmed, HandleReleased
from domain.identity.recovery import DidRecovered
from log import topic
from log.avro import UndecodableValue
from log.fold import Overlay
from log.message import Command, Decision, Message
from log.released import codec
from log.store import MemoryStore
from processors.audit_citations import CONTEXT, Citations
from processors.audit_counted import CountedReading
from processors.audit_identity import heard
from processors.audit_names import Fault, require
from processors.audit_verdict import Difference, Source

OF_HANDLES: Final = (HandleClaimed, HandleConfirmed, HandleReleased)


@dataclass(slots=True)
class Figures:
    """What was re-verified: DIDs, operations, of them nullified ones, and signatures."""

    dids: int = 0
    operations: int = 0
    nullified: int = 0
    signatures: int = 0
    positions: dict[str, int] = field(default_factory=dict)


class IdentityAudit:
    """Reads identity partition by partition by the reading rule; the first difference ends it.

    What streams cite of each other is checked when all was read that was there before; ``citations`` is what was heard.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._counted = CountedReading(source, CONTEXT)
        self._decisions = codec(CONTEXT, "decision")
        self._state = Overlay(MemoryStore())
        self.citations = Citations()
        self._asked: dict[int, int] = {}
        self._nullified: set[tuple[str, str]] = set()
        self.figures = Figures()
        self.difference: Difference | None = None

    async def run(self) -> Difference | None:
        """Read to where the log ends, and give the first difference. Raises LogUnavailable."""
        await self._read_on()
        await self._read_commands()
        cites = self.citations.take()
        # What these cite was decided before them, and may lie behind the end of a partition that was read first.
        await self._read_on()
        for each in cites:
            try:
                self.citations.check(each)
            except Fault as fault:
                self._differ(each.place, fault)
        self._check_handles()
        return self.difference

    def broken(self) -> Difference | None:
        """Find where commands were decided by messages at the end that don't count."""
        return self._counted.broken()

    async def _read_on(self) -> None:
        await self._counted.read_on(self._take, self.citations.begin)

    async def _read_commands(self) -> None:
        """Read what was asked, for the claims that it carries: no event repeats them."""
        name, commands = topic.commands(CONTEXT), codec(CONTEXT, "command")
        for partition, end in sorted((await self._source.ends(name)).items()):
            async for batch in self._source.messages(name, partition, end, self._asked.get(partition, 0)):
                for message in batch:
                    try:
                        command: Command = commands.decode(message.value)
                    except (UndecodableValue, TypeError):
                        continue
                    self.citations.ask(command.payload, f"{name}/{partition}/{message.offset}")
            self._asked[partition] = end

    def _take(self, message: Message) -> None:
        if self.difference is not None:
            return
        place = f"{CONTEXT}/{message.partition}/{message.offset}"
        try:
            decision: Decision = self._decisions.decode(message.value)
        except UndecodableValue as error:
            self._differ(place, Fault("undecodable", str(error)))
            return
        self._counted.decided(message.partition, decision.cause)
        self.citations.stand(message.partition, message.offset, decision.at)
        self.figures.positions[f"{CONTEXT}/{message.partition}"] = message.offset
        for happening in decision.events:
            try:
                self._hear(happening.payload, message, decision.at)
            except Fault as fault:
                self._differ(place, Fault(fault.rule, f"{happening.type}: {fault.detail}"))
                return

    def _hear(self, event: Any, message: Message, at: int) -> None:
        """Check one event. Raises Fault."""
        route = event.handle if isinstance(event, OF_HANDLES) else identity(event.did)
        lies = (message.key or b"").decode(errors="replace")
        require(lies == route, "key", f"an event of {route} lies under {lies}")
        right = topic.partition_of(route, self._counted.partitions)
        require(right == message.partition, "key", f"{route} belongs to partition {right}")
        for change in heard(self._state, event, at):
            self._state.put(change)
        self.citations.hear(event, message.partition, message.offset, at)
        self._count(event)

    def _count(self, event: Any) -> None:
        figures, signed = self.figures, getattr(event, "signed", None)
        figures.dids += isinstance(event, DidCreated)
        lost = event.nullified if isinstance(event, DidRecovered) else ()
        lost = (event.operation,) if isinstance(event, RecoveryCancelled) else lost
        self._nullified |= {(event.did, each) for each in lost}
        figures.nullified = len(self._nullified)
        if signed is not None:
            figures.operations += 1
            figures.signatures += bool(signed.signature) + len(getattr(event, "approvals", ()))

    def _check_handles(self) -> None:
        holders: dict[str, str] = {}
        for handle, did in self.citations.handles():
            other = holders.setdefault(handle, did)
            if other != did:
                self._differ(CONTEXT, Fault("handle", f"{handle} is {other}'s and {did}'s at once"))

    def _differ(self, place: str, fault: Fault) -> None:
        if self.difference is None:
            self.difference = Difference(place, fault.rule, fault.detail)
