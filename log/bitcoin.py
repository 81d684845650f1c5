"""Bitcoin's formats, as far as a proof needs them: transactions, block headers, and what a script carries.

Numbers are little-endian. Source: the protocol's reference, and BIP-141 for what a witness looks like, which is refused
here: what we write has none, and a proof carries the bytes that an id is made of.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from log.bitcoin_bytes import Reading, compact_size, lying, readable, sized, twice

HEADER_BYTES: Final = 80
LARGEST: Final = 21_000_000 * 100_000_000
"""Satoshis that there can ever be."""
FINAL: Final = 0xFFFFFFFF
_op_return: Final = 0x6A
_pushes: Final = {0x4C: 1, 0x4D: 2, 0x4E: 4}
_longest_direct: Final = 75


class InvalidBitcoin(ValueError):
    """The bytes are not what they should be."""


class Input(NamedTuple):
    """What a transaction spends: ``txid:vout``, by this script."""

    outpoint: str
    script: bytes
    sequence: int = FINAL


class Output(NamedTuple):
    """What a transaction gives, to whom this script lets spend it."""

    satoshis: int
    script: bytes


class BitcoinTransaction(NamedTuple):
    """A transaction."""

    inputs: Sequence[Input]
    outputs: Sequence[Output]
    version: int = 1
    lock_time: int = 0

    @property
    def raw(self) -> bytes:
        """Give its bytes."""
        written = [self.version.to_bytes(4, "little"), compact_size(len(self.inputs))]
        for each in self.inputs:
            written += [outpoint_bytes(each.outpoint), sized(each.script), each.sequence.to_bytes(4, "little")]
        written.append(compact_size(len(self.outputs)))
        written += [output_bytes(each) for each in self.outputs]
        return b"".join([*written, self.lock_time.to_bytes(4, "little")])

    @property
    def txid(self) -> str:
        """Give its id."""
        return txid_of(self.raw)


def outpoint_bytes(outpoint: str) -> bytes:
    """Write ``txid:vout``, whose parts have one spelling each. Raises ValueError."""
    txid, _, vout = outpoint.partition(":")
    if not vout.isascii() or not vout.isdecimal() or vout != str(int(vout[:11])) or int(vout) > FINAL:
        raise ValueError("an outpoint is a transaction's id, a colon, and the number of its output")
    return lying(txid) + int(vout).to_bytes(4, "little")


def output_bytes(output: Output) -> bytes:
    """Write an output."""
    return output.satoshis.to_bytes(8, "little") + sized(output.script)


def txid_of(raw: bytes) -> str:
    """Give the id of a transaction's bytes."""
    return readable(twice(raw))


def read_transaction(raw: bytes) -> BitcoinTransaction:
    """Read a transaction, which is all of the bytes, each size in its shortest spelling. Raises InvalidBitcoin."""
    reading = Reading(raw, InvalidBitcoin)
    version = reading.number(4)
    inputs = tuple(_read_input(reading) for _ in range(reading.size()))
    outputs = tuple(Output(reading.number(8), reading.take(reading.size())) for _ in range(reading.size()))
    if not inputs or not outputs:
        raise InvalidBitcoin("a transaction has inputs and outputs")
    transaction = BitcoinTransaction(inputs, outputs, version, reading.number(4))
    if not reading.at_end:
        raise InvalidBitcoin("the bytes go on behind the transaction")
    if sum(each.satoshis for each in outputs) > LARGEST:
        raise InvalidBitcoin("the outputs have more satoshis than there are")
    return transaction


def _read_input(reading: Reading) -> Input:
    outpoint = f"{reading.hash()}:{reading.number(4)}"
    return Input(outpoint, reading.take(reading.size()), reading.number(4))


def anchored(script: bytes) -> bytes | None:
    """Give the one push of a script ``OP_FALSE OP_RETURN <push>`` in its shortest spelling; none of any other."""
    reading = Reading(script, InvalidBitcoin)
    try:
        reading.take(2)
        code = reading.number(1)
        pushed = reading.take(reading.number(_pushes[code]) if code in _pushes else code)
    except InvalidBitcoin:
        return None
    return pushed if pushed and anchoring_script(pushed) == script else None


def anchoring_script(content: bytes) -> bytes:
    """Write ``OP_FALSE OP_RETURN <push>`` of 1 to 2^32 - 1 bytes, the push in its shortest spelling."""
    size = len(content)
    if size <= _longest_direct:
        push = bytes([size])
    else:
        code, width = next(each for each in _pushes.items() if size < 1 << 8 * each[1])
        push = bytes([code]) + size.to_bytes(width, "little")
    return bytes([0, _op_return]) + push + content


class BlockHeader(NamedTuple):
    """What a block's 80 bytes say; ``bits`` is how much work they show."""

    previous: str
    merkle_root: str
    time: int
    bits: int
    hash: str

    @property
    def target(self) -> int:
        """Give the number that the hash must not exceed; 0, which nothing reaches, where the bits name none."""
        exponent, mantissa = self.bits >> 24, self.bits & 0x7FFFFF
        if self.bits & 0x800000 or exponent > 32:
            return 0
        return mantissa << 8 * (exponent - 3) if exponent > 3 else mantissa >> 8 * (3 - exponent)

    @property
    def has_work(self) -> bool:
        """Tell whether the hash shows the work that the header itself asks for."""
        return int(self.hash, 16) <= self.target


def read_header(header: bytes) -> BlockHeader:
    """Read a block's header. Raises InvalidBitcoin."""
    if len(header) != HEADER_BYTES:
        raise InvalidBitcoin("a block's header has 80 bytes")
    reading = Reading(header, InvalidBitcoin)
    reading.number(4)  # the version, of which nothing follows
    return BlockHeader(reading.hash(), reading.hash(), reading.number(4), reading.number(4), readable(twice(header)))
