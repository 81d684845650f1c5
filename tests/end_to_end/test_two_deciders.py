"""Two deciders on one partition, for a minute, under load: the log that counts is as if there had been one."""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.log import OnAssigned, OnRevoked, Reader
from log.store import Store
from processors.deciding import CommandProcessor
from tests.end_to_end.load import Load
from tests.end_to_end.registry import running
from tests.end_to_end.test_kill_nine import check

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]

BOTH_WRITE_S = 60.0


class UninvitedLog(KafkaLog):
    """A log whose member takes every partition without asking the group: a writer that should not be there."""

    async def member(self, topic: str, _group: str, on_assigned: OnAssigned, _on_revoked: OnRevoked) -> Reader:
        partitions: Sequence[int] = range(await self.partitions(topic))
        starts: Mapping[int, int] = await on_assigned(partitions)
        return await self.reader(topic, starts)


async def test_a_second_decider_on_every_partition_changes_nothing_that_counts(tmp_path: Path) -> None:
    with running(tmp_path / "data") as registry, tempfile.TemporaryDirectory() as folder:
        async with Load(registry) as load:
            await load.until_acknowledged(20)
            log = UninvitedLog(KafkaAddress.parse(registry.stack()["kafka"]))
            second = CommandProcessor(log, "facts", lambda partition: Store(Path(folder) / str(partition)))
            running_second = asyncio.create_task(second.run())
            until = time.monotonic() + BOTH_WRITE_S
            while time.monotonic() < until:
                await load.until_acknowledged(1)
                if running_second.done():
                    running_second.result()
            running_second.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running_second
            await log.close()
            await load.until_acknowledged(20)
        await check(registry, load)
        verdict = json.loads(registry.cli("audit", "--json"))
        assert verdict["skipped"] > 0, "the second decider never raced: this shows nothing"
