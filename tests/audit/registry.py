"""A small registry for auditors to look into: real keys, real signatures, the real decider, on the memory log."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.intent import request_hash, signed_hash
from domain.catalog import NAMES
from domain.did import identity
from domain.facts.fact import ExpireFact, IssueFact, QuarantineFact, ReleaseFact, RevokeFact, Subject
from domain.facts.kinds import KINDS
from domain.facts.playlist import PostPlaylist
from domain.facts.signer import GENESIS, AddSigner, RevokeSigner
from domain.facts.webhook import RegisterWebhook, ReportAttempt, ScheduleDelivery
from log import released, statements, topic
from log.canonical import canonical_json, sha256_base64
from log.memory import MemoryLog, MemoryMessage
from log.message import Command, Signature
from log.scope import command_id
from log.store import MemoryStore
from log.topic import partition_of
from muniment.operator import genesis_command
from muniment.signing_key import SigningKey
from processors.audit import Audit
from processors.audit_source import LogSource
from processors.audit_verdict import Verdict
from processors.deciding import CommandProcessor
from processors.reactor_commands import REACTOR

ISSUED_AT = "2025-10-13T03:00:00.000Z"
ISSUED_AT_MS = 1_760_324_400_000
PARTITIONS = 3


def key(number: int, alg: Any = "ed25519") -> SigningKey:
    """Give the n-th test key."""
    return SigningKey(hashlib.sha256(f"audit {number}".encode()).digest(), alg)


@dataclass
class Registry:
    """Appends commands as the api would and lets the real command processor decide them."""

    log: MemoryLog = field(default_factory=MemoryLog)
    partitions: int = PARTITIONS
    operator: SigningKey = field(default_factory=lambda: key(0))
    _asked: int = 0

    async def open(self) -> "Registry":
        """Create the topics and make the operator the first admin."""
        await released.prepare(self.log, self.partitions)
        await self.append(self.operator.did, released.codec("facts", "command").encode(genesis_command(self.operator)))
        await self.decide()
        return self

    async def append(self, route: str, value: bytes) -> None:
        """Append a message to the commands topic."""
        partition = partition_of(identity(route), self.partitions)
        await (await self.log.append(topic.commands("facts"), partition, [(identity(route).encode(), value)]))

    async def send(self, route: str, command: Command) -> None:
        """Append a command."""
        await self.append(route, released.codec("facts", "command").encode(command))

    def authority(self, did: str) -> str:
        """Cite the latest decision of the partition that holds a DID's roles."""
        partition = partition_of(identity(did), self.partitions)
        return f"facts/{partition}/{len(self.log.messages(topic.events('facts'), partition)) - 1}"

    def by_session(self, actor: SigningKey, payload: Any) -> Command:
        """Write a command that the actor's session backs."""
        self._asked += 1
        asked = _asked_for(payload) or hashlib.sha256(f"request {self._asked}".encode()).digest()
        signed = statements.session_signed_bytes(issuer="https://registry.example", did=actor.did, nonce="n1")
        signature = Signature(actor.alg, actor.did, None, signed, actor.sign(signed))
        idempotency_key = f"key-{self._asked}"
        name = command_id(actor.did, asked, idempotency_key=idempotency_key)
        return Command(name, NAMES[type(payload)], actor.did, idempotency_key, asked, payload, signature)

    def by_reactor(self, payload: Any) -> Command:
        """Write a command that a reactor sends."""
        content = _content(payload)
        asked = hashlib.sha256(content.encode()).digest()
        name = command_id(REACTOR, asked, content_id=content)
        return Command(name, NAMES[type(payload)], REACTOR, None, asked, payload, None)

    async def add_signer(self, did: str, roles: Sequence[str], actor: SigningKey | None = None) -> None:
        """Give a DID roles, by the operator."""
        actor = actor or self.operator
        payload = AddSigner(did, tuple(roles), self.authority(actor.did))
        await self.send(did, self.by_session(actor, payload))
        await self.decide()

    async def decide(self) -> None:
        """Run the real command processor until every command has a decision."""
        processor = CommandProcessor(self.log, "facts", lambda _partition: MemoryStore())
        running = asyncio.create_task(processor.run())
        try:
            async with asyncio.timeout(20):
                while any(
                    (seat := processor.seats.get(p)) is None
                    or seat.resume < len(self.log.messages(topic.commands("facts"), p))
                    or seat.in_flight
                    for p in range(self.partitions)
                ):
                    await asyncio.sleep(0.002)
                    if running.done():
                        running.result()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def tamper(self, name: str, partition: int, offset: int, value: bytes | None = None, **other: Any) -> None:
        """Change a message where it lies."""
        held = self.log.messages(name, partition)
        changed = replace(held[offset], **other)
        held[offset] = changed if value is None else replace(changed, value=value)

    def held(self, name: str) -> list[MemoryMessage]:
        """Give every message of a topic."""
        return [message for p in range(self.partitions) for message in self.log.messages(name, p)]

    async def audit(self, folder: Path, **more: Any) -> Verdict:
        """Audit the log."""
        return await Audit(LogSource(self.log), "facts", folder, **more).run()


def _content(payload: Any) -> str:
    match payload:
        case ExpireFact():
            return f"expire:{payload.fact_id}:29321405"
        case ScheduleDelivery():
            return f"deliver:{payload.webhook_id}:{payload.about}:{payload.replay}"
    return f"attempt:{payload.webhook_id}:{payload.sequence}:{payload.attempt}"


def _asked_for(payload: Any) -> bytes | None:
    match payload:
        case RevokeSigner():
            return request_hash("DELETE /signers/{did}", {"did": payload.did}, None)
        case QuarantineFact():
            return request_hash("POST /facts/{id}/quarantine", {"id": payload.fact_id}, {"reason": payload.reason})
    return None


def issue(signer: SigningKey, ref: str, kind: str = "endorsement.star", **body: Any) -> Command:
    """Write the command that issues a fact, as the api does."""
    content: dict[str, Any] = {"issued_at": ISSUED_AT} | body
    subject = {"origin": "feed.ff", "type": "playlist", "ref": ref}
    signed = statements.fact_signed_bytes(kind=kind, subject=subject, issuer_did=signer.did, body=content)
    text = canonical_json(content)
    fact_id, body_hash, signature = statements.fact_id(signed), sha256_base64(text), signer.sign(signed)
    payload = IssueFact(
        fact_id,
        kind,
        Subject("feed.ff", "playlist", ref, None),
        signer.did,
        text.decode(),
        body_hash,
        signer.alg,
        None,
        signature,
        ISSUED_AT_MS,
        millis(content.get("expires_at")),
        KINDS[kind].unique_by(content, body_hash) if kind in KINDS else "",
    )
    asked, actor = signed_hash("POST /facts", {}, signed), identity(signer.did)
    name = command_id(actor, asked, content_id=fact_id)
    return Command(
        name, "IssueFact", actor, None, asked, payload, Signature(signer.alg, signer.did, None, signed, signature)
    )


def revoke(signer: SigningKey, fact_id: str, reason: str | None = None) -> Command:
    """Write the command that revokes a fact, as the api does."""
    signed = statements.revocation_signed_bytes(fact_id=fact_id, issuer_did=signer.did, reason=reason)
    asked, actor = signed_hash("POST /facts/{id}/revoke", {"id": fact_id}, signed), identity(signer.did)
    signature = signer.sign(signed)
    payload = RevokeFact(fact_id, signer.did, reason, signer.alg, None, signature)
    name = command_id(actor, asked, content_id=statements.revocation_id(signed))
    return Command(
        name, "RevokeFact", actor, None, asked, payload, Signature(signer.alg, signer.did, None, signed, signature)
    )


def millis(text: str | None) -> int | None:
    """Give a time in ms."""
    return None if text is None else int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


async def every_kind_of_decision(facts: int = 6) -> tuple[Registry, Mapping[str, SigningKey]]:
    """Make a log in which nearly every command and refusal occurs."""
    registry = await Registry().open()
    curator, museum, house = key(1), key(2, "eip191"), key(3)
    await registry.add_signer(curator.did, ["curator"])
    await registry.add_signer(museum.did, ["institution"])
    await registry.add_signer(house.did, ["publisher"])
    stars = [issue(curator, f"pl_{number}") for number in range(facts)]
    for command in [*stars, stars[0], issue(house, "pl_0"), issue(curator, "pl_1", reason="again")]:
        await registry.send(command.actor, command)
    grant = {"rights": ["display"], "grantee_did": curator.did, "expires_at": "2025-10-13T04:00:00.000Z"}
    granted = issue(museum, "pl_0", "rights.grant", **grant)
    await registry.send(museum.did, granted)
    await registry.send(museum.did, registry.by_reactor(ExpireFact(granted.payload.fact_id)))
    first, second = stars[0].payload.fact_id, stars[1].payload.fact_id
    await registry.send(curator.did, revoke(curator, first, "a mistake"))
    await registry.send(curator.did, revoke(curator, first))
    await registry.decide()
    admin, here = registry.operator, registry.authority(registry.operator.did)
    for payload in (QuarantineFact(second, "under review", here), ReleaseFact(second, here)):
        await registry.send(curator.did, registry.by_session(admin, payload))
    await registry.send(
        "wh_1", registry.by_session(admin, RegisterWebhook("wh_1", "https://a.example", (), b"s", here))
    )
    for payload in (
        ScheduleDelivery("wh_1", "facts/0/1", "", "{}"),
        ReportAttempt("wh_1", 1, 1, "delivered", 200, "", None),
    ):
        await registry.send("wh_1", registry.by_reactor(payload))
    cited = registry.authority(house.did)
    playlist = PostPlaylist("pl_1", "one", "One", ISSUED_AT_MS, json.dumps([{"n": 1}]), cited)
    await registry.send("pl_1", registry.by_session(house, playlist))
    await registry.append(curator.did, b"no command at all")
    await registry.decide()
    await registry.send(museum.did, registry.by_session(admin, RevokeSigner(museum.did, registry.authority(admin.did))))
    await registry.decide()
    return registry, {"curator": curator, "museum": museum, "house": house, "operator": admin}


__all__ = ["GENESIS", "PARTITIONS", "Registry", "every_kind_of_decision", "issue", "key", "revoke"]
