"""A small press for auditors to look into: real keys, signed records, real transactions in real blocks, on a log."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

from api.intent import signed_hash
from domain.catalog import NAMES
from domain.publishing.anchoring import (
    FailBatch,
    NoteConfirmed,
    NoteReorged,
    NoteSeen,
    NoteSent,
    ReleaseBatch,
    ReserveBatch,
    SignBatch,
)
from domain.publishing.batch import Batch, ChangeOutput, batch
from domain.publishing.job import HoldJobs, QueueJob
from domain.publishing.output import FundPool, output
from domain.publishing.publisher import RegisterPublisher, RemovePublisher
from log import intents, released, statements, topic
from log.bitcoin import BitcoinTransaction, Input, Output, anchoring_script, read_header
from log.chain import chain_start, chain_value
from log.ecdsa import ecdsa_public, ecdsa_signer
from log.fold import Overlay
from log.merkle_path import bump_of, lying, merkle_root
from log.message import Command, Decision, Signature
from log.scope import command_id
from log.strict_json import dump
from log.topic import partition_of
from muniment.signing_key import SigningKey
from processors.reactor_commands import REACTOR
from tests.audit.economy import Economy, first, moment
from tests.audit.registry import key

POOL, CONTEXT = "main", "publishing"
COMMANDS, EVENTS = topic.commands(CONTEXT), topic.events(CONTEXT)
SCRIPT = "76a914" + "11" * 20 + "88ac"
KEEP_MS, FEE = 60_000, 50
BITS = 0x207FFFFF
"""The least work that a header can ask for."""


class Author(NamedTuple):
    """Who signs records: the public key, and what signs with it."""

    pubkey: str
    signer: Callable[[bytes], bytes]

    def sign(self, content: bytes) -> str:
        """Sign in base64."""
        return base64.b64encode(self.signer(content)).decode()


def author(number: int) -> Author:
    """Give the n-th test author."""
    seed = hashlib.sha256(f"author {number}".encode()).digest()
    return Author(ecdsa_public("secp256k1", seed).content.hex(), ecdsa_signer("secp256k1", seed))


def mined(txids: Sequence[str], salt: int = 0) -> bytes:
    """Give the header of a block that has these transactions, with the work that it asks for."""
    for nonce in range(1_000):
        head = (1).to_bytes(4, "little") + bytes(32) + lying(merkle_root(txids)) + salt.to_bytes(4, "little")
        header = head + BITS.to_bytes(4, "little") + nonce.to_bytes(4, "little")
        if read_header(header).has_work:
            return header
    raise AssertionError("no work was found")


class Pressroom(Economy):
    """Appends publishing's commands as the api and the reactors would, each decided at once."""

    def __init__(self, partitions: int = 1) -> None:
        super().__init__(partitions)

    @property
    def part(self) -> int:
        """Give the pool's partition."""
        return partition_of(POOL, self.partitions)

    def by_session(self, actor: SigningKey, payload: Any) -> Decision:
        """Ask for something that the actor's session backs."""
        self._asked += 1
        asked = hashlib.sha256(f"request {self._asked}".encode()).digest()
        signed = statements.session_signed_bytes(issuer="https://registry.example", did=actor.did, nonce="n1")
        by = f"key-{self._asked}"
        signature = Signature(actor.alg, actor.did, None, signed, actor.sign(signed))
        name = command_id(actor.did, asked, idempotency_key=by)
        command = Command(name, NAMES[type(payload)], actor.did, by, asked, payload, signature)
        return self.decide(command, POOL, CONTEXT)

    def by_reactor(self, payload: Any) -> Decision:
        """Ask for something as a reactor."""
        self._asked += 1
        content = f"{self._asked} {payload!r}"
        asked = hashlib.sha256(content.encode()).digest()
        name = command_id(REACTOR, asked, content_id=content)
        command = Command(name, NAMES[type(payload)], REACTOR, None, asked, payload, None)
        return self.decide(command, POOL, CONTEXT)

    def register(self, who: Author, label: str, *, by: SigningKey | None = None) -> Decision:
        """Let a public key publish, by an admin or by somebody who shows that it signs."""
        if by is None:
            return self.by_admin(RegisterPublisher(POOL, who.pubkey, label, self.authority, None))
        shown = statements.publisher_signed_bytes(pubkey=who.pubkey, label=label, registered_by=by.did)
        return self.by_session(by, RegisterPublisher(POOL, who.pubkey, label, None, who.sign(shown)))

    def intent(self, who: Author, record_id: str, written: Callable[[bytes], bytes] = bytes, **more: Any) -> Command:
        """Write the command by which a record is published, signed as it is written; ``more`` are its members."""
        self._asked += 1
        nonce = base64.b64encode(f"nonce {self._asked:010}".encode()).decode()
        record: dict[str, Any] = {"type": "music", "assetId": "a", "recordId": record_id, "nonce": nonce}
        record |= {"timestamp": moment(self.now)} | more
        signed = written(intents.intent_signed_bytes(record))
        name, signature = intents.job_id(who.pubkey, signed), who.sign(signed)
        payload = QueueJob(
            POOL, name, who.pubkey, record_id, signed.decode(), intents.record_hash(signed), signature, record["nonce"],
            record["timestamp"], record.get("uri"), "batch", self.now, 60,
        )  # fmt: skip
        asked = signed_hash("POST /v1/publish", {}, signed)
        by = command_id(who.pubkey, asked, content_id=name)
        held = Signature(intents.algorithm, who.pubkey, None, signed, signature)
        return Command(by, "QueueJob", who.pubkey, None, asked, payload, held)

    def publish(self, who: Author, record_id: str, **more: Any) -> str:
        """Publish a record and give its job."""
        command = self.intent(who, record_id, **more)
        return str(first(self.decide(command, POOL, CONTEXT)).job_id)

    @property
    def state(self) -> Overlay:
        """Give what the decider knows."""
        return Overlay(self._seats[CONTEXT, self.part].store)

    def reserve(self, batch_id: str, jobs: Sequence[str], outpoints: Sequence[str]) -> None:
        """Hold outputs for jobs."""
        first(self.by_reactor(ReserveBatch(POOL, batch_id, tuple(jobs), tuple(outpoints), 0, 0, KEEP_MS, None)))

    def fund(self, outpoint: str, satoshis: int) -> None:
        """Let the devnet's faucet give an output."""
        first(self.by_reactor(FundPool(POOL, outpoint, satoshis, SCRIPT, "faucet")))

    def hold(self, *jobs: str) -> None:
        """Say that the pool has nothing for jobs."""
        first(self.by_reactor(HoldJobs(POOL, jobs)))

    def release(self, batch_id: str, reason: str | None = "the pool's key is away") -> None:
        """Give a batch up."""
        first(self.by_reactor(ReleaseBatch(POOL, batch_id, reason)))

    def transaction(self, batch_id: str, ways: int = 1) -> SignBatch:
        """Write a batch's transaction; its change comes back in so many outputs."""
        known = self.known(batch_id)
        taken = sum(each.satoshis for each in (output(self.state, name) for name in known.outpoints) if each)
        outputs = [Output(0, anchoring_script(self.anchor(name))) for name in known.job_ids]
        parts = [(taken - FEE) // ways] * (ways - 1)
        parts.append(taken - FEE - sum(parts))
        outputs += [Output(each, bytes.fromhex(SCRIPT)) for each in parts]
        made = BitcoinTransaction(tuple(Input(name, b"\x51") for name in known.outpoints), tuple(outputs))
        change = tuple(ChangeOutput(len(known.job_ids) + at, each, SCRIPT) for at, each in enumerate(parts))
        return SignBatch(POOL, batch_id, made.txid, made.raw, FEE, change)

    def sign(self, batch_id: str, ways: int = 1) -> str:
        """Sign a batch's transaction, and give its id."""
        return str(first(self.by_reactor(self.transaction(batch_id, ways))).txid)

    def anchor(self, job_id: str) -> bytes:
        """Give what a job's output carries."""
        (said,) = [each for each in self.all_of(QueueJob) if each.job_id == job_id]
        uri = {} if said.uri is None else {"uri": said.uri}
        told = {"p": "sl-drm", "v": 1, "rid": said.record_id, "hash": said.hash, **uri, "ts": said.timestamp}
        return dump(told)

    def asked(self) -> list[Command]:
        """Decode every command."""
        decode = released.codec(CONTEXT, "command").decode
        return [decode(message.value) for message in self.log.messages(COMMANDS, self.part)]

    def all_of(self, kind: type) -> list[Any]:
        """Give the payloads of a type of command."""
        return [each.payload for each in self.asked() if isinstance(each.payload, kind)]

    def known(self, batch_id: str) -> Batch:
        """Give a batch as its decider knows it."""
        found = batch(self.state, batch_id)
        if found is None:
            raise AssertionError(f"{batch_id} is none")
        return found

    def confirmation(self, batch_id: str, height: int, salt: int = 0) -> NoteConfirmed:
        """Mine a block that has a batch's transaction, and say so."""
        txid = self.known(batch_id).txid or ""
        txids = [hashlib.sha256(f"{height} {n}".encode()).hexdigest() for n in range(4)] + [txid]
        header = mined(txids, salt)
        return NoteConfirmed(POOL, batch_id, height, read_header(header).hash, header, bump_of(height, txids, txid))

    def confirm(self, batch_id: str, height: int, salt: int = 0) -> str:
        """Confirm a batch, and give its block's hash."""
        return str(first(self.by_reactor(self.confirmation(batch_id, height, salt))).block_hash)

    def place(self, frame: str = POOL) -> str:
        """Give the position of the latest decision."""
        partition = partition_of(frame, self.partitions)
        return f"{CONTEXT}/{partition}/{len(self.log.messages(EVENTS, partition)) - 1}"

    def change(self, kind: type, make: Callable[[Any], Any], index: int = 0, *, asked: bool = False) -> str:
        """Change one event where it lies, chain anew as one who holds the broker could, and give its place.

        With ``asked`` the command that caused it is changed alike.
        """
        decisions = self.decisions(self.part, CONTEXT)
        found = [at for at, each in enumerate(decisions) if any(isinstance(e.payload, kind) for e in each.events)]
        offset = found[index]
        events = tuple(replace(each, payload=make(each.payload)) for each in decisions[offset].events)
        if asked:
            self.ask_otherwise(decisions[offset].cause, lambda command: told_as(command, events[0].payload))
        encode = released.codec(CONTEXT, "decision").encode
        held, chain = self.log.messages(EVENTS, self.part), chain_start(EVENTS, self.part)
        for at, each in enumerate(decisions):
            value = encode(replace(each, prev=chain, events=events if at == offset else each.events))
            held[at] = replace(held[at], value=value)
            chain = chain_value(value)
        return f"{CONTEXT}/{self.part}/{offset}"

    def ask_otherwise(self, offset: int, make: Callable[[Command], Command]) -> None:
        """Change a command where it lies."""
        codec, held = released.codec(CONTEXT, "command"), self.log.messages(COMMANDS, self.part)
        held[offset] = replace(held[offset], value=codec.encode(make(codec.decode(held[offset].value))))


def told_as(command: Command, event: Any) -> Command:
    """Let a command say what an event says."""
    names = {each.name for each in fields(event)} & {each.name for each in fields(command.payload)}
    return replace(command, payload=replace(command.payload, **{name: getattr(event, name) for name in names}))


async def every_kind_of_anchoring() -> Pressroom:
    """Make a log in which every event of publishing occurs."""
    press = Pressroom()
    await press.begin()
    ada, bob, eve = author(1), author(2), author(3)
    owner = key(21)
    first(press.register(ada, "Ada"))
    first(press.register(bob, "Bob", by=owner))
    first(press.register(eve, "Eve"))
    first(press.by_session(owner, RemovePublisher(POOL, bob.pubkey, None)))
    first(press.register(bob, "Bob again", by=owner))
    first(press.by_admin(RemovePublisher(POOL, eve.pubkey, press.authority)))
    coins = [f"{number:064x}:{number}" for number in range(4)]
    first(press.by_admin(FundPool(POOL, coins[0], 10_000, SCRIPT, press.authority)))
    for number, coin in enumerate(coins[1:]):
        press.fund(coin, 2_000 + number)
    anchored(press, ada, bob, coins[0])
    unlucky(press, bob, coins[1:])
    change = press.known("bat_1").change[0]
    first(press.by_admin(ReserveBatch(POOL, "bat_split", (), (change,), 3, 3_000, KEEP_MS, press.authority)))
    press.sign("bat_split", 3)
    first(press.by_reactor(NoteSeen(POOL, "bat_split")))
    return press


def anchored(press: Pressroom, ada: Author, bob: Author, coin: str) -> None:
    """Publish records, let them wait, anchor them, lose their block, and anchor them in another."""
    uri = 'https://example.org/\u00e9?a="b"'
    jobs = [press.publish(ada, "REC_1", uri=uri), press.publish(bob, "REC_1"), press.publish(ada, 'REC_"2"')]
    again = press.decide(press.intent(ada, "REC_1"), POOL, CONTEXT)
    if again.refusal is None or again.refusal.code != "record_exists":
        raise AssertionError(again)
    press.hold(jobs[0], jobs[2])
    press.reserve("bat_1", jobs, [coin])
    press.sign("bat_1")
    first(press.by_reactor(NoteSent(POOL, "bat_1")))
    first(press.by_reactor(NoteSeen(POOL, "bat_1")))
    gone = press.confirm("bat_1", 300)
    press.now += 1_000
    first(press.by_reactor(NoteReorged(POOL, "bat_1", gone)))
    first(press.by_reactor(NoteSent(POOL, "bat_1")))
    press.confirm("bat_1", 301, salt=1)


def unlucky(press: Pressroom, bob: Author, coins: Sequence[str]) -> None:
    """Let a batch's time pass and let another fail, which loses an output; its record is published once more."""
    late, other = press.publish(bob, "REC_late"), press.publish(bob, "REC_other", uri="ipfs://x")
    press.reserve("bat_late", [late], coins[:2])
    press.now += KEEP_MS
    press.release("bat_late", None)
    press.reserve("bat_given_up", [late], coins[:1])
    press.release("bat_given_up")
    press.reserve("bat_failed", [late, other], coins[:2])
    press.sign("bat_failed")
    first(press.by_reactor(FailBatch(POOL, "bat_failed", "another spent it", tuple(coins[:1]))))
    again = press.publish(bob, "REC_late")
    press.reserve("bat_2", [again], coins[1:2])
    press.sign("bat_2")
    first(press.by_reactor(NoteSent(POOL, "bat_2")))
    press.publish(bob, "REC_last")
