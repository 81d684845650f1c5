"""How long the supply auditor takes for 10,000 accounts and 1,000,000 transfers on one core, beside reading the chain.

``python -m tests.bench.supply [TRANSFERS]``; the ledger is decided by the real decider and read back from files.
"""

import asyncio
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from domain.catalog import NAMES
from domain.ledger.account import Mandate, account_id
from domain.ledger.developer import RegisterDeveloper
from domain.ledger.frame import OpenFrame
from domain.ledger.registry import OpenRegistry, Terms
from domain.ledger.transfer import PostTransfer
from log import released, topic
from log.memory import MemoryMessage
from log.message import Command
from log.scope import command_id
from log.store import MemoryStore
from muniment.exported import Exported
from muniment.exporting import FORMAT, MAGIC, MANIFEST, frame, sealed
from processors.audit_chain import check_chain
from processors.audit_supply import SupplyAudit
from processors.seat import Seat

ACCOUNTS = 10_000
TRANSFERS = 1_000_000
BATCH = 5_000
START_MS = 1_767_225_600_000
FRAME, SHOP, OPERATOR = "local", "shop", "did:web:operator.example"


def did(number: int) -> str:
    """Give the n-th owner, as long as a real one."""
    return f"did:key:z6Mk{hashlib.sha256(str(number).encode()).hexdigest()[:44]}"


def payloads(transfers: int) -> Iterator[tuple[str, Any]]:
    """Ask for a frame, a registry, its developers, and transfers among them."""
    yield OPERATOR, OpenFrame(FRAME, "sovereign", "enabled", "facts/0/0")
    yield OPERATOR, OpenRegistry(FRAME, SHOP, Terms(), "facts/0/0")
    owners = [did(number) for number in range(ACCOUNTS)]
    for owner in owners:
        yield owner, RegisterDeveloper(FRAME, SHOP, owner, "Ada", None, None, None)
    accounts = [account_id(FRAME, SHOP, owner, "user") for owner in owners]
    for number in range(transfers):
        sender, receiver = number * 7 % ACCOUNTS, (number * 11 + 1) % ACCOUNTS
        name = "trf_" + hashlib.sha256(str(number).encode()).hexdigest()[:52]
        word = Mandate(owners[sender], f"nonce-{number:012}", START_MS + 60_000)
        between = (accounts[sender], accounts[receiver], FRAME)
        yield owners[sender], PostTransfer(name, FRAME, *between, 1_000 + number % 977, None, word, 60_000)


def decided(commands: Iterable[tuple[str, Any]]) -> Iterator[list[MemoryMessage]]:
    """Decide commands and give the messages of the events topic."""
    encode = released.codec("ledger", "command").encode
    seat, events = Seat("ledger", 0, MemoryStore()), topic.events("ledger")
    asked = offset = 0
    for some in batched_pairs(commands):
        messages = []
        for actor, payload in some:
            digest = hashlib.sha256(str(asked).encode()).digest()
            name = command_id(actor, digest, content_id=str(asked))
            value = encode(Command(name, NAMES[type(payload)], actor, None, digest, payload, None))
            messages.append(MemoryMessage(topic.commands("ledger"), 0, asked, START_MS, FRAME.encode(), value))
            asked += 1
        found = []
        for key, value in seat.decide(messages):
            found.append(MemoryMessage(events, 0, offset, START_MS, key, value))
            offset += 1
        seat.settle(found)
        yield found


def batched_pairs(commands: Iterable[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    """Give commands in batches."""
    some: list[tuple[str, Any]] = []
    for command in commands:
        some.append(command)
        if len(some) == BATCH:
            yield some
            some = []
    yield some


def lay_down(folder: Path, transfers: int) -> None:
    """Write the events of such a ledger into files as an export has them."""
    events, commands = topic.events("ledger"), topic.commands("ledger")
    end, files = 0, {}
    for name in (events, commands):
        (folder / name).mkdir(parents=True)
        with (folder / name / "0.records").open("wb") as file:
            file.write(MAGIC)
            if name == events:
                for messages in decided(payloads(transfers)):
                    file.write(b"".join(map(frame, messages)))
                    end += len(messages)
        files[f"{name}/0.records"] = {"end": end if name == events else 0}
    manifest = sealed({"format": FORMAT, "partitions": {"ledger": 1}, "files": files})
    (folder / MANIFEST).write_bytes(manifest)


async def measure(transfers: int = TRANSFERS) -> dict[str, float]:
    """Measure the auditor on one core; gives seconds, events per second, and memory."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "export"
        begun = time.perf_counter()
        lay_down(folder, transfers)
        laid_down_s = time.perf_counter() - begun
        chain = await check_chain(Exported(folder), "ledger")
        before = resource.getrusage(resource.RUSAGE_SELF)
        begun = time.perf_counter()
        audit = SupplyAudit(Exported(folder))
        (figures,) = await audit.advance()
        took_s = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_SELF)
    if not figures.holds or audit.events != transfers + ACCOUNTS + 2:
        raise RuntimeError(str(audit.difference or f"{audit.events} events"))
    return {
        "decided_s": laid_down_s,
        "supply_audit_s": took_s,
        "supply_audit_cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "supply_events_a_second": audit.events / took_s,
        "chain_alone_s": chain.duration_s,
    }


def main() -> None:
    """Print what was measured."""
    transfers = int(sys.argv[1]) if len(sys.argv) > 1 else TRANSFERS
    for name, value in asyncio.run(measure(transfers)).items():
        print(f"{name:28} {value:14,.2f}")


if __name__ == "__main__":
    main()
