"""Whether a transaction may spend what it spends: its scripts under bsv-sdk's interpreter, with FORKID signatures."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from log.bitcoin import BitcoinTransaction, Output, output_bytes

LONGEST_SCRIPT: Final = 10_000
"""Bytes of a script that is run."""
GREEDY: Final = frozenset({0x7E, 0x80, 0x95, 0xB6})
"""OP_CAT, OP_NUM2BIN, OP_MUL, OP_LSHIFTNUM: nodes bound the memory that these may take, the interpreter doesn't."""
_op_return: Final = 0x6A
_push_data: Final = {0x4C: 1, 0x4D: 2, 0x4E: 4}
_conditions: Final = {0x63: 1, 0x64: 1, 0x65: 1, 0x66: 1, 0x68: -1}
"""By opcode how much deeper the script is behind it: OP_IF, OP_NOTIF, OP_VERIF, OP_VERNOTIF, OP_ENDIF."""


class _Written(NamedTuple):
    """An output that is written once for all the inputs that sign it."""

    written: bytes

    def serialize(self) -> bytes:
        return self.written


class Interpreter(NamedTuple):
    """What of bsv-sdk runs scripts."""

    script: Callable[[bytes], Any]
    input: Callable[..., Any]
    spend: Callable[[dict[str, Any]], Any]


@cache
def interpreter() -> Interpreter:
    """Load the interpreter, which takes about a second once a process."""
    from bsv.script.script import Script  # noqa: PLC0415 - who validates nothing starts without that second
    from bsv.script.spend import Spend  # noqa: PLC0415 - as above
    from bsv.transaction_input import TransactionInput  # noqa: PLC0415 - as above

    return Interpreter(Script, TransactionInput, Spend)


def scripts_hold(transaction: BitcoinTransaction, spent: Sequence[Output]) -> bool:
    """Tell whether each input of a transaction may spend its output; those are given in the order of the inputs."""
    if None in map(opcodes, _scripts(transaction, spent)):
        return False
    runs = interpreter()
    outputs = [_Written(output_bytes(each)) for each in transaction.outputs]
    inputs = [
        runs.input(source_txid=txid, source_output_index=int(vout), sequence=each.sequence)
        for each in transaction.inputs
        for txid, _, vout in [each.outpoint.partition(":")]
    ]
    for at, (spending, taken) in enumerate(zip(transaction.inputs, spent, strict=True)):
        spend = runs.spend(
            {
                "sourceTXID": inputs[at].source_txid,
                "sourceOutputIndex": inputs[at].source_output_index,
                "sourceSatoshis": taken.satoshis,
                "lockingScript": runs.script(taken.script),
                "transactionVersion": transaction.version,
                "otherInputs": inputs[:at] + inputs[at + 1 :],
                "outputs": outputs,
                "inputIndex": at,
                "unlockingScript": runs.script(spending.script),
                "inputSequence": spending.sequence,
                "lockTime": transaction.lock_time,
            }
        )
        try:
            held = spend.validate()
        except Exception:  # noqa: BLE001 - whatever a stranger's script makes the interpreter stumble over, it failed
            held = False
        if held is not True:
            return False
    return True


def too_greedy(transaction: BitcoinTransaction, spent: Sequence[Output]) -> bool:
    """Tell whether one of the scripts is longer than is run here, or has what makes more of a little.

    A few bytes of a stranger's could otherwise have the interpreter fill gigabytes, for as long as that takes.
    """
    return any(
        len(script) > LONGEST_SCRIPT or not GREEDY.isdisjoint(opcodes(script) or ())
        for script in _scripts(transaction, spent)
    )


def _scripts(transaction: BitcoinTransaction, spent: Sequence[Output]) -> list[bytes]:
    return [each.script for each in transaction.inputs] + [each.script for each in spent]


def opcodes(script: bytes) -> set[int] | None:
    """Give the opcodes of a script but its pushes; none where it ends in the middle of a push.

    The interpreter would take that for a shorter push. What follows an OP_RETURN that no condition holds is no script.
    """
    found = set[int]()
    at = depth = 0
    while at < len(script):
        code, at = script[at], at + 1
        if code == _op_return and depth == 0:
            return found
        depth = max(0, depth + _conditions.get(code, 0))
        width = _push_data.get(code, 0)
        size = code if 0 < code < min(_push_data) else int.from_bytes(script[at : at + width], "little")
        at += width + size
        if code > max(_push_data):
            found.add(code)
    return None if at > len(script) else found
