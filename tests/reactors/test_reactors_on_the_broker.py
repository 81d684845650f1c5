"""Reactors as they are run: Faust on a real broker, a leader that dies, a broker that goes away."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata

from domain.facts.fact import FactExpired
from log import topic
from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.log import Log
from processors import faust_app
from tests.conftest import Services, running_services
from tests.reactors.rig import KEY, Registry, receiving, until

pytestmark = [pytest.mark.stack, pytest.mark.slow]
TAKEN_OVER_WITHIN_S = 16.0
JOINED_S = 5.0
AT_ONCE = ("expire", "tally", "transits", "claims", "recoveries", "supply", "settlement", "invariants")
AT_TIMES = ("expire_payments", "velocity", "rewards")


@pytest.fixture(scope="module")
def own_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Start a broker whose log no other test has begun."""
    with running_services(tmp_path_factory.mktemp("reactors") / "data") as found:
        yield found


@contextlib.asynccontextmanager
async def reactor(kafka: str, folder: Path, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a reactor's process."""
    arguments = ("-m", "tests.reactors.reactor_process", kafka, str(folder / name), name, KEY.hex())
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), 15)


async def standings(log: Log) -> dict[str, Any]:
    """Read what each reactor said of itself last."""
    reader = await log.reader(topic.STATUS, {0: 0})
    try:
        end = (await reader.ends())[0]
        said: dict[str, Any] = {}
        read = 0
        while read < end:
            for message in (await reader.poll(1.0)).get(0, ()):
                read = message.offset + 1
                said[(message.key or b"").decode()] = json.loads(message.value)
        return said
    finally:
        await reader.close()


async def acting(log: Log, among: set[str], timeout_s: float = 40.0) -> str:
    """Wait until one of these reactors acts, by a status of the last two seconds, and name it."""
    async with asyncio.timeout(timeout_s):
        while True:
            now = time.time() * 1000
            for name, said in (await standings(log)).items():
                if name in among and said["detail"]["acts"] and now - said["at"] < 2000:
                    return name
            await asyncio.sleep(0.2)


async def ran(log: Log, name: str, timeout_s: float = 15.0) -> None:
    """Wait until a reactor says that each task that comes at once or every second ran to its end in it."""
    async with asyncio.timeout(timeout_s):
        while True:
            said = (await standings(log))[name]["detail"]["tasks"]
            assert set(AT_TIMES) <= set(said)
            if all(said[task].get("outcome") == "done" for task in AT_ONCE):
                assert all(0 < said[task]["last_run"] <= time.time() * 1000 for task in AT_ONCE)
                return
            await asyncio.sleep(0.2)


async def test_one_reactor_acts_and_when_it_is_killed_another_goes_on_within_16_seconds_and_nothing_is_lost(
    own_services: Services, tmp_path: Path
) -> None:
    log = KafkaLog(KafkaAddress.parse(own_services.kafka))
    async with receiving() as receiver, Registry(log) as registry, contextlib.AsyncExitStack() as stack:
        processes = {
            name: await stack.enter_async_context(reactor(own_services.kafka, tmp_path, name))
            for name in ("react-1", "react-2")
        }
        leader = await acting(log, set(processes))
        await registry.register("whk_a", f"{receiver.url}/a")
        facts = [await registry.issue() for _ in range(20)]
        await until(lambda: len(receiver.heard) == 20)
        expiring = await registry.issue(expires_at=int(time.time() * 1000) + 500)
        await until(lambda: [event.fact_id for event in registry.events(FactExpired)] == [expiring])
        said = await standings(log)
        assert [said[name]["detail"]["acts"] for name in processes].count(True) == 1
        assert said[leader]["detail"]["tasks"]["expire"]["outcome"] == "done"
        await ran(log, leader)

        await until(lambda: len(receiver.heard) == 22)
        os.kill(processes[leader].pid, signal.SIGKILL)
        died = time.monotonic()
        facts += [await registry.issue() for _ in range(20)]
        await until(lambda: len({heard.json["sequence"] for heard in receiver.heard}) == 42, 30.0)
        took_s = time.monotonic() - died
        print(f"taken over after {took_s:.1f} s")
        assert took_s < TAKEN_OVER_WITHIN_S
        assert {heard.json["sequence"] for heard in receiver.heard} == set(range(1, 43))
        assert {heard.json["id"] for heard in receiver.heard} == {*facts, expiring}
        (other,) = set(processes) - {leader}
        await ran(log, other)
    await log.close()


async def test_a_leader_topic_that_a_worker_does_not_see_when_it_joins_is_noticed_soon(
    own_services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faust_app, "APP_ID", "muniment.late")
    real, shown = ClusterMetadata.partitions_for_topic, False

    def seen(cluster: ClusterMetadata, topic: str) -> Any:
        return real(cluster, topic) if shown or not topic.endswith("__leader") else None

    monkeypatch.setattr(ClusterMetadata, "partitions_for_topic", seen)
    worker = faust_app.Worker(KafkaAddress.parse(own_services.kafka), "late", tmp_path, [])
    working = asyncio.create_task(worker.run())
    await until(lambda: worker._started, 40.0)
    await asyncio.sleep(JOINED_S)
    assert not worker.leads()
    shown = True
    await until(worker.leads, TAKEN_OVER_WITHIN_S)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
