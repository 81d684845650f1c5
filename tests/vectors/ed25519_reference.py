"""Ed25519 from RFC 8032 section 5.1 in plain integers, and the cases that try a verifier; it shares no code with ours.

`python -m tests.vectors.ed25519_reference` writes `ed25519_cases.json`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

p = 2**255 - 19
order = 2**252 + 27742317777372353535851937790883648493
d = -121665 * pow(121666, -1, p) % p
root_of_minus_one = pow(2, (p - 1) // 4, p)

Point = tuple[int, int]
neutral: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    k = d * x1 * x2 * y1 * y2 % p
    return (x1 * y2 + x2 * y1) * pow(1 + k, -1, p) % p, (y1 * y2 + x1 * x2) * pow(1 - k, -1, p) % p


def multiply(scalar: int, point: Point) -> Point:
    result = neutral
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def negate(point: Point) -> Point:
    return -point[0] % p, point[1]


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(encoded: bytes) -> Point | None:
    """Decode a point as lenient decoders do: y may be p or more, and a zero x may have its sign bit set."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number % 2**255 % p
    square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    x = pow(square, (p + 3) // 8, p)
    if x * x % p != square:
        x = x * root_of_minus_one % p
    if x * x % p != square:
        return None
    return (x if x & 1 == sign else -x % p), y


def decoded(encoded: bytes) -> Point:
    point = decode(encoded)
    assert point is not None
    return point


base = decoded((4 * pow(5, -1, p) % p).to_bytes(32, "little"))


def hash_to_scalar(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % order


def torsion_points() -> list[Point]:
    """Return the eight points of small order, the neutral one first."""
    y = 2
    while (point := decode(y.to_bytes(32, "little"))) is None or multiply(4 * order, point) == neutral:
        y += 1
    generator = multiply(order, point)
    return [multiply(k, generator) for k in range(8)]


def encodings(point: Point) -> list[bytes]:
    """Return every 32-byte text that a lenient decoder takes for a point, the canonical one first."""
    x, y = point
    ys = [y, y + p] if y + p < 2**255 else [y]
    signs = [x & 1] if x else [0, 1]
    return [(each | sign << 255).to_bytes(32, "little") for each in ys for sign in signs]


def holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Verify as strictly as can be: canonical R, S and key, none outside of the prime-order group, no cofactor."""
    key, r = decode(public_key), decode(signature[:32])
    if len(public_key) != 32 or len(signature) != 64 or key is None or r is None:
        return False
    s = int.from_bytes(signature[32:], "little")
    strict = s < order and encode(key) == public_key and encode(r) == signature[:32]
    of_prime_order = all(point != neutral and multiply(order, point) == neutral for point in (key, r))
    k = hash_to_scalar(signature[:32], public_key, message)
    return strict and of_prime_order and multiply(s, base) == add(r, multiply(k, key))


class Key:
    def __init__(self, name: str) -> None:
        digest = hashlib.sha512(hashlib.sha256(name.encode()).digest()).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
        self.nonce_seed = digest[32:]
        self.point = multiply(self.scalar, base)

    def sign(self, message: bytes, *, key_torsion: Point = neutral, r_torsion: Point = neutral) -> tuple[bytes, bytes]:
        """Return a public key and a signature whose equation holds up to the torsion that is put into them."""
        public_key = encode(add(self.point, key_torsion))
        nonce = hash_to_scalar(self.nonce_seed, message)
        r = encode(add(multiply(nonce, base), r_torsion))
        s = (nonce + hash_to_scalar(r, public_key, message) * self.scalar) % order
        return public_key, r + s.to_bytes(32, "little")

    def sign_without_nonce(self, message: bytes, *, r: bytes) -> tuple[bytes, bytes]:
        """Return a public key and a signature whose equation holds but for R, which is taken to be neutral."""
        public_key = encode(self.point)
        s = hash_to_scalar(r, public_key, message) * self.scalar % order
        return public_key, r + s.to_bytes(32, "little")


Case = tuple[str, bytes, bytes, bytes]


def plain_cases() -> list[Case]:
    cases: list[Case] = []
    for length in (0, 1, 31, 64, 128, 512, 4096):
        message = hashlib.shake_256(b"message").digest(length)
        cases.append((f"valid, message of {length} bytes", *_with(Key("alice").sign(message), message)))
    message = b"muniment"
    key, signature = Key("alice").sign(message)
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    cases += [
        ("empty signature", key, message, b""),
        ("signature of R only", key, message, r),
        ("signature truncated by one byte", key, message, signature[:-1]),
        ("signature without its first byte", key, message, signature[1:]),
        ("signature extended by a zero byte", key, message, signature + b"\0"),
        ("signature twice", key, message, signature * 2),
        ("signature followed by the message", key, message, signature + message),
        ("zeros", key, message, bytes(64)),
        ("ones", key, message, b"\xff" * 64),
        ("R and S exchanged", key, message, signature[32:] + r),
        ("S negated", key, message, r + (order - s).to_bytes(32, "little")),
        ("S is zero", key, message, r + bytes(32)),
        ("S is one less", key, message, r + (s - 1).to_bytes(32, "little")),
        ("R negated", key, message, r[:31] + bytes([r[31] ^ 0x80]) + signature[32:]),
        ("R of zeros", key, message, bytes(32) + signature[32:]),
        ("R isn't on the curve", key, message, (2).to_bytes(32, "little") + signature[32:]),
        ("another message", key, message + b"\0", signature),
        ("empty message instead", key, b"", signature),
        ("another key", Key("bob").sign(message)[0], message, signature),
        ("key negated", key[:31] + bytes([key[31] ^ 0x80]), message, signature),
        ("key isn't on the curve", (2).to_bytes(32, "little"), message, signature),
        ("key of 31 bytes", key[:31], message, signature),
        ("key of 33 bytes", key + b"\0", message, signature),
    ]
    for times in range(1, 16):
        if (larger := s + times * order) < 2**256:
            cases.append((f"S plus {times} times the order", key, message, r + larger.to_bytes(32, "little")))
    cases.append(("S is the order", key, message, r + order.to_bytes(32, "little")))
    for bit in (*range(0, 512, 37), 255, 256, 508, 509, 510, 511):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        cases.append((f"bit {bit} of the signature flipped", key, message, bytes(flipped)))
    return cases


def torsion_cases() -> list[Case]:
    """Return the cases in which known verifiers differ: small and mixed orders, and encodings that aren't canonical."""
    cases: list[Case] = []
    message = b"muniment"
    alice = Key("alice")
    for index, point in enumerate(torsion_points()):
        for text in encodings(point):
            # With S = 0 and R the inverse of k times the key, the equation holds for a key of small order.
            name = f"torsion point {index} as {text.hex()}"
            cases.append((f"key {name}, R of small order", text, *_solve(text)))
            cases.append((f"key {name}, R and S of another's", text, message, alice.sign(message)[1]))
            forged = alice.sign_without_nonce(message, r=text)
            cases.append((f"R {name}, equation holds with the cofactor", *_with(forged, message)))
        if index:
            mixed_key = alice.sign(message, key_torsion=point)
            cases.append((f"key with torsion {index}, equation holds with the cofactor", *_with(mixed_key, message)))
            mixed_r = alice.sign(message, r_torsion=point)
            cases.append((f"R with torsion {index}, equation holds with the cofactor", *_with(mixed_r, message)))
            cases.append((f"key and R with torsion {index}, equation holds without the cofactor", *_both(alice, point)))
    return cases


def _solve(public_key: bytes) -> tuple[bytes, bytes]:
    """Find a message for which S = 0 and some R of small order satisfy the equation for a key of small order."""
    key = decoded(public_key)
    for attempt in range(64):
        message = b"muniment %d" % attempt
        for point in torsion_points():
            r = encode(point)
            if add(point, multiply(hash_to_scalar(r, public_key, message), key)) == neutral:
                return message, r + bytes(32)
    raise AssertionError("no message found")


def _both(signer: Key, torsion: Point) -> tuple[bytes, bytes, bytes]:
    """Find a message for which a key and an R of mixed order satisfy the equation even without the cofactor."""
    for attempt in range(256):
        message = b"muniment %d" % attempt
        for k in range(8):
            key, signature = signer.sign(message, key_torsion=torsion, r_torsion=multiply(k, torsion))
            point, r = decoded(key), decoded(signature[:32])
            scalar = hash_to_scalar(signature[:32], key, message)
            if multiply(int.from_bytes(signature[32:], "little"), base) == add(r, multiply(scalar, point)):
                return key, message, signature
    raise AssertionError("no message found")


def _with(signed: tuple[bytes, bytes], message: bytes) -> tuple[bytes, bytes, bytes]:
    return signed[0], message, signed[1]


def write(path: Path) -> None:
    rows = [
        {
            "name": name,
            "public_key": key.hex(),
            "message": message.hex(),
            "signature": signature.hex(),
            "valid": holds(key, message, signature),
        }
        for name, key, message, signature in plain_cases() + torsion_cases()
    ]
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    write(Path(__file__).with_name("ed25519_cases.json"))
