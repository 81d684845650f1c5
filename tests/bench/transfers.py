"""Transfers a second on one core: the rule and the fold alone in memory, and one decider from a full topic."""

import hashlib
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.catalog import NAMES
from domain.decider import Circumstances
from domain.ledger.account import Mandate, account_id
from domain.ledger.developer import RegisterDeveloper
from domain.ledger.frame import OpenFrame
from domain.ledger.registry import OpenRegistry, Terms
from domain.ledger.transfer import PostTransfer
from domain.ruling import fold, rule
from log import released, statements, topic
from log.fold import Overlay
from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.log import Topic
from log.message import Command, Signature
from log.scope import command_id
from log.signatures import verify
from log.store import MemoryStore
from log.topic import partition_of
from muniment import SigningKey
from muniment.processes import collect_seldom
from tests.bench import decisions

ACCOUNTS = 10_000
TRANSFERS = 100_000
AT_ONCE = 500
PARTITIONS = 4
DECISION_BYTES = 900
CHECK_S = 1.0
NOW_MS = 1_767_225_600_000
FAR_MS = 10**15
FRAME, SHOP, OPERATOR = "local", "shop", "did:web:operator.example"


@dataclass(frozen=True, slots=True)
class Asked:
    """One command as the log would name it."""

    id: str
    actor: str
    payload: object
    request: bytes


def did(number: int) -> str:
    """Give the n-th owner, as long as a real one."""
    return f"did:key:z6Mk{hashlib.sha256(str(number).encode()).hexdigest()[:44]}"


def asked(actor: str, payload: object, number: str) -> Asked:
    """Name a command."""
    request = hashlib.sha256(number.encode()).digest()
    return Asked(command_id(actor, request, content_id=number), actor, payload, request)


def opening(accounts: int = ACCOUNTS) -> Iterator[Asked]:
    """Ask for a frame, a shop in it, and developers with the largest grant."""
    yield asked(OPERATOR, OpenFrame(FRAME, "sovereign", "enabled", "facts/0/0"), "frame")
    terms = Terms(genesis_grant=100_000 * 1_000_000)
    yield asked(OPERATOR, OpenRegistry(FRAME, SHOP, terms, "facts/0/0"), "shop")
    for number in range(accounts):
        owner = did(number)
        yield asked(owner, RegisterDeveloper(FRAME, SHOP, owner, "Ada", None, None, None), f"developer {number}")


def moving(pairs: Sequence[tuple[int, int]]) -> list[Asked]:
    """Ask for one transfer from the first to the second of each pair."""
    owners = {number: did(number) for pair in set(pairs) for number in pair}
    names = {number: account_id(FRAME, SHOP, owner, "user") for number, owner in owners.items()}
    found = []
    for number, (sender, receiver) in enumerate(pairs):
        name = "trf_" + hashlib.sha256(str(number).encode()).hexdigest()[:52]
        word = Mandate(owners[sender], f"nonce-{number:012}", FAR_MS)
        payload = PostTransfer(
            name, FRAME, names[sender], names[receiver], FRAME, 1_000 + number % 977, None, word, 60_000
        )
        found.append(asked(owners[sender], payload, name))
    return found


def spread(count: int) -> list[tuple[int, int]]:
    """Pair all accounts, each as often as any other."""
    return [(number * 7 % ACCOUNTS, (number * 11 + 1) % ACCOUNTS) for number in range(count)]


def hot_account(count: int) -> list[tuple[int, int]]:
    """Let all others pay one account."""
    return [(1 + number % (ACCOUNTS - 1), 0) for number in range(count)]


def hot_pair(count: int) -> list[tuple[int, int]]:
    """Let two accounts pay each other in turn."""
    return [(number % 2, 1 - number % 2) for number in range(count)]


class Fold:
    """A ledger in memory, decided as a seat decides but neither read from a log nor written to one."""

    def __init__(self) -> None:
        self._store = MemoryStore()
        self._overlay = Overlay(self._store)
        self._next = 0

    def decide(self, some: Sequence[Asked]) -> None:
        """Rule on commands and fold what comes of them. Raises where one is refused."""
        overlay, settled = self._overlay, []
        for command in some:
            outcome = rule(overlay, command.id, command.payload, Circumstances(command.actor, NOW_MS, not self._next))
            if not isinstance(outcome, list):
                raise TypeError(f"refused: {outcome}")
            for change in fold(overlay, command.id, self._next, outcome, NOW_MS):
                overlay.put(change)
                settled.append(change)
            self._next += 1
        self._store.write(settled, {})
        overlay.settle(settled)


def alone(pairs: Sequence[tuple[int, int]]) -> float:
    """Give how many transfers a second are decided with nothing around them."""
    ledger, transfers = Fold(), moving(pairs)
    ledger.decide(list(opening()))
    begun = time.perf_counter()
    for start in range(0, len(transfers), AT_ONCE):
        ledger.decide(transfers[start : start + AT_ONCE])
    return len(transfers) / (time.perf_counter() - begun)


def measure(count: int = TRANSFERS // 2) -> dict[str, float]:
    """Measure each spread of transfers; the best of three."""
    cases = {"10,000 accounts": spread, "one hot account": hot_account, "one hot pair": hot_pair}
    return {name: max(alone(pairs(count)) for _ in range(3)) for name, pairs in cases.items()}


def checks_a_second() -> float:
    """Measure strict Ed25519 checks of a transfer's signed bytes on one core."""
    key, far = SigningKey.generate(), "2999-01-01T00:00:00Z"
    members = {
        "from": "acc_" + "a" * 26,
        "to": "acc_" + "b" * 26,
        "amount": "1000000",
        "nonce": "n" * 24,
        "deadline": far,
    }
    signed = statements.mandate_signed_bytes("transfer", members)
    signature, count, begun = key.sign(signed), 0, time.perf_counter()
    while time.perf_counter() - begun < CHECK_S:
        verify("ed25519", key.did, signed, signature)
        count += 1
    return count / (time.perf_counter() - begun)


def written(command: Asked) -> bytes:
    """Write a command as the api would, with its owner's word beside it where it moves money."""
    name = NAMES[type(command.payload)]
    signature = Signature("ed25519", command.actor, None, b"x" * 300, "s" * 88) if name == "PostTransfer" else None
    return released.codec("ledger", "command").encode(
        Command(command.id, name, command.actor, None, command.request, command.payload, signature)
    )


async def from_the_log(kafka: str, count: int = TRANSFERS) -> dict[str, float]:
    """Measure one decider on one frame's full topic, beside raw produces; on a broker whose ledger is empty."""
    collect_seldom()
    log = KafkaLog(KafkaAddress.parse(kafka))
    await released.prepare(log, PARTITIONS)
    partition, scratch = partition_of(FRAME, PARTITIONS), f"bench.{uuid.uuid4().hex}"
    await log.create([Topic(scratch, PARTITIONS)])
    before = [written(command) for command in opening()]
    values = [written(command) for command in moving(spread(count))]
    decision_sized = [value[:DECISION_BYTES] for value in values]
    singles = decision_sized[: decisions.SINGLES]
    single = len(singles) / await decisions.produce_singly(log, scratch, 1, singles)
    raw = len(values) / await decisions.produce(log, scratch, 0, decision_sized)
    await decisions.produce(log, topic.commands("ledger"), partition, [*before, *values])
    decided = await decisions.decided_a_second(log, "ledger", partition, len(before), len(before) + len(values))
    await log.close()
    return {"single_produces": single, "raw_produces": raw, "decisions": decided.wall, "busy": decided.busy}
