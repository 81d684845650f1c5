"""``muniment up``: broker, PostgreSQL and every process of ours, and one line once the registry can serve."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import uvloop

from log import released
from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.log import LogUnavailable
from muniment.client import Client
from muniment.client.refusals import Forbidden
from muniment.first_collections import bring_collections
from muniment.operator import Genesis, make_admin, open_first_frame, operator_key, sealing_key, vault_key
from muniment.pool_key import make_pool_key
from muniment.settings import NO_FRAME, Settings, unknown_variables
from muniment.signing_key import SigningKey
from muniment.stack import embedded
from muniment.stack.embedded import Stack
from muniment.stack.ports import LOOPBACK, http_answers
from muniment.stack.supervisor import Process, at_once

ROLES: Final = ("api", "decide", "project", "react")
"""The processes that are started, each of which is loaded there and not here."""
STAGE: Final = 2
"""Our processes end before the broker and PostgreSQL, whose stage is lower."""
READY_TIMEOUT_S: Final = 120.0
PREPARE_RETRY_S: Final = 0.3
HEALTH_POLL_S: Final = 0.1
SERVING: Final = "ok"


def up(settings: Settings, *, as_json: bool = False) -> int:
    """Run everything until SIGINT, SIGTERM or SIGHUP and give the exit status; raises StackError and KeyFileError."""
    for variable, meant in unknown_variables().items():
        _note(f"nothing reads {variable}" + (f"; is {meant} meant?" if meant else ""))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Up(settings, as_json=as_json).run())
    return 0


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Up:
    def __init__(self, settings: Settings, *, as_json: bool) -> None:
        self._settings, self._as_json = settings, as_json
        self._url = f"http://{LOOPBACK}:{settings.port}"
        self._began = time.monotonic()

    async def run(self) -> None:
        settings = self._settings
        stack = embedded.Settings(settings.data, settings.port, settings.kafka, settings.postgres)
        await embedded.run(stack, self._processes, self._on_ready)

    def _processes(self, stack: Stack) -> Sequence[Process]:
        """Describe our processes; their keys and topics are there before any of them runs."""
        data = stack.directory.path
        operator_key(data, _note)
        settings = replace(self._settings, data=data)
        sealing_key(settings)
        vault_key(settings)
        if settings.chain == "devnet":
            make_pool_key(settings)
        _note("starting " + ", ".join(ROLES))
        return [self._process(role) for role in ROLES]

    def _process(self, role: str) -> Process:
        settings = replace(self._settings, name=role, issuer=self._settings.issuer or self._url, metrics_port=None)
        env = settings.environment()
        # Where the services are is the stack's to say: it may have picked their ports.
        for found in ("MUNIMENT_KAFKA", "MUNIMENT_POSTGRES", "MUNIMENT_DATA"):
            env.pop(found, None)
        ready = http_answers(settings.port) if role == "api" else at_once
        # -P: a folder named `log` or `api` where this was started must not be taken for ours.
        argv = [sys.executable, "-P", "-m", "muniment", role]
        return Process(role, argv, env, ready, STAGE, ready_timeout_s=READY_TIMEOUT_S)

    async def _wait_until_served(self) -> None:
        """Wait until commands are decided and reads are answered; raises Refused and Unreachable."""
        async with Client(self._url, timeout_s=READY_TIMEOUT_S) as client:
            while (await client.health()).status != SERVING:  # noqa: ASYNC110 - other processes are waited for
                await asyncio.sleep(HEALTH_POLL_S)
            async for _ in client.facts.list(page_size=1):
                break

    async def _bring_collections(self, key: SigningKey) -> None:
        """Put the first schemas of the collections that are missing, where the operator may."""
        issuer = self._settings.issuer or self._url
        try:
            await bring_collections(self._url, key, timeout_s=READY_TIMEOUT_S, issuer=issuer)
        except Forbidden:
            _note("the operator is no admin of this log: collections get their schemas from one")

    async def _on_ready(self, stack: Stack) -> None:
        address, replication = KafkaAddress.parse(stack.services.kafka), self._settings.replication
        log = KafkaLog(address, client_id="muniment-up", replication=replication)
        try:
            while True:
                try:
                    await released.prepare(log, self._settings.partitions)
                    outcome = await make_admin(log, operator_key(stack.directory.path))
                    if self._settings.first_frame != NO_FRAME:
                        await open_first_frame(log, operator_key(stack.directory.path), self._settings.first_frame)
                    break
                except LogUnavailable:
                    await asyncio.sleep(PREPARE_RETRY_S)
        finally:
            await log.close()
        if outcome is not Genesis.ALREADY:
            _note(outcome.value)
        await self._wait_until_served()
        await self._bring_collections(operator_key(stack.directory.path))
        _note(f"everything runs after {time.monotonic() - self._began:.1f} s")
        said = json.dumps({"ready": True, "url": self._url}) if self._as_json else f"muniment is ready on {self._url}"
        print(said, flush=True)
