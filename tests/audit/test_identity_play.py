"""Whatever is done with DIDs, in whatever order: the auditor's own books agree with what the deciders decided."""

import random
from typing import Any

import pytest

from domain.identity.completion import CompleteRecovery
from muniment.auditing import AuditOptions, audit_log
from muniment.identity_auditing import audit_identity
from processors import audit
from tests.audit.chancery import HOUR_MS, Chancery, every_kind_of_operation, pen

pytestmark = pytest.mark.slow

ROTATION = (pen(1), pen(2), pen(3))
NAMES = ("main", "phone", "tablet")


def move(chancery: Chancery, chance: random.Random, did: str, friend: str, seen: list[str]) -> None:
    """Ask for something, which may be refused."""
    by, name, fresh = chance.choice(ROTATION), chance.choice(NAMES), pen(100 + chance.randrange(40)).key
    chancery.now += chance.choice((1, 1_000, HOUR_MS, 30 * HOUR_MS))
    pending = chancery.known(did).recovery
    moves: dict[str, Any] = {
        "rotate": lambda: chancery.rotate(
            did, by, [fresh(name)], [chance.choice(NAMES)], chance.choice((0, 60, 86_400))
        ),
        "add": lambda: chancery.rotate(did, by, [fresh(name)]),
        "end": lambda: chancery.rotate(did, by, [], [name], chance.choice((0, 86_400))),
        "retire": lambda: chancery.revoke(did, by, name, "retired", chancery.now),
        "compromise": lambda: chancery.revoke(did, by, name, "compromised", chancery.now - chance.randrange(HOUR_MS)),
        "recover": lambda: chancery.recover(did, by, ROTATION, [fresh(chance.choice(NAMES))]),
        "fork": lambda: chancery.recover(did, by, ROTATION, [fresh(name)], chance.choice(seen[-6:])),
        "name": lambda: chancery.set_handle(did, by, f"ada-{chance.randrange(3)}"),
        "guard": lambda: chancery.set_guardians(did, by, [friend], 1, chance.choice((0, 60, 86_400))),
        "rescue": lambda: chancery.rescue(did, {friend: ("main", pen(9))}, ROTATION, [fresh("rescued")]),
        "cancel": lambda: chancery.cancel(did, by, pending.operation if pending else seen[0]),
        "complete": lambda: chancery.reactor(CompleteRecovery(did, pending.operation if pending else seen[0]), did),
    }
    moves[chance.choice(sorted(moves))]()
    if chancery.head(did) not in seen:
        seen.append(chancery.head(did))


@pytest.mark.parametrize("seed", range(6))
async def test_any_play_of_operations_is_judged_as_it_was_decided(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "COMMANDS_PER_BATCH", 3)
    chancery, chance = Chancery(), random.Random(seed)  # noqa: S311 - the same play each time
    await chancery.begin()
    friend = chancery.create((pen(8),), (pen(9).key("main"),))
    did = chancery.create(ROTATION, (pen(4).key("main"), pen(5).key("phone")), "ada-0")
    seen = [chancery.head(did)]
    for _ in range(120):
        move(chancery, chance, did, friend, seen)
    assert len(seen) > 15
    found = await audit_identity(chancery.log, 0.0)
    assert found.difference is None, str(found.difference)
    assert found.figures.nullified > 0
    verdict = await audit_log(chancery.log, (), AuditOptions(cores=1, patience_s=0.0))
    assert verdict.difference is None, str(verdict.difference)


async def test_books_that_were_on_disk_are_those_that_were_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "COMMANDS_PER_BATCH", 1)
    chancery = await every_kind_of_operation()
    verdict = await audit_log(chancery.log, (), AuditOptions(cores=1, patience_s=0.0))
    assert verdict.difference is None, str(verdict.difference)
