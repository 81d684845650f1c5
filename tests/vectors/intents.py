"""Publish intents for whoever signs them in another language: good ones with what follows from them, bad ones with why.

`python -m tests.vectors.intents` writes `intents.json`. Keys come of fixed seeds and nonces of signatures follow from
what is signed (RFC 6979), so it stays the same.
"""

import base64
import copy
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import coincurve

from log.ecdsa import ecdsa_public, ecdsa_signer
from log.intents import algorithm, intent_signed_bytes, job_id, protocol, record_hash, version

FILE: Final = Path(__file__).with_name("intents.json")
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
RECORD: Final[dict[str, Any]] = {
    "type": "music",
    "assetId": "asset-1",
    "recordId": "REC_1",
    "owners": [{"name": "Wren", "share": 0.5}, {"name": "Lärk \U0001f426", "share": 5e-1}],
    "distribution": {"territories": ["*"], "until": None},
    "terms": {"€": "euro", "\r": "a carriage return", "1": 1e21, "\u05d3": "a letter of Hebrew"},
    "timestamp": "2025-10-09T08:53:20.000Z",
    "nonce": base64.b64encode(bytes(range(16))).decode(),
}


def secret(name: str) -> bytes:
    """Give a private key, the same for the same name."""
    return hashlib.sha256(f"intent {name}".encode()).digest()


def intent(name: str, record: dict[str, Any], *, der: bool) -> dict[str, Any]:
    """Sign a record."""
    content = intent_signed_bytes(record)
    signature = (
        coincurve.PrivateKey(secret(name)).sign(content) if der else ecdsa_signer("secp256k1", secret(name))(content)
    )
    return {
        "protocol": protocol,
        "version": version,
        "record": record,
        "signer": {"pubkey": ecdsa_public("secp256k1", secret(name)).content.hex()},
        "signature": {"alg": algorithm, "hash": "sha256", "sig": base64.b64encode(signature).decode()},
    }


def good() -> list[dict[str, Any]]:
    """Give intents that hold, with their canonical bytes (hex), hash and job."""
    records = {
        "a DER signature": (RECORD, True),
        "a compact signature": (RECORD, False),
        "a record with a uri": ({**RECORD, "recordId": "REC_2", "uri": "https://example.test/2"}, True),
    }
    found = []
    for about, (record, der) in records.items():
        sent = intent("wren", record, der=der)
        content = intent_signed_bytes(record)
        follows = {"canonical": content.hex(), "hash": record_hash(content)}
        found.append({"about": about, "intent": sent, **follows, "job_id": job_id(sent["signer"]["pubkey"], content)})
    return found


def bad() -> list[dict[str, Any]]:
    """Give intents whose signature does not hold, each with why."""
    sent = intent("wren", RECORD, der=True)
    der = base64.b64decode(sent["signature"]["sig"])
    compact = base64.b64decode(intent("wren", RECORD, der=False)["signature"]["sig"])
    r, s = compact[:32], int.from_bytes(compact[32:], "big")
    signatures = {
        "a DER signature with a byte behind it": der + b"\0",
        "a DER signature whose r has a zero too many": _der(b"\0" + _shortest(r), _shortest(compact[32:])),
        "a DER signature in the long form of a length": bytes([0x30, 0x81]) + der[1:],
        "a DER signature with a negative r": _der(b"\x80" + r[1:], _shortest(compact[32:])),
        "a DER signature that is cut off": der[:-1],
        "s in the upper half of the order": r + (ORDER - s).to_bytes(32, "big"),
        "r of zero": bytes(32) + compact[32:],
        "s that is the order": r + ORDER.to_bytes(32, "big"),
        "65 bytes": compact + b"\0",
        "no byte": b"",
        "another holder's signature": base64.b64decode(intent("lark", RECORD, der=True)["signature"]["sig"]),
    }
    found = [{"about": about, "intent": _with(sent, content)} for about, content in signatures.items()]
    changed = copy.deepcopy(sent)
    changed["record"]["owners"][0]["share"] = 0.51
    found.append({"about": "a record that was changed", "intent": changed})
    for about, text in (("spaces in base64", " " + sent["signature"]["sig"]), ("base64 of URLs", "-_-_")):
        spelled = copy.deepcopy(sent)
        spelled["signature"]["sig"] = text
        found.append({"about": about, "intent": spelled})
    return found


def _with(sent: dict[str, Any], signature: bytes) -> dict[str, Any]:
    changed = copy.deepcopy(sent)
    changed["signature"]["sig"] = base64.b64encode(signature).decode()
    return changed


def _shortest(number: bytes) -> bytes:
    value = number.lstrip(b"\0")
    return b"\0" + value if value[0] >= 0x80 else value  # it would be read as negative


def _der(r: bytes, s: bytes) -> bytes:
    numbers = b"".join(bytes([2, len(each)]) + each for each in (r, s))
    return bytes([0x30, len(numbers)]) + numbers


def written() -> str:
    """Give the file's text."""
    return json.dumps({"good": good(), "bad": bad()}, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(written())
