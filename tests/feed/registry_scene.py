"""A registry on the memory log, decided by the real deciders, with a second and plainer account of what is starred."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from domain.decider import Position
from domain.facts import fact, mark, playlist, signer
from log import released, strict_json, topic
from log.following import Decided
from log.memory import MemoryLog
from log.message import Command
from log.scope import command_id
from log.store import MemoryStore
from log.token import token_of
from log.topic import partition_of
from processors.seat import Seat

PARTITIONS = 2
ADMIN = "did:key:zAdmin"
DAY_MS = 86_400_000


def time_text(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Registry:
    """Appends commands and decides them at once."""

    log: MemoryLog = field(default_factory=MemoryLog)
    seats: list[Seat] = field(default_factory=list)
    count: int = 0

    async def begin(self, curators: Sequence[str] = ()) -> "Registry":
        await released.prepare(self.log, PARTITIONS)
        self.seats = [Seat("facts", partition, MemoryStore()) for partition in range(PARTITIONS)]
        for curator in curators:
            await self.do(curator, signer.AddSigner(curator, ("curator",), "facts/0/0"))
        return self

    async def do(self, key: str, payload: Any, actor: str = ADMIN) -> str | None:
        """Ask for something and give the code of its refusal, if it is refused."""
        self.count += 1
        name = command_id(actor, bytes(32), idempotency_key=f"k{self.count}")
        command = Command(name, type(payload).__name__, actor, None, bytes(32), payload, None)
        partition = partition_of(key, PARTITIONS)
        value = released.codec("facts", "command").encode(command)
        await (await self.log.append(topic.commands("facts"), partition, [(key.encode(), value)]))
        message = self.log.messages(topic.commands("facts"), partition)[-1]
        records = self.seats[partition].decide([message])
        await (await self.log.append(topic.events("facts"), partition, records))
        decided = Decided("facts", self.log.messages(topic.events("facts"), partition)[-1])
        self.seats[partition].settle([decided.message])
        return decided.decision.refusal.code if decided.decision.refusal else None

    async def star(self, curator: str, ref: str, issued_at: int = 0, reason: str | None = None, **subject: str) -> str:
        """Star a playlist and give the fact's id."""
        self.count += 1
        fact_id = f"fct_{self.count:05d}"
        body = {"issued_at": time_text(issued_at)} | ({"reason": reason} if reason else {})
        about = fact.Subject(**{"origin": "feed.ff", "type": "playlist", "ref": ref, "digest": None} | subject)
        text = strict_json.dump(body).decode()
        command = fact.IssueFact(
            fact_id, "endorsement.star", about, curator, text, "", "ed25519", None, "", issued_at, issued_at + 1, ""
        )
        refusal = await self.do(curator, command, curator)
        assert refusal in {None, "already_active"}
        return fact_id if refusal is None else ""

    async def revoke(self, curator: str, fact_id: str) -> str | None:
        return await self.do(curator, fact.RevokeFact(fact_id, curator, None, "ed25519", None, ""), curator)

    async def post(self, playlist_id: str, created: int = 0, title: str = "A title") -> str | None:
        items = '[{"source":"https://art.example/1"}]'
        command = playlist.PostPlaylist(playlist_id, f"s-{playlist_id}", title, created, items, "facts/0/0")
        return await self.do(playlist_id, command)

    def decided(self) -> Iterator[Decided]:
        for partition in range(PARTITIONS):
            for message in self.log.messages(topic.events("facts"), partition):
                yield Decided("facts", message)


def changes(registry: Registry) -> Iterator[dict[str, Any]]:
    """Give each change of a fact's status as the registry's delta feed has it."""
    facts: dict[str, dict[str, Any]] = {}
    for entry in registry.decided():
        position = token_of(Position("facts", entry.partition, entry.offset))
        for event in entry.payloads:
            if isinstance(event, fact.FactIssued):
                about = {"origin": event.subject.origin, "type": event.subject.type, "ref": event.subject.ref}
                facts[event.fact_id] = {
                    "id": event.fact_id,
                    "kind": event.kind,
                    "subject": about,
                    "issuer_did": event.issuer_did,
                    "body": strict_json.parse(event.body.encode()),
                    "issued_at": time_text(event.issued_at),
                    "status": "active",
                    "position": position,
                }
                change = "issued"
            elif type(event) in STATUS_AFTER:
                change, status = STATUS_AFTER[type(event)]
                facts[event.fact_id] = facts[event.fact_id] | {"status": status}
            elif isinstance(event, mark.FactKeyCompromised):
                change, facts[event.fact_id] = "key_compromised", facts[event.fact_id] | {"key_compromised": True}
            elif isinstance(event, mark.FactKeyCleared):
                kept = {name: value for name, value in facts[event.fact_id].items() if name != "key_compromised"}
                change, facts[event.fact_id] = "key_cleared", kept
            else:
                continue
            yield {"change": change, "fact": facts[event.fact_id], "position": position}


STATUS_AFTER: dict[type, tuple[str, str]] = {
    fact.FactRevoked: ("revoked", "revoked"),
    fact.FactExpired: ("expired", "expired"),
    fact.FactQuarantined: ("quarantined", "quarantined"),
    fact.FactReleased: ("released", "active"),
}


def webhook_bodies(registry: Registry) -> list[tuple[str, bytes]]:
    """Give the webhook of each change under its idempotency key."""
    found = []
    for sequence, item in enumerate(changes(registry), 1):
        names = ("id", "kind", "subject", "issuer_did", "status", "issued_at", "key_compromised")
        members = {name: item["fact"][name] for name in names if name in item["fact"]}
        body = strict_json.dump(members | {"position": item["position"], "sequence": sequence})
        found.append((f"whk_{sequence}", body))
    return found


def plainly_starred(registry: Registry, origin: str = "feed.ff") -> dict[str, list[dict[str, Any]]]:
    """Say by definition which playlists are starred and by which active stars, newest first."""
    last = {item["fact"]["id"]: item for item in changes(registry)}
    starred: dict[str, list[dict[str, Any]]] = {}
    for item in last.values():
        about = item["fact"]["subject"]
        counts = item["fact"]["status"] == "active" and "key_compromised" not in item["fact"]
        if counts and about["origin"] == origin and about["type"] == "playlist":
            starred.setdefault(about["ref"], []).append(item)
    for items in starred.values():
        items.sort(key=lambda item: item["fact"]["id"])
        items.sort(key=lambda item: item["fact"]["issued_at"], reverse=True)
    return starred
