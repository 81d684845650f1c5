"""Curators who star without a pause, and remember what was acknowledged."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Self

from muniment import Client, Refused, SigningKey, Unreachable
from tests.end_to_end.registry import Registry

CURATORS = 6


@dataclass
class Load:
    """What curators were told: facts acknowledged, by id, and how often they were told to come again."""

    registry: Registry
    keys: list[SigningKey] = field(default_factory=lambda: [SigningKey.generate() for _ in range(CURATORS)])
    acknowledged: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)
    longest_pause_s: float = 0.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _last: float = field(default_factory=time.monotonic)

    async def __aenter__(self) -> Self:
        async with Client(self.registry.url, SigningKey.load(self.registry.data / "operator.json")) as admin:
            for key in self.keys:
                await admin.signers.add(key.did, ["curator"])
        self._last = time.monotonic()
        self._tasks = [asyncio.create_task(self._star(index)) for index in range(CURATORS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _star(self, index: int) -> None:
        async with Client(self.registry.url, self.keys[index], timeout_s=30.0) as curator:
            number = 0
            while True:
                number += 1
                try:
                    fact = await curator.facts.star(f"pl_{index}_{number}")
                except Refused as refusal:
                    self.refused[refusal.code] = self.refused.get(refusal.code, 0) + 1
                except Unreachable:
                    self.refused["unreachable"] = self.refused.get("unreachable", 0) + 1
                else:
                    self.acknowledged.add(fact.id)
                    now = time.monotonic()
                    self.longest_pause_s = max(self.longest_pause_s, now - self._last)
                    self._last = now

    async def until_acknowledged(self, more: int, timeout_s: float = 90.0) -> None:
        """Wait until this many more facts are acknowledged."""
        goal = len(self.acknowledged) + more
        async with asyncio.timeout(timeout_s):
            while len(self.acknowledged) < goal:
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.05)


async def facts_shown(registry: Registry) -> list[str]:
    """List the ids that the delta feed gives from its start, each as often as it is given."""
    async with Client(registry.url) as reader:
        return [change.fact.id async for change in reader.facts.changes()]
