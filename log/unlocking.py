"""How a key's holder spends an output that is locked to it (P2PKH): a push of a signature and one of the public key."""

from __future__ import annotations

from typing import Final

from log import ecdsa
from log.bitcoin import BitcoinTransaction, InvalidBitcoin, Output
from log.bitcoin_bytes import Reading
from log.der import InvalidDer, read_der, write_der
from log.public_keys import InvalidKey, public_key, secp256k1
from log.signature_hash import pay_to, signed_content

LONGEST_BYTES: Final = 107
"""A push of 71 bytes of DER, s being low, and of the signature's kind; and a push of 33 bytes of public key."""


def unlocking_script(signature: bytes, kind: int, pubkey: bytes) -> bytes:
    """Write what unlocks an output, of r and the lower s (32 bytes each), the signature's kind, and the public key."""
    return b"".join(bytes([len(each)]) + each for each in (write_der(signature) + bytes([kind]), pubkey))


def unlocking_fault(transaction: BitcoinTransaction, at: int, spent: Output) -> str | None:
    """Say why input ``at`` may not spend an output that is locked to a key; nothing where it may."""
    reading = Reading(transaction.inputs[at].script, InvalidBitcoin)
    try:
        signed = reading.take(reading.number(1))
        pubkey = reading.take(reading.number(1))
        if not reading.at_end or not signed:
            return "it is not unlocked by a signature and a public key"
        if pay_to(pubkey) != spent.script:
            return "the output is locked to another key"
        content = signed_content(transaction, at, spent, signed[-1])
        key, signature = public_key(secp256k1, pubkey), read_der(signed[:-1])
    except (InvalidKey, InvalidDer) as error:
        return error.detail
    except ValueError as error:
        return str(error)
    return ecdsa.fault_of(key, content, signature)
