"""How much an api process does for the readers of the event stream."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventBounds:
    """What bounds the readers of one process.

    ``readers`` is how many it takes at once; ``recent_events`` and ``recent_bytes`` how much it keeps for them all;
    ``chunk_events`` and ``chunk_bytes`` what is read or written at once; ``slow_after_s`` how long a connection may
    have no room; ``linger_s`` how long its end may take; ``heartbeat_s`` how long nothing may be said;
    ``socket_bytes`` what the kernel may keep for a connection.
    """

    readers: int = 2_000
    recent_events: int = 10_000
    recent_bytes: int = 32 << 20
    chunk_events: int = 256
    chunk_bytes: int = 128 << 10
    slow_after_s: float = 10.0
    linger_s: float = 3.0
    heartbeat_s: float = 15.0
    socket_bytes: int = 256 << 10
