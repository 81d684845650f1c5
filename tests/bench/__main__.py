"""`make bench`: every figure beside the machine's own limit in the same run.

`python -m tests.bench [SECTION…]` measures only the sections named: append, decisions, webhooks, growth, projection,
feed, audit, transfers, accounts, supply, media, gateway, publishing. `MUNIMENT_BENCH_FACTS` sets how many facts the log
of `growth` gets (1,000,000).
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
    accounts,
    append,
    audit,
    decisions,
    feed_join,
    gateway,
    growth,
    media,
    projection,
    publishing,
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
ACCOUNTS = (10_000, 1_000_000)
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


def measure_accounts() -> None:
    for number in ACCOUNTS:
        found = accounts.measure(number)
        say(f"{number:,} accounts opened, state on disk", f"{found.opened:,.0f}/s", f"{found.disk_mb:,.0f} MB on disk")
        say(
            f"{accounts.TRANSFERS:,} transfers between random ones",
            f"{found.moved:,.0f}/s",
            f"{found.moved_busy:,.0f}/s by the core's own time",
        )
        say(
            "memory before and after them",
            f"{found.before_mb:,.0f}, {found.after_mb:,.0f} MB",
            f"{found.peak_mb:,.0f} MB at most, since the first account",
        )


async def filed(registry: Registry) -> None:
    found = await media.measure(registry)
    size, best = f"{media.SIZE_MIB} MiB", f"the best of {media.TRIES}"
    say(f"the disk, {size} written and synced", f"{found.raw_write:,.0f} MiB/s", best)
    share = f"{found.upload / found.raw_write:.0%} of the disk, sealed and synced"
    say(f"upload of {size}", f"{found.upload:,.0f} MiB/s", share)
    say("the same, by the api's own time", f"{found.busy_upload:,.0f} MiB/s", "whatever else the machine did")
    say("finalizing it", f"{found.finalize_ms:,.0f} ms")
    say(f"the disk, {size} read", f"{found.raw_read:,.0f} MiB/s", best)
    say(f"download of {size}", f"{found.download:,.0f} MiB/s", f"{found.download / found.raw_read:.0%} of the disk")
    say("the same, by the api's own time", f"{found.busy_download:,.0f} MiB/s", "whatever else the machine did")
    memory = f"{found.upload_memory:,.0f}, {found.download_memory:,.0f} MiB"
    say("memory of an upload and of a download, at most", memory, "64 MiB is the bound")


async def published(registry: Registry) -> None:
    checks = publishing.verifications_a_second()
    say("secp256k1 verifications of intents, one core", f"{checks:,.0f}/s", "the limit of what follows")
    found = await publishing.measure(registry)
    first, steady, same = found["accepted"], found["steadily"], found["duplicates"]
    say(
        f"{publishing.ACCEPTED} intents accepted, {publishing.CLIENTS} clients",
        f"{first.accepted_s:.2f} s",
        f"{publishing.ACCEPTED / first.accepted_s:,.0f}/s, sent in {first.transactions} transactions after "
        f"{first.sent_s:.2f} s",
    )
    say(
        f"{publishing.A_SECOND} jobs/s offered for {publishing.STEADY_S} s",
        f"{publishing.A_SECOND * publishing.STEADY_S / steady.accepted_s:,.0f}/s accepted",
        f"all sent {steady.sent_s - steady.accepted_s:.2f} s after the last, {steady.transactions} transactions",
    )
    say(
        f"{publishing.DUPLICATES:,} duplicates of one intent at once",
        f"{publishing.DUPLICATES / same.accepted_s:,.0f}/s",
        f"in {same.transactions} transaction",
    )


def measure_supply() -> None:
    for name, value in asyncio.run(supply.measure()).items():
        say(name, f"{value:,.2f}")


def measure_gateway() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with running_services(data) as services:
            asyncio.run(gateway.filled(services.postgres))
        # Stopped in between, so that Postgres doesn't still write to its disk what it was filled with.
        with running_services(data) as services:
            first, found, (beside, pace) = asyncio.run(gateway.measured(services.postgres))
    say(f"{gateway.POSTS:,} posts of {gateway.AUTHORS:,} authors", f"{gateway.TIMES} reads of each kind")
    for name, took in found.items():
        say(name, percentiles(took), f"after a start: {percentiles(first[name])}")
    for name, took in beside.items():
        say(f"{name}, beside {pace:.0f} posts/s", percentiles(took))


def percentiles(took: gateway.Took) -> str:
    """Write how long one kind of read took."""
    return f"p50 {took.p50:.1f}, p99 {took.p99:.1f} ms"


SECTIONS: Mapping[str, Callable[[], None]] = {
    "append": lambda: with_registry(appends),
    "webhooks": lambda: with_registry(heard),
    "decisions": measure_decisions,
    "projection": measure_projection,
    "growth": lambda: with_registry(grown),
    "feed": lambda: feed_join.main(10_000, 20),
    "audit": measure_audit,
    "transfers": measure_transfers,
    "accounts": measure_accounts,
    "supply": measure_supply,
    "media": lambda: with_registry(filed),
    "gateway": measure_gateway,
    "publishing": lambda: with_registry(published),
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
