"""A reactor as a process: ``python -m tests.reactors.reactor_process KAFKA FOLDER NAME KEY_HEX [METRICS_PORT]``."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import uvloop
from prometheus_client import start_http_server

from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from processors import reacting


async def main(kafka: str, folder: str, name: str, key: str, metrics_port: str | None = None) -> None:
    """Run until SIGTERM."""
    if metrics_port is not None:
        start_http_server(int(metrics_port), "127.0.0.1")
    address = KafkaAddress.parse(kafka)
    log = KafkaLog(address, client_id=name, instance=name)
    running = asyncio.create_task(reacting.run(log, address, Path(folder), name, key=bytes.fromhex(key), targets="any"))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await log.close()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
