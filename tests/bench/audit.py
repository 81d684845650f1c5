"""Audited facts per second, with every signature checked on all cores and of the chain alone, beside the limits.

``python -m tests.bench.audit [FACTS]``; the limit is how many Ed25519 signatures all cores verify and nothing else.
"""

import asyncio
import hashlib
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from log import released, topic
from log.memory import MemoryLog
from log.message import Command
from log.signatures import verify
from log.store import Store
from muniment.auditing import AuditOptions, audit_export
from muniment.exporting import export
from muniment.operator import genesis_command
from muniment.signing_key import SigningKey
from processors.seat import Seat
from tests.audit.registry import Registry, issue

BATCH = 1_000
LIMIT_VERIFICATIONS = 20_000
SIGNED_BYTES = 300


def verifications(count: int) -> float:
    """Verify signatures and nothing else, and give the seconds that it took."""
    key, content = SigningKey(hashlib.sha256(b"bench").digest()), b"x" * SIGNED_BYTES
    signature = key.sign(content)
    begun = time.perf_counter()
    for _ in range(count):
        verify("ed25519", key.did, content, signature)
    return time.perf_counter() - begun


def limits(cores: int) -> tuple[float, float]:
    """Give the Ed25519 verifications per second of one core, and of all of them at once."""
    one = LIMIT_VERIFICATIONS / verifications(LIMIT_VERIFICATIONS)
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(verifications, [10] * cores))
        begun = time.perf_counter()
        list(pool.map(verifications, [LIMIT_VERIFICATIONS] * cores))
        return one, cores * LIMIT_VERIFICATIONS / (time.perf_counter() - begun)


async def lay_down(log: MemoryLog, facts: int) -> None:
    """Make a log of one curator's stars, decided by the real decider."""
    registry = Registry(log, 1)
    curator = SigningKey(hashlib.sha256(b"curator").digest())
    await released.prepare(log, 1)
    codec, operator = released.codec("facts", "command"), registry.operator

    async def settle(folder: Path) -> None:
        seat = Seat("facts", 0, Store(folder))

        async def decide(commands: list[Command]) -> None:
            records = [(command.actor.encode(), codec.encode(command)) for command in commands]
            await (await log.append(topic.commands("facts"), 0, records))
            asked = log.messages(topic.commands("facts"), 0)[-len(records) :]
            await (await log.append(topic.events("facts"), 0, seat.decide(asked)))
            seat.settle(log.messages(topic.events("facts"), 0)[-len(records) :])

        await decide([genesis_command(operator)])
        await decide([registry.by_session(operator, _curator(registry, curator.did))])
        for start in range(0, facts, BATCH):
            await decide([issue(curator, f"pl_{n}") for n in range(start, min(start + BATCH, facts))])

    with tempfile.TemporaryDirectory() as folder:
        await settle(Path(folder))


def _curator(registry: Registry, did: str) -> object:
    from domain.facts.signer import AddSigner

    return AddSigner(did, ("curator",), registry.authority(registry.operator.did))


async def measure(facts: int = 100_000) -> dict[str, float]:
    """Measure an audit of a log in memory and of its export; gives rates per second and bytes."""
    cores = os.cpu_count() or 1
    one, all_cores = limits(cores)
    log = MemoryLog()
    await lay_down(log, facts)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "export"
        begun = time.perf_counter()
        await export(log, folder)
        exported = (facts * 2) / (time.perf_counter() - begun)
        del log
        whole = await audit_export(folder)
        chain = await audit_export(folder, AuditOptions(chain_only=True))
    if not (whole.holds and chain.holds):
        raise RuntimeError(str(whole.difference or chain.difference))
    return {
        "verifications_one_core": one,
        "verifications_all_cores": all_cores,
        "audit_facts": whole.facts / whole.duration_s,
        "audit_share_of_limit": whole.facts / whole.duration_s / all_cores,
        "chain_decisions": chain.decisions / chain.duration_s,
        "export_records": exported,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Print what was measured."""
    facts = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name, value in asyncio.run(measure(facts)).items():
        print(f"{name:28} {value:14,.2f}")


if __name__ == "__main__":
    main()
