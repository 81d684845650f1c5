"""A broker that takes connections and answers nothing, as a stopped one does."""

import asyncio
import time

import pytest

from log import kafka
from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.log import LogUnavailable


async def test_look_ups_at_a_silent_broker_end_together_and_none_waits_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka, "LOOKUP_TIMEOUT_S", 0.5, raising=False)
    ended = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        log = KafkaLog(KafkaAddress(f"127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        started = time.monotonic()
        found = await asyncio.gather(*(log.read_at("t", 0, 0) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(each, LogUnavailable) for each in found), found
        assert time.monotonic() - started < 2.0
        await log.close()
        ended.set()
