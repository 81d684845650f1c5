"""Every sealed value on the log opened again: what its owner had erased is told apart from what was tampered with.

It knows the log's events and owners' keys, and shares nothing with who seals but the cipher.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from domain.did import identity
from domain.records.erasure import OwnerErased
from domain.records.record import RecordCreated, RecordUpdated
from log import topic
from log.avro import UndecodableValue
from log.chain import Chain, Mark
from log.message import Decision, Message
from log.released import codec
from log.sealing import CannotUnseal, unseal_bound
from processors.audit_verdict import Difference, Source

CONTEXT: Final = "records"
RULE: Final = "sealed"

KeysOf = Callable[[Sequence[str]], Awaitable[Mapping[str, bytes]]]
"""Gives the keys of those of these owners that have one, by their identity; one that opens nothing is no bytes."""


@dataclass(slots=True)
class Sealed:
    """How many values opened as their cids say, were erased with their owners' keys, were tampered with, or weren't
    opened because the keys aren't here; ``keys_left`` counts erased owners whose keys are still there.
    """

    opened: int = 0
    erased: int = 0
    tampered: int = 0
    unopened: int = 0
    keys_left: int = 0

    def as_json(self) -> dict[str, int]:
        """Give them as a JSON object."""
        return asdict(self)


class SealedAudit:
    """Reads the events of records partition by partition by the reading rule; without keys it only counts values.

    Keys are asked for after the events were read that they open, so a key that is missing was there no more by then;
    then its owner's erasure lies on the log by now, or somebody took it away.
    """

    def __init__(self, source: Source, keys_of: KeysOf | None = None) -> None:
        self._source, self._keys_of = source, keys_of
        self._decisions = codec(CONTEXT, "decision")
        self._keyless: dict[str, tuple[str, int]] = {}
        self._erased: set[str] = set()
        self.figures = Sealed()
        self.difference: Difference | None = None

    async def run(self) -> Difference | None:
        """Read to where the log ends, and give the first difference. Raises LogUnavailable."""
        name = topic.events(CONTEXT)
        ends = await self._source.ends(name)
        chains = {partition: Chain(Mark.start(name, partition)) for partition in sorted(ends)}
        for partition, chain in chains.items():
            await self._read(chain, partition, ends[partition])
        if not self._keyless.keys() <= self._erased:
            # Whoever was erased since is so by the log: the decision is there before a key is destroyed.
            for partition, end in sorted((await self._source.ends(name)).items()):
                await self._read(chains[partition], partition, end)
        self._judge_keyless()
        if self._keys_of is not None and self._erased:
            self.figures.keys_left = len(await self._keys_of(sorted(self._erased)))
        return self.difference

    async def _read(self, chain: Chain, partition: int, end: int) -> None:
        name = topic.events(CONTEXT)
        async for batch in self._source.messages(name, partition, end, chain.mark.next):
            await self._take([message for message in batch if chain.admit(message)])

    async def _take(self, messages: Sequence[Message]) -> None:
        """Open what a batch holds, with the keys of its owners."""
        values: list[tuple[str, RecordCreated | RecordUpdated]] = []
        for message in messages:
            try:
                decision: Decision = self._decisions.decode(message.value)
            except UndecodableValue:
                continue  # the audit of decisions says so
            place = f"{CONTEXT}/{message.partition}/{message.offset}"
            for happening in decision.events:
                event: Any = happening.payload
                if isinstance(event, OwnerErased):
                    self._erased.add(identity(event.did))
                elif isinstance(event, RecordCreated | RecordUpdated):
                    values.append((place, event))
        if self._keys_of is None:
            self.figures.unopened += len(values)
            return
        keys = await self._keys_of(sorted({identity(event.did) for _, event in values})) if values else {}
        for place, event in values:
            owner = identity(event.did)
            if owner in keys:
                self._open(keys[owner], place, event)
            else:
                first, count = self._keyless.get(owner, (place, 0))
                self._keyless[owner] = first, count + 1

    def _open(self, key: bytes, place: str, event: RecordCreated | RecordUpdated) -> None:
        bound = f"mun://{event.did}/{event.collection}#{event.cid}".encode()
        try:
            text = unseal_bound(key, event.sealed, bound)
        except CannotUnseal:
            self._differ(place, f"the value of {event.rkey} doesn't open with its owner's key")
            return
        cid = "sha256-" + base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode().rstrip("=")
        if cid != event.cid:
            self._differ(place, f"the value of {event.rkey} is {cid}, and not {event.cid}")
        elif len(text) != event.size:
            self._differ(place, f"the value of {event.rkey} has {len(text)} bytes, and not {event.size}")
        else:
            self.figures.opened += 1

    def _judge_keyless(self) -> None:
        for owner, (place, count) in self._keyless.items():
            if owner in self._erased:
                self.figures.erased += count
            else:
                self._differ(place, f"the key of {owner} is gone, and no erasure is on the log", count)

    def _differ(self, place: str, detail: str, count: int = 1) -> None:
        self.figures.tampered += count
        if self.difference is None:
            self.difference = Difference(place, RULE, detail)
