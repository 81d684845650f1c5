"""A second verifier of `personal_sign` (EIP-191, EIP-55, SEC 1 section 4.1.6, FIPS 202's sponge): plain Python."""

MASK = (1 << 64) - 1
PRIME = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
POINT = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def turned(lane, bits):
    return (lane << bits % 64 | lane >> (64 - bits % 64)) & MASK


def permuted(state):  # Keccak-f[1600]: lanes by (x, y)
    register = 1
    for _ in range(24):
        columns = [state[x, 0] ^ state[x, 1] ^ state[x, 2] ^ state[x, 3] ^ state[x, 4] for x in range(5)]
        state = {(x, y): state[x, y] ^ columns[x - 1] ^ turned(columns[(x + 1) % 5], 1) for x, y in state}
        x, y, lane = 1, 0, state[1, 0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            lane, state[x, y] = state[x, y], turned(lane, (step + 1) * (step + 2) // 2)
        state = {(x, y): state[x, y] ^ (~state[(x + 1) % 5, y] & state[(x + 2) % 5, y]) for x, y in state}
        for power in range(7):
            state[0, 0] ^= (register & 1) << (2**power - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
    return state


def keccak(content):  # 256 bits, with the padding that came before SHA-3's
    state = {(x, y): 0 for x in range(5) for y in range(5)}
    padded = bytearray(content + b"\1" + bytes(-(len(content) + 1) % 136))
    padded[-1] |= 0x80
    for begin in range(0, len(padded), 136):
        for lane in range(17):
            at = begin + 8 * lane
            state[lane % 5, lane // 5] ^= int.from_bytes(padded[at : at + 8], "little")
        state = permuted(state)
    return b"".join(state[x, 0].to_bytes(8, "little") for x in range(4))


def added(one, other):
    if one is None or other is None:
        return one or other
    (x, y), (u, v) = one, other
    if x == u and (y + v) % PRIME == 0:
        return None
    slope = (3 * x * x * pow(2 * y, -1, PRIME) if one == other else (v - y) * pow(u - x, -1, PRIME)) % PRIME
    w = (slope * slope - x - u) % PRIME
    return w, (slope * (x - w) - y) % PRIME


def times(number, point):
    found = None
    while number:
        found, point, number = added(found, point) if number & 1 else found, added(point, point), number >> 1
    return found


def address_of_signer(message, signature):  # "0x…" in lower case; None where it is nobody's
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64:]
    if v not in (b"\0", b"\1", b"\x1b", b"\x1c") or not 0 < r < ORDER or not 0 < s <= ORDER // 2:
        return None
    root = pow(r**3 + 7, (PRIME + 1) // 4, PRIME)
    if root * root % PRIME != (r**3 + 7) % PRIME:
        return None
    point = (r, root if root % 2 == v[0] % 27 else PRIME - root)
    digest = int.from_bytes(keccak(b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message)), "big")
    key = times(pow(r, -1, ORDER), added(times(s, point), times(-digest % ORDER, POINT)))
    return None if key is None else "0x" + keccak(b"".join(each.to_bytes(32, "big") for each in key))[-20:].hex()
