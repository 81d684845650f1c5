"""What a transaction that anchors jobs must be: its inputs, an output for each job, what it gives back, and its fee."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from log.bitcoin import BitcoinTransaction, InvalidBitcoin, anchored, read_transaction, txid_of
from processors.audit_names import Fault, require


class Anchored(Protocol):
    """What of a record goes onto the chain."""

    @property
    def record_id(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def uri(self) -> str | None: ...
    @property
    def timestamp(self) -> str: ...


def content_of(job: Anchored) -> bytes:
    """Give what a job's output carries: compact JSON, members in this order, no ``uri`` where the record has none."""
    told: dict[str, Any] = {"p": "sl-drm", "v": 1, "rid": job.record_id, "hash": job.hash}
    if job.uri is not None:
        told["uri"] = job.uri
    told["ts"] = job.timestamp
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def read(signed: Any) -> BitcoinTransaction:
    """Read the transaction of a batch that is signed, or is to be. Raises Fault."""
    try:
        transaction = read_transaction(signed.raw)
    except InvalidBitcoin as error:
        raise Fault("transaction", f"the transaction can't be read: {error}") from None
    txid = txid_of(signed.raw)
    require(txid == signed.txid, "txid", f"the transaction is {txid}, and {signed.txid} is said")
    return transaction


def check_change(signed: Any, transaction: BitcoinTransaction) -> None:
    """Check that the outputs which are said to give back are the transaction's. Raises Fault."""
    outputs = {vout: (each.satoshis, each.script.hex()) for vout, each in enumerate(transaction.outputs)}
    vouts = [each.vout for each in signed.change]
    require(len(set(vouts)) == len(vouts), "change", "an output gives back twice")
    for each in signed.change:
        same = outputs.get(each.vout) == (each.satoshis, each.script)
        require(same, "change", f"output {each.vout} doesn't give back {each.satoshis} satoshis by {each.script}")


def check_anchors(signed: Any, jobs: Sequence[Anchored], outpoints: Sequence[str], taken: int) -> None:
    """Check a signed batch's transaction against its jobs, what it reserved, and the satoshis of that. Raises Fault."""
    transaction = read(signed)
    spends = [each.outpoint for each in transaction.inputs]
    same = len(set(spends)) == len(spends) and set(spends) == set(outpoints)
    require(same, "inputs", f"{signed.txid} spends {', '.join(spends)}, and {', '.join(outpoints)} was reserved")
    require(len(transaction.outputs) >= len(jobs), "anchor", f"{signed.txid} has fewer outputs than jobs")
    for vout, (output, job) in enumerate(zip(transaction.outputs, jobs, strict=False)):
        carried = anchored(output.script)
        require(carried == content_of(job), "anchor", f"output {vout} of {signed.txid} doesn't carry its job's record")
        require(output.satoshis == 0, "anchor", f"output {vout} of {signed.txid} holds satoshis that nobody can spend")
    check_change(signed, transaction)
    back = {each.vout for each in signed.change}
    rest = set(range(len(jobs), len(transaction.outputs)))
    require(back == rest, "change", f"{signed.txid} has outputs that neither carry a job nor give back")
    fee = taken - sum(each.satoshis for each in transaction.outputs)
    require(fee == signed.fee >= 0, "fee", f"{signed.txid} leaves {fee} satoshis, and {signed.fee} is said")
