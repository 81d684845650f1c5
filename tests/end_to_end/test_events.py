"""The event stream of a running registry: whatever is killed under it, each reader gets each event once, in order."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from domain.records.record import RecordCreated
from log import topic
from log.chain import Chain, Mark
from log.following import Decided
from log.log import AppendUnknown, LogUnavailable
from log.token import token_at
from muniment import Client
from tests.end_to_end.record_load import RecordLoad, record_load
from tests.end_to_end.registry import Registry, running
from tests.events.listening import LISTEN

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

PATIENCE_S = 600
EVENTS_BETWEEN = 60
BROKEN = (aiohttp.ClientError, ConnectionError, EOFError, AssertionError)


async def told(load: RecordLoad) -> tuple[list[list[str]], list[int]]:
    """Give by partition the positions of every record on the log, and the last command that was ruled on.

    Read by the reading rule, and by nothing of the api.
    """
    name, found, causes = topic.events("records"), [], []
    for partition in range(load.partitions):
        reader = await load.log.reader(name, {partition: 0})
        chain, positions, cause = Chain(Mark.start(name, partition)), list[str](), -1
        end = (await reader.ends())[partition]
        while chain.mark.next < end:
            for message in chain.counted((await reader.poll(0.5)).get(partition, ())):
                made = Decided("records", message)
                public = [each for each in made.payloads if isinstance(each, RecordCreated)]
                positions += [token_at("records", partition, message.offset)] * len(public)
                cause = max(cause, made.decision.cause)
        await reader.close()
        found.append(positions)
        causes.append(cause)
    return found, causes


async def decided(load: RecordLoad) -> list[list[str]]:
    """Give what is told once every command is decided."""
    name = topic.commands("records")
    reader = await load.log.reader(name, dict.fromkeys(range(load.partitions), 0))
    ends = await reader.ends()
    await reader.close()
    while True:
        found, causes = await told(load)
        if all(causes[partition] == end - 1 for partition, end in ends.items()):
            return found
        await asyncio.sleep(0.2)


def check(heard: list[dict[str, Any]], partitions: list[list[str]]) -> None:
    """See that what was heard is all that was to be told, once, in the order of each partition."""
    positions = [event["position"] for event in heard]
    assert len(set(positions)) == len(positions)
    for wanted in partitions:
        of_it = set(wanted)
        assert [position for position in positions if position in of_it] == wanted
    assert len(positions) == sum(map(len, partitions))


async def listen(registry: Registry, wire: str, heard: list[dict[str, Any]]) -> None:
    """Listen for ever as a plain reader does, which comes back to the cursor of the last event that it heard."""
    while True:
        since = heard[-1]["cursor"] if heard else "0"
        with contextlib.suppress(*BROKEN):
            async with LISTEN[wire](registry.url, since=since) as listening:
                listening.events = heard
                await listening.until(1 << 40)
        await asyncio.sleep(0.1)


async def follow(registry: Registry, heard: list[dict[str, Any]]) -> None:
    """Listen for ever as our client does."""
    async with Client(registry.url, timeout_s=PATIENCE_S) as client:
        async for event in client.events(since="0"):
            heard.append(dict(event.json))  # noqa: PERF401  # what was heard so far is looked at meanwhile


async def write(load: RecordLoad) -> None:
    """Write for ever; what the broker can't take now is left out."""
    while True:
        with contextlib.suppress(LogUnavailable, AppendUnknown):
            await load.write(10)
        await asyncio.sleep(0.1)


class Listeners:
    """Readers of every kind, who listen until they are stopped."""

    def __init__(self, registry: Registry) -> None:
        self.heard: dict[str, list[dict[str, Any]]] = {"sse": [], "websocket": [], "client": []}
        plain = [listen(registry, wire, self.heard[wire]) for wire in ("sse", "websocket")]
        self._tasks = [asyncio.create_task(each) for each in (*plain, follow(registry, self.heard["client"]))]

    async def until(self, **events: int) -> None:
        """Wait until each has heard so many."""
        while any(len(self.heard[wire]) < wanted for wire, wanted in events.items()):
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.05)

    async def until_more(self, events: int) -> None:
        """Wait until each has heard so many more."""
        await self.until(**{wire: len(heard) + events for wire, heard in self.heard.items()})

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_each_process_is_killed_under_load_and_every_reader_hears_every_event_once(tmp_path: Path) -> None:
    with running(tmp_path / "data") as registry:
        async with asyncio.timeout(PATIENCE_S), record_load(registry) as load:
            listeners = Listeners(registry)
            writing = asyncio.create_task(write(load))
            for name in ("api", "broker", "decide", "project"):
                await listeners.until_more(EVENTS_BETWEEN)
                registry.kill(name)
            await listeners.until_more(EVENTS_BETWEEN)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            partitions = await decided(load)
            await listeners.until(**dict.fromkeys(listeners.heard, sum(map(len, partitions))))
            await listeners.stop()
        for heard in listeners.heard.values():
            check(heard, partitions)
        listed = registry.cli("events", "--until-now", "--json").splitlines()
        check([json.loads(line) for line in listed], partitions)
        middle = json.loads(listed[len(listed) // 2])["cursor"]
        rest = registry.cli("events", "--types", "cdv.records.*", "--since", middle, "--until-now").splitlines()
        assert len(rest) == len(listed) - len(listed) // 2 - 1
        assert " cdv.records.org.example.post.created mun://did:key:zLoad" in rest[0]
