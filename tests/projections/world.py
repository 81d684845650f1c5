"""A small world for projections: the memory log, real seats that decide on it, and commands that are short to write."""

import base64
import hashlib
import json
from typing import Any

from domain.did import identity
from domain.facts.fact import ExpireFact, IssueFact, QuarantineFact, ReleaseFact, RevokeFact, Subject
from domain.facts.mark import ClearFactKey, MarkFactKey
from domain.facts.signer import AddSigner, RevokeSigner
from domain.facts.webhook import (
    DeleteWebhook,
    DisableWebhook,
    RegisterWebhook,
    ReplayWebhook,
    ReportAttempt,
    RotateWebhookSecret,
    ScheduleDelivery,
)
from log import released, topic
from log.memory import MemoryLog
from log.message import Command, Decision
from log.scope import command_id
from log.store import MemoryStore
from log.topic import partition_of
from processors.seat import Seat

ADMIN = "did:key:zAdmin"
ISSUERS = ("did:key:zIssuerA", "did:key:zIssuerB", "did:pkh:eip155:1:0x" + "aB" * 20, "did:key:zIssuerD")
PKH = "did:pkh:eip155:1:0x" + "cD" * 20
WEBHOOKS = ("wh_a", "wh_b")
WORD = "KeyRevoked identity/1/12"
AT = 1_760_000_000_000


class World:
    """A log with seats; ``do`` appends a command and the decision on it."""

    def __init__(self, partitions: int = 3) -> None:
        self.log, self.partitions = MemoryLog(), partitions
        self.seats = [Seat("facts", partition, MemoryStore()) for partition in range(partitions)]
        self.facts: list[tuple[str, str]] = []
        self._asked = 0

    async def start(self) -> "World":
        """Make the topics, and every issuer a curator and an institution."""
        await released.prepare(self.log, self.partitions)
        for issuer in ISSUERS:
            await self.do(identity(issuer), AddSigner(issuer, ("curator", "institution"), "facts/0/0"))
        return self

    async def do(self, key: str, payload: Any, actor: str = ADMIN) -> tuple[int, int, Decision]:
        """Ask for something, and give where the decision lies and what it is."""
        self._asked += 1
        request = hashlib.sha256(str(self._asked).encode()).digest()
        name = command_id(actor, request, idempotency_key=str(self._asked))
        command = Command(name, type(payload).__name__, actor, None, request, payload, None)
        partition = partition_of(key, self.partitions)
        value = released.codec("facts", "command").encode(command)
        at = await (await self.log.append(topic.commands("facts"), partition, [(key.encode(), value)]))
        seat = self.seats[partition]
        records = seat.decide([self.log.messages(topic.commands("facts"), partition)[at]])
        events = topic.events("facts")
        offset = await (await self.log.append(events, partition, records))
        message = self.log.messages(events, partition)[offset]
        assert seat.settle([message])
        return partition, offset, released.codec("facts", "decision").decode(message.value)

    async def issue(
        self, issuer: str, ref: str, kind: str = "endorsement.star", body: dict[str, Any] | None = None
    ) -> tuple[str, tuple[int, int]]:
        """Issue a fact and give its id and where it was decided; the id is its own for each call."""
        text = json.dumps({"issued_at": "2025-10-09T09:00:00.000Z", **(body or {})}, separators=(",", ":"))
        digest = hashlib.sha256(f"{issuer}/{ref}/{kind}/{text}/{len(self.facts)}".encode()).digest()
        fact_id = "fct_" + base64.b32encode(digest).decode().rstrip("=").lower()
        subject = Subject("feed.ff", "playlist", ref, None if len(ref) % 2 else "digest")
        unique = "" if kind == "endorsement.star" else fact_id
        payload = IssueFact(
            fact_id, kind, subject, issuer, text, "hash", "ed25519", None, "signature", AT, AT + 1, unique
        )
        partition, offset, decision = await self.do(identity(issuer), payload, issuer)
        if decision.refusal is None:
            self.facts.append((fact_id, issuer))
        return fact_id, (partition, offset)

    async def change(self, fact_id: str, issuer: str, change: str) -> tuple[int, int, Decision]:
        """Ask for a change of a fact's status."""
        payload = {
            "revoke": RevokeFact(fact_id, issuer, "no\tmore\\n", "ed25519", None, "signature"),
            "silent": RevokeFact(fact_id, issuer, None, "ed25519", None, "signature"),
            "quarantine": QuarantineFact(fact_id, "set aside", "facts/0/0"),
            "release": ReleaseFact(fact_id, "facts/0/0"),
            "expire": ExpireFact(fact_id),
            "mark": MarkFactKey(fact_id, WORD),
            "clear": ClearFactKey(fact_id, WORD),
        }[change]
        return await self.do(identity(issuer), payload)

    async def play(self, moves: list[tuple[str, int, int]]) -> None:
        """Make moves, each a name and two numbers that choose what it is about; refused ones change nothing."""
        for name, first, second in moves:
            if name == "issue":
                ref = ("pl", "pl\\2", "tab", "ü")[second % 4] + str(second)
                await self.issue(ISSUERS[first % len(ISSUERS)], ref)
            elif name in ("revoke", "silent", "quarantine", "release", "expire", "mark", "clear"):
                if self.facts:
                    await self.change(*self.facts[first % len(self.facts)], name)
            else:
                await self._other(name, first, second)

    async def _other(self, name: str, first: int, second: int) -> None:
        webhook, signer = WEBHOOKS[first % 2], (f"did:key:zSigner{first % 2}", PKH, PKH.lower())[first % 3]
        payload: Any = {
            "signer": AddSigner(signer, ("curator", "publisher")[: 1 + second % 2], "facts/0/0"),
            "unsign": RevokeSigner(signer, "facts/0/0"),
            "register": RegisterWebhook(webhook, "https://x.example", ("endorsement.star",), b"\x00s", "facts/0/0"),
            "rotate": RotateWebhookSecret(webhook, bytes([second % 256]), 1000, "facts/0/0"),
            "delete": DeleteWebhook(webhook, "facts/0/0"),
            "disable": DisableWebhook(webhook, "410"),
            "replay": ReplayWebhook(webhook, "r", "0", "facts/0/0"),
            "due": ScheduleDelivery(webhook, f"facts/0/{second}", "", '{"id":"x"}'),
            "tried": ReportAttempt(
                webhook, 1 + second % 3, 1 + second % 5, ("failed", "parked", "delivered")[second % 3], 500, "no", AT
            ),
        }[name]
        await self.do(payload.did.lower() if name in ("signer", "unsign") else webhook, payload)


MOVES = (
    "issue", "issue", "issue", "revoke", "silent", "quarantine", "release", "expire", "mark", "clear", "signer",
    "unsign", "register", "rotate", "delete", "disable", "replay", "due", "due", "tried", "tried",
)  # fmt: skip
