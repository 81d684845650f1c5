"""Free ports on the loopback interface, and probes that say whether a service answers on one."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
PROBE_TIMEOUT_S: Final = 2.0
_LOWEST_PORT: Final = 15_000
_DEFAULT_EPHEMERAL_START: Final = 32_768
_EPHEMERAL_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_PICKS: Final = 200

Probe = Callable[[], Awaitable[bool]]


def is_free(port: int) -> bool:
    """Says whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen(1)
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Picks distinct free ports below the range from which the kernel takes ports for outgoing connections.

    A port within that range could be taken by any client while its server is away, even by a client that connects
    to itself, and the server could not come back on it.
    """
    end = _ephemeral_start()
    start = _LOWEST_PORT if end - _LOWEST_PORT >= _PICKS else 1024
    found: list[int] = []
    for _ in range(_PICKS):
        port = random.randrange(start, end)  # noqa: S311 - a port is no secret
        if port not in found and is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    message = f"no {count} free ports between {start} and {end}"
    raise OSError(message)


def _ephemeral_start() -> int:
    try:
        start = int(_EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _DEFAULT_EPHEMERAL_START
    return start if start > 1024 + _PICKS else _DEFAULT_EPHEMERAL_START


async def _ask(port: int, request: bytes, answer_bytes: int) -> bytes:
    """Sends one request and returns the first bytes of the answer, or nothing."""
    writer = None
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(request)
            await writer.drain()
            return await reader.readexactly(answer_bytes)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return b""
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def broker_answers(port: int) -> Probe:
    """Probes a Kafka broker: ready once its metadata (Metadata, version 1) lists a broker that is not fenced."""
    client = b"muniment"
    body = struct.pack(">hhih", 3, 1, 7, len(client)) + client + struct.pack(">i", 0)
    request = struct.pack(">i", len(body)) + body

    async def probe() -> bool:
        answer = await _ask(port, request, 12)
        return len(answer) == 12 and struct.unpack(">iii", answer)[1:] >= (7, 1)

    return probe


def postgres_answers(port: int, *, user: str, database: str) -> Probe:
    """Probes PostgreSQL: ready once it asks for a password instead of saying that it is starting up."""
    parameters = b"\0".join(part.encode() for part in ("user", user, "database", database)) + b"\0\0"
    request = struct.pack(">ii", 8 + len(parameters), 196_608) + parameters

    async def probe() -> bool:
        return await _ask(port, request, 1) == b"R"

    return probe


def http_answers(port: int, path: str = "/health") -> Probe:
    """Probes an HTTP server on the loopback: ready once it answers 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n".encode()

    async def probe() -> bool:
        return (await _ask(port, request, 12)).endswith(b" 200")

    return probe
