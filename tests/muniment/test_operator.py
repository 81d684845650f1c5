"""The first start."""

import asyncio
import base64
import contextlib
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.facts.signer import Signer
from log import released, topic
from log.memory import MemoryLog
from log.released import codec
from log.signatures import verify
from log.store import MemoryStore
from log.topic import partition_of
from muniment.operator import (
    Genesis,
    GenesisFailed,
    genesis_command,
    make_admin,
    operator_key,
    sealing_key,
)
from muniment.settings import InvalidSetting, Settings
from muniment.signing_key import KeyFileError, SigningKey
from processors.deciding import CommandProcessor

PARTITIONS = 4


@contextlib.asynccontextmanager
async def deciding(log: MemoryLog) -> AsyncIterator[CommandProcessor]:
    processor = CommandProcessor(log, "facts", lambda _partition: MemoryStore())
    task = asyncio.create_task(processor.run())
    try:
        yield processor
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def log() -> MemoryLog:
    log = MemoryLog()
    await released.prepare(log, PARTITIONS)
    return log


def messages(log: MemoryLog, key: SigningKey) -> int:
    return len(log.messages(topic.commands("facts"), partition_of(key.did, PARTITIONS)))


async def test_the_first_start_makes_the_operator_an_admin_and_the_next_one_adds_nothing(log: MemoryLog) -> None:
    key = SigningKey.generate()
    async with deciding(log) as processor:
        assert await make_admin(log, key) is Genesis.MADE
        assert await make_admin(log, key) is Genesis.ALREADY
        partition = partition_of(key.did, PARTITIONS)
        while (entry := processor.seats[partition].store.get(f"signer/{key.did}")) is None:
            await asyncio.sleep(0.01)
    assert set(Signer(*entry).roles) == {"admin", "operator"}
    assert messages(log, key) == 1


async def test_a_crash_before_the_decision_is_healed_by_the_next_start(log: MemoryLog) -> None:
    key = SigningKey.generate()
    with pytest.raises(GenesisFailed):
        await make_admin(log, key, timeout_s=0.05)
    async with deciding(log):
        assert await make_admin(log, key) in {Genesis.MADE, Genesis.ALREADY}


async def test_a_log_that_has_begun_takes_no_operator_from_a_new_data_directory(log: MemoryLog) -> None:
    first = SigningKey.generate()
    others = (SigningKey.generate() for _ in range(1000))
    same = next(key for key in others if partition_of(key.did, PARTITIONS) == partition_of(first.did, PARTITIONS))
    async with deciding(log):
        await make_admin(log, first)
        assert await make_admin(log, same) is Genesis.REFUSED


def test_the_genesis_command_is_signed_and_the_same_each_time() -> None:
    key = SigningKey.generate()
    command = genesis_command(key)
    assert codec("facts", "command").encode(command) == codec("facts", "command").encode(genesis_command(key))
    assert command.signature is not None
    verify(key.alg, key.did, command.signature.signed_bytes, command.signature.signature)


def test_the_operators_key_is_made_once_and_never_replaced(tmp_path: Path) -> None:
    key = operator_key(tmp_path)
    assert operator_key(tmp_path).did == key.did
    assert stat.S_IMODE((tmp_path / "operator.json").stat().st_mode) == 0o600
    (tmp_path / "operator.json").write_text("{}")
    with pytest.raises(KeyFileError):
        operator_key(tmp_path)


def test_the_sealing_key_is_made_once_or_taken_from_its_variable(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert sealing_key(settings) == sealing_key(settings)
    assert stat.S_IMODE((tmp_path / "keys" / "webhook.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["webhook.key"]
    given = bytes(range(32))
    assert sealing_key(Settings(data=tmp_path, webhook_key=base64.b64encode(given).decode())) == given
    with pytest.raises(InvalidSetting, match="MUNIMENT_WEBHOOK_KEY") as refused:
        sealing_key(Settings(webhook_key="c2hvcnQ="))
    assert "c2hvcnQ" not in str(refused.value)
