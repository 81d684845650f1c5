"""Hostile and odd requests: never a 500, always a problem with its code, and nothing changed."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from tests.api.serving import Registry, key, star

HOSTILE: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "malformed_json"),
    ("half an object", b'{"did":', "malformed_json"),
    ("a byte order mark", b'\xef\xbb\xbf{"did":"x"}', "malformed_json"),
    ("bad UTF-8", b'{"did":"\xff"}', "malformed_json"),
    ("a lone surrogate", b'{"did":"\\ud800"}', "malformed_json"),
    ("a member twice", b'{"did":"a","did":"b"}', "malformed_json"),
    ("NaN", b'{"did":NaN}', "malformed_json"),
    ("a number beyond 2^53", b'{"did":9007199254740993}', "malformed_json"),
    ("deep nesting", b'{"did":' + b"[" * 70 + b"]" * 70 + b"}", "malformed_json"),
    ("very deep nesting", b"[" * 100_000, "malformed_json"),
    ("a list", b"[]", "invalid_request"),
    ("null", b"null", "invalid_request"),
    ("text", b'"did"', "invalid_request"),
]


@pytest.mark.parametrize("path", ["/auth/nonce", "/facts", "/facts/batch", "/signers", "/playlists", "/webhooks"])
@pytest.mark.parametrize(("raw", "code"), [entry[1:] for entry in HOSTILE], ids=[entry[0] for entry in HOSTILE])
async def test_a_hostile_body_is_refused_by_name(registry: Registry, path: str, raw: bytes, code: str) -> None:
    before = registry.appended()
    answer = await registry.ask("POST", path, raw=raw)
    assert (answer.status, answer.code) == (400, code), answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert registry.appended() == before


async def test_a_problem_has_every_member_of_the_contract(registry: Registry) -> None:
    answer = await registry.ask("POST", "/facts", {"x": 1}, headers={"X-Request-ID": "req-7"})
    assert set(answer.json) == {"type", "title", "status", "detail", "code", "retryable", "request_id", "errors"}
    assert answer.json["status"] == answer.status == 400
    assert (answer.json["request_id"], answer.headers["X-Request-ID"]) == ("req-7", "req-7")
    assert {"pointer": "/x", "detail": "this member is not known here"} in answer.json["errors"]
    odd = await registry.ask("GET", "/nowhere", headers={"X-Request-ID": "a b<script>"})
    assert (odd.status, odd.code) == (404, "not_found")
    assert odd.json["request_id"] != "a b<script>"
    assert odd.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_body_over_one_mebibyte_is_refused_however_it_is_sent(registry: Registry) -> None:
    whole = b'{"did":"' + b"a" * (1 << 20) + b'"}'
    assert (await registry.ask("POST", "/auth/nonce", raw=whole)).code == "payload_too_large"

    async def chunks() -> Any:
        for _ in range(40):
            yield b"a" * 65536

    headers = {"Content-Type": "application/json"}
    async with registry.client.post("/auth/nonce", data=chunks(), headers=headers) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (413, "payload_too_large")
    exact = b'{"did":"' + b"a" * ((1 << 20) - 10) + b'"}'
    assert len(exact) == 1 << 20
    assert (await registry.ask("POST", "/auth/nonce", raw=exact)).code == "invalid_request"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_another_media_type_is_refused(registry: Registry, headers: dict[str, str]) -> None:
    raw = json.dumps({"did": key(1).did}).encode()
    sent = gzip.compress(raw) if "Content-Encoding" in headers else raw
    answer = await registry.ask("POST", "/auth/nonce", raw=sent, headers=headers)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


async def test_another_method_names_those_that_there_are(registry: Registry) -> None:
    answer = await registry.ask("DELETE", "/auth/nonce")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"
    head = await registry.ask("HEAD", "/health")
    assert (head.status, head.text) == (200, "")
    assert (await registry.ask("PUT", "/facts")).code == "method_not_allowed"


async def test_a_route_without_a_body_takes_none(registry: Registry) -> None:
    answer = await registry.ask("DELETE", f"/signers/{key(1).did}", {}, by=registry.operator)
    assert answer.code == "invalid_request"


async def test_unknown_parameters_are_refused(registry: Registry) -> None:
    answer = await registry.ask("GET", "/health?verbose=1")
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "/verbose")


async def test_an_unexpected_error_shows_nothing_of_our_inside(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    curator = await registry.signer(1, "curator")
    await registry.session(curator)
    registry.api.partitions = 0  # a defect: the partition of a key divides by it
    answer = await registry.ask("POST", "/facts", star(curator), by=curator)
    assert (answer.status, answer.code) == (500, "internal")
    assert "Zero" not in answer.text
    assert "Traceback" not in answer.text
    assert any(record.message == "request_failed" for record in caplog.records)


async def test_a_client_that_hangs_up_harms_nobody(registry: Registry) -> None:
    host, port = registry.client.host, registry.client.port
    for sent in (
        b"POST /facts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
        b"GET /health HTTP/1.1\r\nHost",
        b"\x00\x01\x02\r\n\r\n",
    ):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await registry.ask("GET", "/health")).status == 200
