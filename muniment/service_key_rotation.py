"""The task by which the leading reactor keeps service keys fresh."""

import asyncio
import logging
from typing import Final

from api.service_key_files import keep_fresh
from muniment.settings import Settings
from processors.task import Run, Task

journal = logging.getLogger("muniment.reactors")

EVERY_S: Final = 60.0
"""A process that is often started anew must look often: the first run of a task comes a span after its start."""
DAY_S: Final = 86_400


def service_key_task(settings: Settings) -> Task:
    """Give the task that makes the next key when the newest is old, in this process's own data directory.

    Keys that are set in the environment are for whoever set them to replace.
    """

    async def run() -> Run:
        if settings.service_key is not None:
            return Run(said={"kept_in": "environment"})
        made, retired = await asyncio.to_thread(keep_fresh, settings.keys, settings.service_key_days * DAY_S)
        if made is not None:
            journal.info("service_key_made", extra={"kid": made.kid})
        for key in retired:
            journal.info("service_key_retired", extra={"kid": key.kid})
        return Run(said={"made": made is not None, "retired": len(retired)})

    return Task("service_keys", EVERY_S, run)
