"""The names of topics, and which partition a key belongs to."""

import struct
from functools import lru_cache

SCHEMAS = "muniment.schemas"
STATUS = "muniment.status"
REMEMBERED_KEYS = 16_384
FACTS_INGEST = "muniment.facts-ingest"


def commands(context: str) -> str:
    """Name the topic that holds a context's commands."""
    return f"muniment.{context}.commands"


def events(context: str) -> str:
    """Name the topic that holds a context's decisions."""
    return f"muniment.{context}.events"


def murmur2(key: bytes) -> int:
    """Hash a key as every Kafka client does (``Utils.murmur2`` of Apache Kafka), as an unsigned 32-bit number."""
    m, length = 0x5BD1E995, len(key)
    h = (0x9747B28C ^ length) & 0xFFFFFFFF
    whole = length & ~3
    for (k,) in struct.iter_unpack("<I", key[:whole]):
        k = (k * m) & 0xFFFFFFFF  # noqa: PLW2901  # the algorithm's own variable
        k = ((k ^ (k >> 24)) * m) & 0xFFFFFFFF  # noqa: PLW2901
        h = ((h * m) & 0xFFFFFFFF) ^ k
    if length > whole:
        h ^= int.from_bytes(key[whole:], "little")
        h = (h * m) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * m) & 0xFFFFFFFF
    return h ^ (h >> 15)


@lru_cache(maxsize=REMEMBERED_KEYS)
def partition_of(key: str, partitions: int) -> int:
    """Give the partition of a key: murmur2 with its sign bit cleared, modulo the number of partitions."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
