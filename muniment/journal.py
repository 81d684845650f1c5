"""The journal of a process: one JSON line on standard error for each event, its name and its fields."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
MAX_ERROR_CHARACTERS: Final = 4000


class JsonLines(logging.Formatter):
    """Writes a record as one line: ``at``, ``level``, ``process``, ``logger``, ``event``, and the extra fields."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {
            "at": at,
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)[-MAX_ERROR_CHARACTERS:]
        return json.dumps(line, default=str, ensure_ascii=False)


def keep_journal(process: str, level: str) -> None:
    """Send every record of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Faust and aiokafka tell each rebalance and each fetch at INFO; what matters of it is in our own events.
    for noisy in ("aiokafka", "faust", "mode", "aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
