"""Facts appended over HTTP: rate and latency at 1, 16 and 64 clients, and in batches, beside the limit of checks."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from log.signatures import verify
from log.statements import fact_signed_bytes
from muniment import Client, SigningKey
from tests.end_to_end.registry import Registry

ISSUED_AT = "2026-01-01T00:00:00.000Z"
VERIFY_S = 1.0


@dataclass(frozen=True)
class Curator:
    """A signer with a session."""

    key: SigningKey
    token: str


@dataclass(frozen=True)
class Figures:
    """What one run of appends gave: facts a second, and the time to the decision in ms."""

    rate: float
    p50_ms: float
    p99_ms: float


def star(key: SigningKey, ref: str) -> dict[str, object]:
    """Sign one star."""
    subject = {"origin": "feed.ff", "type": "playlist", "ref": ref}
    return dict(key.sign_fact("endorsement.star", subject, {"issued_at": ISSUED_AT, "reason": "a good one"}))


def verifications_a_second() -> float:
    """Measure strict Ed25519 verifications of a fact on one core."""
    key = SigningKey.generate()
    fact = star(key, "pl_1")
    message = fact_signed_bytes(
        kind=str(fact["kind"]),
        subject=fact["subject"],  # type: ignore[arg-type]  # as sign_fact gave it
        issuer_did=key.did,
        body=fact["body"],  # type: ignore[arg-type]  # as above
    )
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < VERIFY_S:
        verify("ed25519", key.did, message, str(fact["signature"]))
        count += 1
    return count / (time.perf_counter() - begun)


async def curators(registry: Registry, count: int) -> list[Curator]:
    """Make signers and sign them in."""
    found = []
    async with Client(registry.url, SigningKey.load(registry.data / "operator.json")) as admin:
        for _ in range(count):
            key = SigningKey.generate()
            await admin.signers.add(key.did, ["curator"])
            found.append(Curator(key, await sign_in(registry, key)))
    return found


async def sign_in(registry: Registry, key: SigningKey) -> str:
    """Open a session and give its token."""
    status, nonce = await exchange(registry, [request("POST", "/auth/nonce", {"did": key.did})])
    assert status == 201, nonce
    body = key.sign_session(nonce["issuer"], key.did, nonce["nonce"])
    status, session = await exchange(registry, [request("POST", "/auth/session", body)])
    assert status == 201, session
    return str(session["token"])


def request(method: str, path: str, body: object, token: str | None = None) -> bytes:
    """Write one HTTP/1.1 request."""
    content = orjson.dumps(body)
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{authorization}"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def exchange(
    registry: Registry, requests: Sequence[bytes], taken_ms: list[float] | None = None
) -> tuple[int, dict]:  # type: ignore[type-arg]  # JSON
    """Send requests one after the other on one connection; gives the last answer."""
    host, port = registry.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    status, body = 0, b"{}"
    for content in requests:
        begun = time.perf_counter()
        writer.write(content)
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        if taken_ms is not None:
            taken_ms.append((time.perf_counter() - begun) * 1000)
            assert status == 201, body
    writer.close()
    await writer.wait_closed()
    return status, json.loads(body)


async def append_at(registry: Registry, clients: int, facts_each: int, run: str) -> Figures:
    """Let this many clients append one fact after the other."""
    signers = await curators(registry, min(clients, 16))
    prepared = [
        [
            request("POST", "/facts", star(curator.key, f"{run}_{client}_{number}"), curator.token)
            for number in range(facts_each)
        ]
        for client in range(clients)
        for curator in [signers[client % len(signers)]]
    ]
    taken_ms: list[float] = []
    begun = time.perf_counter()
    await asyncio.gather(*(exchange(registry, requests, taken_ms) for requests in prepared))
    rate = clients * facts_each / (time.perf_counter() - begun)
    taken_ms.sort()
    return Figures(rate, statistics.median(taken_ms), taken_ms[int(len(taken_ms) * 0.99)])


async def batches(registry: Registry, count: int, run: str, size: int = 1000, clients: int = 4) -> float:
    """Append facts by `POST /facts/batch` from a few clients; gives facts a second."""
    signers = await curators(registry, clients)
    prepared = [
        [
            request(
                "POST",
                "/facts/batch",
                {"facts": [star(curator.key, f"{run}_{start + n}") for n in range(size)]},
                curator.token,
            )
            for start in range(0, count // clients, size)
        ]
        for curator in signers
    ]
    begun = time.perf_counter()
    answers = await asyncio.gather(*(exchange(registry, requests) for requests in prepared))
    rate = sum(len(requests) for requests in prepared) * size / (time.perf_counter() - begun)
    for status, answer in answers:
        assert status == 200, answer
        assert {item["status"] for item in answer["items"]} == {201}
    return rate
