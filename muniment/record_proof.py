"""The proof that a signed record is anchored to a chain, checked offline: nobody is asked, and nobody is believed.

What no file can show is which of two chains has more work: the block is named, for whoever verifies to look it up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from domain.json_value import JsonObject, JsonValue
from log import strict_json
from log.bitcoin import (
    HEADER_BYTES,
    LARGEST,
    BitcoinTransaction,
    BlockHeader,
    InvalidBitcoin,
    Output,
    anchored,
    read_header,
    read_transaction,
    txid_of,
)
from log.canonical import NotCanonicalizable
from log.intents import intent_signed_bytes, publisher, record_hash, verify_intent
from log.merkle_path import InvalidMerklePath, height_and_root
from log.public_keys import InvalidKey, PublicKey
from log.signature_hash import pays_a_key
from log.signatures import InvalidSignature
from log.unlocking import unlocking_fault
from processors.anchor_transactions import anchored_content

MAX_BYTES: Final = 16 << 20
HIGHEST: Final = (1 << 32) - 1
"""Of numbers that Bitcoin writes in four bytes: heights of blocks, and places of outputs."""
_record_members: Final = ("type", "assetId", "recordId", "owners", "distribution", "terms", "timestamp", "nonce")
_texts: Final = ("recordId", "timestamp", "nonce")
_hash_digits: Final = 64


class NotProven(Exception):
    """What a proof says doesn't hold, or can't be read; ``code`` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Proof(NamedTuple):
    """A proof as ``GET /v1/record/{recordId}/proof`` gives it, read."""

    canonical: bytes
    hash: str
    pubkey: PublicKey
    signature: str
    txid: str
    vout: int
    raw: bytes
    transaction: BitcoinTransaction
    spent: Sequence[Output]
    bump: bytes
    header: BlockHeader
    height: int


class Step(NamedTuple):
    """Something that holds, in plain words."""

    name: str
    said: str


def read_proof(content: bytes) -> Proof:
    """Read a proof, at most 16 MiB of strict JSON. Raises NotProven, which names the first member that is wrong."""
    if len(content) > MAX_BYTES:
        raise NotProven("too_large", f"a proof has at most {MAX_BYTES} bytes")
    try:
        document = strict_json.parse(content)
    except strict_json.MalformedJson as error:
        raise NotProven("malformed_json", error.detail) from None
    if not isinstance(document, dict):
        raise NotProven("malformed_json", "a proof is an object")
    canonical, digest = _text(document, "canonical").encode(), _hash(document, "hash")
    signer = _member(document, "signer", dict)
    pubkey, signature = _pubkey(signer), _text(document, "signature")
    txid, vout = _hash(document, "txid"), _number(document, "vout", HIGHEST)
    raw, spent = _hex(document, "rawTx"), _spent(document)
    bump, header = _hex(document, "bump"), _hex(document, "blockHeader")
    height = _number(document, "height", HIGHEST)
    try:
        transaction = read_transaction(raw)
    except InvalidBitcoin as error:
        raise _malformed("rawTx", str(error)) from None
    if len(header) != HEADER_BYTES:
        raise _malformed("blockHeader", f"has {HEADER_BYTES} bytes")
    return Proof(
        canonical, digest, pubkey, signature, txid, vout, raw, transaction, spent, bump, read_header(header), height
    )


def _code(name: str) -> str:
    """Write a member's name as codes have it: ``raw_tx``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _malformed(name: str, must: str) -> NotProven:
    return NotProven(f"{_code(name)}_malformed", f"{name}: {must}")


def _member(document: JsonObject, name: str, kind: type) -> Any:
    if name not in document:
        raise NotProven(f"{_code(name)}_missing", f"the proof has no {name}")
    if type(document[name]) is not kind:
        said = {str: "is a text", int: "is a whole number", dict: "is an object", list: "is a list"}
        raise _malformed(name, said[kind])
    return document[name]


def _text(document: JsonObject, name: str) -> str:
    text: str = _member(document, name, str)
    return text


def _hex(document: JsonObject, name: str) -> bytes:
    text = _text(document, name)
    try:
        content = bytes.fromhex(text)
    except ValueError:
        content = b""
    if not content or content.hex() != text:
        raise _malformed(name, "is hex in lower case")
    return content


def _hash(document: JsonObject, name: str) -> str:
    content = _hex(document, name)
    if len(content) * 2 != _hash_digits:
        raise _malformed(name, f"has {_hash_digits} digits")
    return content.hex()


def _number(document: JsonObject, name: str, most: int) -> int:
    number: int = _member(document, name, int)
    if not 0 <= number <= most:
        raise _malformed(name, f"is a number from 0 to {most}")
    return number


def _pubkey(signer: JsonObject) -> PublicKey:
    try:
        return publisher(_text(signer, "pubkey"))
    except InvalidKey as error:
        raise _malformed("pubkey", error.detail) from None


def _spent(document: JsonObject) -> Sequence[Output]:
    spent = []
    for each in _member(document, "spent", list):
        if not isinstance(each, dict):
            raise _malformed("spent", "is a list of objects")
        try:
            spent.append(Output(_number(each, "satoshis", LARGEST), _hex(each, "script")))
        except NotProven as error:
            raise _malformed("spent", error.detail) from None
    return spent


def proven(proof: Proof) -> Iterator[Step]:
    """Check a proof step by step, and tell of each that holds. Raises NotProven at the first that doesn't."""
    record = _record(proof.canonical)
    yield Step("record", f"record {record['recordId']} of {record['timestamp']} is written as RFC 8785 writes it")
    if record_hash(proof.canonical) != proof.hash:
        raise NotProven("hash_differs", f"the record's SHA-256 is {record_hash(proof.canonical)}")
    yield Step("hash", f"its SHA-256 is {proof.hash}")
    try:
        verify_intent(proof.pubkey, proof.canonical, proof.signature)
    except InvalidSignature as error:
        raise NotProven("signature_invalid", str(error)) from None
    yield Step("signature", f"it is signed by {proof.pubkey.content.hex()}")
    if txid_of(proof.raw) != proof.txid:
        raise NotProven("txid_differs", f"the transaction's id is {txid_of(proof.raw)}")
    yield Step("transaction", f"the transaction is {proof.txid}")
    yield _anchor(proof, record)
    yield _payment(proof)
    yield _inclusion(proof)
    if not proof.header.has_work:
        raise NotProven("work_missing", "the block's hash is above the target that its header asks for")
    said = f"the block's hash {proof.header.hash} is below its header's target (bits {proof.header.bits:08x})"
    yield Step("work", said)


def _record(canonical: bytes) -> JsonObject:
    try:
        record: JsonValue = strict_json.parse(canonical)
        whole = isinstance(record, dict) and all(name in record for name in _record_members)
        if not isinstance(record, dict) or not whole or not _told(record):
            raise NotProven("record_malformed", "a record has " + ", ".join(_record_members))
        if intent_signed_bytes(record) != canonical:
            raise NotProven("not_canonical", "the record is written in another way than RFC 8785's")
    except (strict_json.MalformedJson, NotCanonicalizable) as error:
        raise NotProven("record_malformed", f"the record is no strict JSON: {error}") from None
    return record


def _told(record: JsonObject) -> bool:
    return all(isinstance(record[name], str) for name in _texts) and isinstance(record.get("uri", ""), str)


def _anchor(proof: Proof, record: JsonObject) -> Step:
    outputs = proof.transaction.outputs
    if proof.vout >= len(outputs):
        raise NotProven("vout_beyond", f"the transaction has {len(outputs)} outputs")
    content = anchored(outputs[proof.vout].script)
    if content is None:
        raise NotProven("not_anchored", f"output {proof.vout} is not OP_FALSE OP_RETURN and one push")
    uri = str(record["uri"]) if "uri" in record else None
    if content != anchored_content(str(record["recordId"]), proof.hash, uri, str(record["timestamp"])):
        raise NotProven("content_differs", f"output {proof.vout} anchors something else than this record")
    return Step("anchor", f"its output {proof.vout} anchors the record's id, hash, uri and timestamp")


def _payment(proof: Proof) -> Step:
    transaction, spent = proof.transaction, proof.spent
    if len(spent) != len(transaction.inputs):
        raise NotProven("spent_differs", f"the transaction spends {len(transaction.inputs)} outputs")
    fee = sum(each.satoshis for each in spent) - sum(each.satoshis for each in transaction.outputs)
    if fee < 0:
        raise NotProven("spent_too_little", f"the transaction gives {-fee} satoshis more than it spends")
    to_keys = [at for at, each in enumerate(spent) if pays_a_key(each.script)]
    for at in to_keys:
        fault = unlocking_fault(transaction, at, spent[at])
        if fault is not None:
            raise NotProven("input_signature_invalid", f"input {at}: {fault}")
    others = len(spent) - len(to_keys)
    unchecked = f"; how {others} more unlock what no key locks isn't checked" if others else ""
    said = f"it spends what it gives and a fee of {fee} satoshis, and the signatures of {len(to_keys)} inputs hold"
    return Step("payment", said + unchecked)


def _inclusion(proof: Proof) -> Step:
    try:
        height, root = height_and_root(proof.bump, proof.txid)
    except InvalidMerklePath as error:
        raise NotProven("bump_invalid", str(error)) from None
    if root != proof.header.merkle_root:
        raise NotProven("merkle_root_differs", "the Merkle path leads to another root than the block's header names")
    if height != proof.height:
        raise NotProven("height_differs", f"the Merkle path is of height {height}")
    return Step("inclusion", f"the Merkle path leads from it to the root in the block's header, at height {height}")
