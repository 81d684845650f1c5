"""Rate limits, health, metrics and the description of the routes."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from api import openapi
from api.caller import Caller
from api.problems import PROBLEMS, ProblemError
from api.rate_limits import InvalidRateLimits, RateLimits, network_of
from log.memory import MemoryLog
from log.status import StatusBoard, publish
from log.token import read_token
from tests.api.serving import Registry, running


def nobody(_identity: str) -> frozenset[str]:
    return frozenset()


async def test_callers_without_a_session_have_sixty_a_minute_and_are_told_so() -> None:
    async with running(rate_limits=RateLimits(clock=lambda: 0.0)) as registry:
        answers = [await registry.ask("GET", "/.well-known/jwks.json") for _ in range(61)]
        assert [answer.status for answer in answers] == [200] * 60 + [429]
        assert answers[0].headers["RateLimit-Policy"] == '"anonymous";q=60;w=60'
        assert answers[0].headers["RateLimit"] == '"anonymous";r=59;t=1'
        refused = answers[-1]
        assert (refused.code, refused.json["retryable"]) == ("rate_limited", True)
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.headers["RateLimit"].startswith('"anonymous";r=0;')
        assert (await registry.ask("GET", "/health")).status == 200


def test_a_session_has_its_own_bucket_which_fills_with_time() -> None:
    now = [0.0]
    limits = RateLimits(clock=lambda: now[0])
    caller = Caller("did:key:zA", "did:key:zA", None, 0)
    for _ in range(300):
        limits.admit(caller, "10.0.0.1", nobody)
    with pytest.raises(ProblemError):
        limits.admit(caller, "10.0.0.2", nobody)
    assert limits.admit(None, "10.0.0.1", nobody)["RateLimit"] == '"anonymous";r=59;t=1'
    now[0] = 1.0
    for _ in range(5):
        limits.admit(caller, None, nobody)
    with pytest.raises(ProblemError):
        limits.admit(caller, None, nobody)


def test_tiers_come_from_a_file_by_role_and_the_largest_counts(tmp_path: Path) -> None:
    path = tmp_path / "tiers.json"
    path.write_text(json.dumps({"anonymous": 1, "curator": 1000, "admin": 5}))
    limits = RateLimits.of_setting(str(path))
    caller = Caller("did:key:zA", "did:key:zA", None, 0)
    headers = limits.admit(caller, None, lambda _did: frozenset({"curator", "admin"}))
    assert headers["RateLimit-Policy"] == '"curator";q=1000;w=60'
    assert RateLimits.of_setting("off").admit(None, "x", nobody) == {}
    for wrong in ("[]", "{", '{"king": 1}', '{"admin": 0}', '{"admin": "5"}', '{"admin": true}'):
        path.write_text(wrong)
        with pytest.raises(InvalidRateLimits):
            RateLimits.of_setting(str(path))
    with pytest.raises(InvalidRateLimits):
        RateLimits.of_setting(str(tmp_path / "nowhere"))


def test_the_buckets_are_bounded_and_a_network_shares_one() -> None:
    limits = RateLimits(buckets_max=10)
    for number in range(100):
        limits.admit(None, f"10.0.0.{number}", nobody)
    assert len(limits._buckets) == 10
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff")
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1")
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of(None) == network_of("what") == "unknown"


async def test_health_tells_everybody_whether_and_operators_how(registry: Registry) -> None:
    registry.api.health = {"broker": "127.0.0.1:9092"}
    public = await registry.ask("GET", "/health")
    assert (public.status, public.json) == (200, {"status": "degraded", "log": "ok"})
    assert read_token(public.headers["Muniment-As-Of"]) == registry.api.mirror.reached
    await publish(registry.log, "decide-1", "decider", {"facts": {"0": {"position": 3}}})
    async with asyncio.timeout(5):
        while (await registry.ask("GET", "/health")).json["status"] != "ok":
            await registry.api.mirror.moved(0.05)
    told = (await registry.ask("GET", "/health", by=registry.operator)).json
    assert told["broker"] == "127.0.0.1:9092"
    assert told["processes"]["decide-1"]["detail"] == {"facts": {"0": {"position": 3}}}
    assert told["processes"]["api-test"]["kind"] == "api"
    assert any(name.startswith("facts/") for name in told["position"])


async def test_health_tells_operators_who_writes_who_leads_how_far_each_projection_is_and_the_last_verdict(
    registry: Registry,
) -> None:
    await publish(registry.log, "decide-1", "decider", {"facts": {"0": {"position": 1}, "2": {"position": 10**6}}})
    await publish(registry.log, "project-1", "projector", {"facts": {"0": 1}, "signers": {}})
    await publish(registry.log, "react-1", "reactor", {"leads": True})
    await publish(registry.log, "audit", "auditor", {"holds": True})

    async def told() -> Any:
        return (await registry.ask("GET", "/health", by=registry.operator)).json

    async with asyncio.timeout(5):
        while (await told())["audit"] is None:
            await registry.api.mirror.moved(0.05)
    health = await told()
    assert health["postgres"] == "unavailable"
    assert health["leader"] == "react-1"
    assert health["partitions"]["facts/2"] == {"writer": "decide-1", "position": 10**6}
    assert health["audit"]["holds"] is True
    assert health["audit"]["at"].endswith("Z")
    assert health["projections"]["playlists"]["lag"] >= 10**6 - 10


async def test_health_tells_operators_each_task_s_last_run_whoever_led_then(registry: Registry) -> None:
    differs = {"every_s": 60.0, "last_run": 2_000, "took_ms": 3, "outcome": "differs", "difference": {"rule": "stakes"}}
    before = {"every_s": 60.0, "last_run": 1_000, "took_ms": 5, "outcome": "done"}
    tally = {**before, "outcome": "failed: LogUnavailable"}
    await publish(registry.log, "react-1", "reactor", {"tasks": {"invariants": before, "tally": tally, "backfill": {}}})
    await publish(registry.log, "react-2", "reactor", {"tasks": {"invariants": differs, "tally": {"every_s": 1.0}}})
    await publish(registry.log, "react-3", "reactor", {"tasks": "none", "leads": True})

    async with asyncio.timeout(5):
        while (health := (await registry.ask("GET", "/health", by=registry.operator)).json)["leader"] is None:
            await registry.api.mirror.moved(0.05)
    assert health["tasks"] == {
        "backfill": {"reactor": "react-1", "last_run": None},
        "invariants": {**differs, "reactor": "react-2", "last_run": "1970-01-01T00:00:02.000Z"},
        "tally": {**tally, "reactor": "react-1", "last_run": "1970-01-01T00:00:01.000Z"},
    }


def test_the_last_verdict_of_an_audit_is_never_forgotten() -> None:
    board = StatusBoard()
    for kind in ("auditor", "api"):
        board.take(kind, json.dumps({"kind": kind, "detail": {}}).encode(), 0)
    assert [entry.name for entry in board.standings()] == ["auditor"]


async def test_health_is_unavailable_while_the_log_does_not_answer(registry: Registry) -> None:
    registry.log.reachable = False
    await asyncio.sleep(0.6)
    registry.api.status.heard_at = -1e9
    answer = await registry.ask("GET", "/health")
    assert (answer.status, answer.json["status"]) == (503, "unavailable")


async def test_what_is_no_status_is_passed_over() -> None:
    board = StatusBoard()
    for value in (b"", b"[]", b"{}", b'{"kind":1,"detail":{}}', b'{"kind":"api","detail":1}'):
        board.take("x", value, 0)
    assert board.standings() == []
    assert board.log_silent_s is None
    log = MemoryLog()
    assert log.reachable


async def test_metrics_count_requests_refusals_and_appends(registry: Registry) -> None:
    await registry.signer(1, "curator")
    await registry.ask("POST", "/facts", {})
    text = (await registry.ask("GET", "/metrics")).text
    for line in (
        r'muniment_http_requests_total\{method="POST",route="/signers",status="201"\} 1\.0',
        r'muniment_refusals_total\{code="invalid_request"\} 1\.0',
        r'muniment_appends_total\{type="AddSigner"\} 1\.0',
        r'muniment_http_request_seconds_count\{method="POST",route="/facts"\} 1\.0',
        r'muniment_mirror_position\{context="facts",partition="\d"\} \d',
    ):
        assert re.search(line, text), line
    assert "did:key" not in text


async def test_every_route_is_described_and_the_description_holds(registry: Registry) -> None:
    import jsonschema_rs

    document = (await registry.ask("GET", "/openapi.json")).json
    assert document["openapi"] == "3.1.0"
    routes = {
        (route.method, route.resource.canonical)
        for route in registry.client.server.app.router.routes()  # type: ignore[attr-defined]
        if route.method != "HEAD"
    }
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == routes
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert codes == list(PROBLEMS)
    assert '"default": null' not in json.dumps(document)
    facts = document["paths"]["/facts"]["post"]["responses"]
    assert {"200", "201", "202", "400", "401", "403", "409", "413", "415", "429", "500", "503", "504"} <= set(facts)


def test_every_refusal_of_a_decider_is_a_problem() -> None:
    from domain.facts import fact, playlist, signer, webhook
    from domain.ruling import IDEMPOTENCY_CONFLICT

    refusals = {
        str(code)
        for enum in (
            fact.FactRefusal,
            playlist.PlaylistRefusal,
            signer.SignerRefusal,
            webhook.WebhookRefusal,
        )
        for code in enum
    } | {IDEMPOTENCY_CONFLICT}
    assert refusals - {"repeated"} <= set(PROBLEMS)
    assert openapi.VERSION
