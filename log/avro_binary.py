"""Avro's binary encoding of single values: what the compiled code calls where a value is rare, long or large.

Source: Apache Avro 1.12 specification, "Binary encoding".
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Write: TypeAlias = Callable[[Any], bytes]
Read: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
"""Gives the value that begins at a place in the data, and the place behind it. Raises ValueError or IndexError."""

SMALL = 8192
LONG_MIN, LONG_MAX = -(1 << 63), (1 << 63) - 1
DOUBLE = struct.Struct("<d")
END = b"\0"


def long(value: int) -> bytes:
    """Write a long: zigzag, then seven bits a byte, the lowest first."""
    if not LONG_MIN <= value <= LONG_MAX:
        raise OverflowError("a long has 64 bits")
    rest = (value << 1) ^ (value >> 63)
    written = b""
    while rest > 16_383:
        written += PAIRS[rest & 16_383]
        rest >>= 14
    return written + LASTS[rest]


PAIRS = [bytes((low | 128, high | 128)) for high in range(128) for low in range(128)]
"""By fourteen bits their two bytes where more follow."""
LASTS = [bytes((low | 128, high)) if high else bytes((low,)) for high in range(128) for low in range(128)]
"""By fourteen bits their bytes where none follow."""
LONG = [long(number) for number in range(SMALL)]


def unsigned(data: bytes, at: int) -> tuple[int, int]:
    """Read the zigzag form of a long, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
    if value >> 64:
        raise ValueError("a long has 64 bits")
    return value, at


def doubled(data: bytes, at: int) -> tuple[int, int]:
    """Read the zigzag form of a length, which is twice the length, and the place behind it."""
    value, at = unsigned(data, at)
    if value & 1:
        raise ValueError("a length is negative")
    return value, at


def fixed(content: bytes, size: int) -> bytes:
    """Write a fixed."""
    if len(content) != size:
        raise ValueError(f"a fixed has {size} bytes")
    return content


def boolean(data: bytes, at: int) -> bool:
    """Read a boolean."""
    if data[at] > 1:
        raise ValueError("a boolean is 0 or 1")
    return data[at] == 1


def branch(data: bytes, at: int, readers: Sequence[Read]) -> tuple[Any, int]:
    """Read a union: the index of its branch, then the value."""
    index, at = doubled(data, at)
    return readers[index >> 1](data, at)


def blocks(data: bytes, at: int, item: Read) -> tuple[list[Any], int]:
    """Read the blocks of an array or a map; a negative count has the block's size in bytes behind it."""
    found: list[Any] = []
    while True:
        count, at = unsigned(data, at)
        if count == 0:
            return found, at
        if count & 1:
            _, at = unsigned(data, at)
        count = (count + 1) >> 1
        if count > len(data):  # no item of ours takes less than a byte
            raise ValueError("a block has more items than bytes")
        for _ in range(count):
            value, at = item(data, at)
            found.append(value)


def written_blocks(values: Sequence[Any], item: Write) -> bytes:
    """Write an array, or a map's pairs, as one block and the empty one that ends it."""
    if not values:
        return END
    count = LONG[len(values)] if len(values) < SMALL else long(len(values))
    return b"".join((count, *map(item, values), END))
