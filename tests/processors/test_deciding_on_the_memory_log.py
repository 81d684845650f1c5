"""The command processor and the mirror, on the memory log."""

import asyncio
import hashlib

from prometheus_client import REGISTRY

from domain.facts.signer import AddSigner
from log import released, topic
from log.following import Decided, follow
from log.memory import MemoryLog
from log.message import Command
from log.scope import command_id
from log.store import MemoryStore
from log.topic import partition_of
from processors.deciding import CommandProcessor
from projections.mirror import Mirror


async def test_a_command_is_decided_once_and_its_repeat_is_refused_as_repeated() -> None:
    log = MemoryLog()
    await released.prepare(log, 4)
    processor = CommandProcessor(log, "facts", lambda _partition: MemoryStore())
    seen: list[Decided] = []
    mirror = Mirror(MemoryStore(), on_decided=seen.append)
    tasks = [asyncio.create_task(processor.run()), asyncio.create_task(follow(log, "facts", mirror))]
    payload = AddSigner("did:key:zA", ("curator", "admin"), "genesis")
    request = hashlib.sha256(b"x").digest()
    name = command_id("did:key:zA", request, idempotency_key="one")
    command = Command(name, "AddSigner", "did:key:zA", "one", request, payload, None)
    value = released.codec("facts", "command").encode(command)
    partition = partition_of("did:key:zA", 4)
    before = REGISTRY.get_sample_value("muniment_events_total", {"type": "SignerAdded"}) or 0
    for _ in range(2):
        await (await log.append(topic.commands("facts"), partition, [(b"did:key:zA", value)]))
    async with asyncio.timeout(5):
        while len(seen) < 2 or processor.status()[str(partition)]["in_flight"]:
            await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [entry.decision.refusal and entry.decision.refusal.code for entry in seen] == [None, "repeated"]
    assert mirror.get("signer/did:key:zA") is not None
    assert REGISTRY.get_sample_value("muniment_events_total", {"type": "SignerAdded"}) == before + 1
