"""How a process stands, told to all others on a compacted topic: one message a process, keyed by its name."""

import json
import time
from collections.abc import Mapping
from typing import Any

from log import topic
from log.log import Log


async def publish(log: Log, name: str, kind: str, detail: Mapping[str, Any]) -> None:
    """Say how a process of a kind stands now, in JSON's values. Raises LogUnavailable or AppendUnknown."""
    status = {"kind": kind, "at": time.time_ns() // 1_000_000, "detail": detail}
    await (await log.append(topic.STATUS, 0, [(name.encode(), json.dumps(status).encode())]))
