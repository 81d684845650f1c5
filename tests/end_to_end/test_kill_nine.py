"""Whatever is killed, under load: nothing acknowledged is lost, nothing is applied twice, the audit passes."""

import asyncio
import itertools
import signal
import time
from pathlib import Path

import pytest

from api.operations import LOG_SILENT_MAX_S
from tests.end_to_end.load import Load, facts_shown
from tests.end_to_end.registry import Registry, running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

OURS = ("api", "decide", "project", "react")
SERVICES = ("broker", "postgres")
FACTS_BETWEEN = 40
SHOWN_WITHIN_S = 20.0


async def check(registry: Registry, load: Load) -> None:
    """Compare what was acknowledged with what is shown, and have the log audited."""
    registry.wait_until_serving()
    deadline = time.monotonic() + SHOWN_WITHIN_S
    # A read with no position in it may be of a moment ago: Postgres, or what fills it, may only just be back.
    while not load.acknowledged <= set(shown := await facts_shown(registry)) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    assert len(shown) == len(set(shown)), "a fact is shown twice"
    assert load.acknowledged <= set(shown), f"{len(load.acknowledged - set(shown))} acknowledged facts are lost"
    registry.cli("audit")


async def test_each_process_is_killed_under_load_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    with running(tmp_path / "data") as registry:
        async with Load(registry) as load:
            await load.until_acknowledged(FACTS_BETWEEN)
            for name in (*OURS, *SERVICES):
                registry.kill(name)
                await load.until_acknowledged(FACTS_BETWEEN)
        await check(registry, load)


async def test_pairs_are_killed_at_once_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    with running(tmp_path / "data") as registry:
        async with Load(registry) as load:
            await load.until_acknowledged(FACTS_BETWEEN)
            for pair in itertools.combinations(("api", "decide", "project", "broker", "postgres"), 2):
                for name in pair:
                    registry.kill(name)
                await load.until_acknowledged(FACTS_BETWEEN)
        await check(registry, load)


async def test_all_are_killed_at_once_with_the_supervisor_and_the_next_start_has_everything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as registry:
        async with Load(registry) as load:
            await load.until_acknowledged(FACTS_BETWEEN)
            registry.process.kill()
            registry.process.wait()
    with running(data) as registry:
        await check(registry, load)


async def test_a_broker_that_is_away_for_thirty_seconds_is_told_as_log_unavailable_and_then_it_goes_on(
    tmp_path: Path,
) -> None:
    with running(tmp_path / "data") as registry:
        async with Load(registry) as load:
            await load.until_acknowledged(FACTS_BETWEEN)
            # Stopped, not killed: connections stay open and nobody answers, which is the worse of the two.
            registry.kill("broker", signal.SIGSTOP)
            await asyncio.sleep(LOG_SILENT_MAX_S + 1)
            statuses = [registry.get("/health")[0]]
            status, problem = await asyncio.to_thread(post_a_nonce_and_a_fact, registry, load)
            assert (status, problem["code"], problem["retryable"]) == (503, "log_unavailable", True)
            assert statuses == [503]
            await asyncio.sleep(25)
            registry.kill("broker", signal.SIGCONT)
            await load.until_acknowledged(FACTS_BETWEEN)
        await check(registry, load)


def post_a_nonce_and_a_fact(registry: Registry, load: Load) -> tuple[int, dict[str, object]]:
    """Send one fact with no client that would try again."""
    import json
    import urllib.error
    import urllib.request
    from typing import Any

    def post(path: str, body: object, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(  # noqa: S310  # http, to ourselves
            registry.url + path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # as above
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    key = load.keys[0]
    _, nonce = post("/auth/nonce", {"did": key.did})
    _, session = post("/auth/session", key.sign_session(nonce["issuer"], key.did, nonce["nonce"]))
    subject = {"origin": "feed.ff", "type": "playlist", "ref": "while the broker is away"}
    fact = key.sign_fact("endorsement.star", subject, {"issued_at": "2026-01-01T00:00:00.000Z"})
    return post("/facts", fact, Authorization=f"Bearer {session['token']}")
