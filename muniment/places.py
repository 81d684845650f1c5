"""Where a process of the registry stands: its settings, its name, the log, and what every process does alike."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server

from log.kafka_address import InvalidAddress, KafkaAddress
from log.log import Log
from muniment.settings import InvalidSetting, Settings


@dataclass(frozen=True, slots=True)
class Place:
    """What a process stands on."""

    settings: Settings
    role: str
    name: str
    log: Log
    address: KafkaAddress

    @contextlib.contextmanager
    def metrics_served(self, registry: CollectorRegistry = REGISTRY) -> Iterator[None]:
        """Serve this process's Prometheus metrics on their own port, where one is set."""
        port = self.settings.metrics_port
        if port is None:
            yield
            return
        server, thread = start_http_server(port, self.settings.host, registry)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def kafka_address(settings: Settings) -> KafkaAddress:
    """Read where the log is. Raises InvalidSetting."""
    if settings.kafka is None:
        raise InvalidSetting("MUNIMENT_KAFKA says where the log is, and is not set")
    try:
        return KafkaAddress.parse(settings.kafka)
    except InvalidAddress as error:
        raise InvalidSetting(f"MUNIMENT_KAFKA: {error}") from None


def postgres_dsn(settings: Settings) -> str:
    """Read where the database is. Raises InvalidSetting."""
    if settings.postgres is None:
        raise InvalidSetting("MUNIMENT_POSTGRES says where the database is, and is not set")
    return settings.postgres
