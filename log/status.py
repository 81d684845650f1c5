"""How the processes of a deployment stand: each says so every second on one compacted topic, under its name."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from log import strict_json, topic
from log.log import AppendUnknown, Log, LogUnavailable

EVERY_S = 1.0
POLL_S = 0.5
RETRY_S = 0.5
STALE_AFTER_S = 10.0
KEPT_FOR_S = 3600.0
"""What was not heard of for so long is forgotten."""
AUDITOR = "auditor"
"""The kind under which an audit tells its verdict, once, at its end: the last one is never forgotten."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """What a process said of itself last: its kind, when (ms since 1970 UTC, by the log's clock), and details."""

    name: str
    kind: str
    at: int
    detail: Mapping[str, Any]

    @property
    def age_s(self) -> float:
        """Say how long ago that was."""
        return max(0.0, time.time() - self.at / 1000)

    @property
    def stale(self) -> bool:
        """Tell whether the process was silent for too long to count as running."""
        return self.age_s > STALE_AFTER_S


async def publish(log: Log, name: str, kind: str, detail: Mapping[str, Any]) -> None:
    """Say once how a process stands. Raises LogUnavailable, AppendUnknown."""
    said = {"kind": kind, "at": int(time.time() * 1000), "detail": detail}
    await (await log.append(topic.STATUS, 0, [(name.encode(), strict_json.dump(said))]))


async def keep_publishing(log: Log, name: str, kind: str, detail: Callable[[], Mapping[str, Any]]) -> None:
    """Say every second how a process stands, until cancelled; the log being away is waited out."""
    while True:
        try:
            await publish(log, name, kind, detail())
        except (LogUnavailable, AppendUnknown):
            await asyncio.sleep(RETRY_S)
        await asyncio.sleep(EVERY_S)


class StatusBoard:
    """What every process said last."""

    def __init__(self) -> None:
        self._said: dict[str, ProcessStatus] = {}
        self.heard_at: float | None = None
        """When the log answered last, by the monotonic clock; nothing before the first answer."""

    @property
    def log_silent_s(self) -> float | None:
        """Say for how long the log has not answered; nothing before its first answer."""
        return None if self.heard_at is None else time.monotonic() - self.heard_at

    def standings(self, kind: str | None = None) -> list[ProcessStatus]:
        """List what was said, by name; of one kind of process if that is asked."""
        return [entry for _, entry in sorted(self._said.items()) if kind is None or entry.kind == kind]

    def take(self, name: str, value: bytes, at: int) -> None:
        """Take what a process said; what is no status is passed over."""
        try:
            said = strict_json.parse(value)
        except strict_json.MalformedJson:
            return
        if isinstance(said, dict) and isinstance(said.get("kind"), str) and isinstance(said.get("detail"), dict):
            self._said[name] = ProcessStatus(name, str(said["kind"]), at, said["detail"])  # type: ignore[arg-type]
        for old in [each.name for each in self._said.values() if each.kind != AUDITOR and each.age_s > KEPT_FOR_S]:
            del self._said[old]

    async def follow(self, log: Log) -> None:
        """Follow the topic until cancelled; the log being away is waited out."""
        start = 0
        while True:
            try:
                reader = await log.reader(topic.STATUS, {0: start})
                try:
                    while True:
                        batches = await reader.poll(POLL_S)
                        await reader.ends()
                        self.heard_at = time.monotonic()
                        for message in batches.get(0, ()):
                            start = message.offset + 1
                            self.take((message.key or b"").decode(errors="replace"), message.value, message.timestamp)
                finally:
                    await reader.close()
            except LogUnavailable:
                await asyncio.sleep(RETRY_S)
