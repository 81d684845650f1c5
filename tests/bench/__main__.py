"""`make bench`: every figure beside the machine's own limit in the same run.

`python -m tests.bench [SECTION…]` measures only the sections named: append, decisions, webhooks, growth, projection,
feed, audit, transfers, supply. `MUNIMENT_BENCH_FACTS` sets how many facts the log of `growth` gets (1,000,000).
"""

import asyncio
import os
import platform
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from tests.bench import (
    append,
    audit,
    decisions,
    feed_join,
    growth,
    projection,
    supply,
    transfer_requests,
    transfers,
    webhooks,
)
from tests.conftest import running_services
from tests.end_to_end.registry import Registry, running

CLIENTS = ((1, 400), (16, 150), (64, 100))
BATCH_FACTS = 20_000
WARM_UP = (64, 60)
TRANSFERS_A_SECOND, STEADY_S, TRIES = 200, 10, 3


def say(name: str, value: str, limit: str = "") -> None:
    """Print one figure."""
    print(f"{name:44} {value:>24}   {limit}", flush=True)


async def appends(registry: Registry) -> None:
    limit = append.verifications_a_second()
    say("Ed25519 verifications, one core", f"{limit:,.0f}/s", "the limit of what follows")
    await append.append_at(registry, *WARM_UP, uuid.uuid4().hex[:8])
    for clients, each in CLIENTS:
        found = await append.append_at(registry, clients, each, uuid.uuid4().hex[:8])
        say(
            f"POST /facts, {clients} clients",
            f"{found.rate:,.0f}/s",
            f"p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms",
        )
    rate = await append.batches(registry, BATCH_FACTS, uuid.uuid4().hex[:8])
    say("POST /facts/batch, 4 clients of 1,000", f"{rate:,.0f} facts/s", f"{rate / limit:.0%} of one core's checks")


async def heard(registry: Registry) -> None:
    first, median, late = await webhooks.dispatch_ms(registry)
    say("webhook heard after the log's time", f"p50 {median:.1f} ms", f"p99 {late:.1f} ms, the first {first:.0f} ms")


async def grown(registry: Registry) -> None:
    facts = int(os.environ.get("MUNIMENT_BENCH_FACTS", "1000000"))
    found = await growth.grow(registry, facts)
    say(f"{facts:,} facts decided and followed live", f"{found.followed:,.0f}/s")
    say(f"{facts:,} facts replayed and compared", f"{found.replayed:,.0f}/s", "`muniment rebuild facts`, all of it")
    for name, peak in found.peak_mb.items():
        say(f"peak memory of {name}", f"{peak:,.0f} MB")


def with_registry(measure: Callable[[Registry], object]) -> None:
    """Measure on a registry of its own."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as registry:
        uvloop.run(measure(registry))  # type: ignore[arg-type]  # each gives a coroutine


def measure_decisions() -> None:
    with tempfile.TemporaryDirectory() as folder, running_services(Path(folder) / "data") as services:
        found = uvloop.run(decisions.measure(services.kafka))
    say("raw idempotent produces, one by one", f"{found['single_produces']:,.0f}/s", "one producer, no waiting between")
    say("raw idempotent produces, in batches", f"{found['raw_produces']:,.0f}/s", f"batches of {decisions.BATCH}")
    share = found["decisions"] / found["single_produces"]
    say("decisions of one decider", f"{found['decisions']:,.0f}/s", f"{share:.0%} of one by one")


def measure_projection() -> None:
    with tempfile.TemporaryDirectory() as folder, running_services(Path(folder) / "data") as services:
        found = asyncio.run(projection.measure(services.postgres, 1_000_000))
    say("COPY, no indexes", f"{found.copy_rows_per_s:,.0f} rows/s")
    share = found.facts_per_s / found.copy_rows_per_s
    say("facts into Postgres, indexes kept", f"{found.facts_per_s:,.0f}/s", f"{share:.0%} of COPY")
    say("peak memory of that", f"{found.peak_mb:,.0f} MB")


def measure_audit() -> None:
    for name, value in asyncio.run(audit.measure()).items():
        say(name, f"{value:,.2f}")


def measure_transfers() -> None:
    for name, rate in transfers.measure().items():
        say(f"transfers in memory, {name}", f"{rate:,.0f}/s", "rule and fold alone, best of three")
    with tempfile.TemporaryDirectory() as folder, running_services(Path(folder) / "data") as services:
        found = uvloop.run(transfers.from_the_log(services.kafka))
    say("signature checks, one core", f"{transfers.checks_a_second():,.0f}/s", "made before the log, by the api")
    say("raw idempotent produces, one by one", f"{found['single_produces']:,.0f}/s", "one producer, no waiting between")
    say("raw idempotent produces, in batches", f"{found['raw_produces']:,.0f}/s", f"batches of {decisions.BATCH}")
    share = found["decisions"] / found["single_produces"]
    say("transfers of one decider, one frame", f"{found['decisions']:,.0f}/s", f"{share:.0%} of one by one")
    say("the same, by the core's own time", f"{found['busy']:,.0f}/s", "whatever else the machine did")
    with_registry(transferred)


async def transferred(registry: Registry) -> None:
    alone = [await transfer_requests.acknowledged(registry, TRANSFERS_A_SECOND, STEADY_S) for _ in range(TRIES)]
    steady = [await transfer_requests.steadily(registry, TRANSFERS_A_SECOND, STEADY_S) for _ in range(TRIES)]
    for name, tries in (("the log's acknowledgements alone", alone), ("POST /transfers", steady)):
        found = min(tries, key=lambda each: each.p99_ms)
        say(
            f"{name}, {TRANSFERS_A_SECOND}/s",
            f"p50 {found.p50_ms:.1f} ms",
            f"p99 {found.p99_ms:.1f} ms, the best of {TRIES}",
        )


def measure_supply() -> None:
    for name, value in asyncio.run(supply.measure()).items():
        say(name, f"{value:,.2f}")


SECTIONS: Mapping[str, Callable[[], None]] = {
    "append": lambda: with_registry(appends),
    "webhooks": lambda: with_registry(heard),
    "decisions": measure_decisions,
    "projection": measure_projection,
    "growth": lambda: with_registry(grown),
    "feed": lambda: feed_join.main(10_000, 20),
    "audit": measure_audit,
    "transfers": measure_transfers,
    "supply": measure_supply,
}


def main() -> None:
    """Measure the sections asked for, or all."""
    wanted = sys.argv[1:] or list(SECTIONS)
    if unknown := set(wanted) - set(SECTIONS):
        sys.exit(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
    for name in wanted:
        print(f"\n{name}")
        SECTIONS[name]()


if __name__ == "__main__":
    main()
