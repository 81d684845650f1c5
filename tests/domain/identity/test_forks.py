"""Whatever is signed by whomever from wherever, a DID is what its standing operations say: a machine compares."""

import hashlib
import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.decider import Circumstances, Refusal
from domain.identity.completion import CompleteRecovery
from domain.identity.creation import CreateDid
from domain.identity.guardian import Approval, CancelRecovery, RecoverByGuardians, SetGuardians
from domain.identity.handle import Claim
from domain.identity.identifier import Guardians, guardians_of, identifier, windows_of_key
from domain.identity.key import Key
from domain.identity.naming import SetHandle
from domain.identity.operation import SignedOperation, operation
from domain.identity.recovery import RecoverDid
from domain.identity.rotation import RevokeKey, RotateKeys
from domain.ruling import fold
from domain.ruling import rule as ruling
from log.scope import command_id
from tests.domain.identity.plain_did import PlainDid, Step

pytestmark = pytest.mark.slow

ADA = "did:mun:" + "a" * 26
BEGAN = 20_000 * 86_400_000
ROTATION = ("zA", "zB", "zC", "zD")
KEY_IDS = ("main", "phone", "laptop")
FRIENDS = ("did:key:f", "did:key:g", "did:key:h", "did:key:i")
SIGNERS = st.sampled_from(ROTATION)
KEYS = st.lists(st.sampled_from(KEY_IDS), unique=True, max_size=2).map(tuple)
ROTATIONS = st.lists(SIGNERS, unique=True, min_size=1, max_size=3).map(tuple)
STALE = st.sampled_from([False] * 9 + [True])


def keys(ids: tuple[str, ...]) -> tuple[Key, ...]:
    return tuple(Key(name, "ed25519", f"z{name}", ("assertion",)) for name in ids)


class Forks(RuleBasedStateMachine):
    """Signs anything, and expects of each what the plain DID expects."""

    def __init__(self) -> None:
        super().__init__()
        self.state: dict[str, Any] = {}
        self.now, self.asked = BEGAN, 0

    def send(self, payload: Any) -> Any:
        self.asked += 1
        name = command_id(ADA, hashlib.sha256(str(self.asked).encode()).digest(), idempotency_key=str(self.asked))
        outcome = ruling(self.state, name, payload, Circumstances(ADA, self.now))
        for key, entry in fold(self.state, name, self.asked, outcome, self.now):
            self.state.pop(key, None) if entry is None else self.state.update(
                {key: tuple(json.loads(json.dumps(entry)))}
            )
        return outcome

    @initialize(rotation=ROTATIONS, ids=KEYS, handle=st.sampled_from([None, "ada"]))
    def create(self, rotation: tuple[str, ...], ids: tuple[str, ...], handle: str | None) -> None:
        claim = None if handle is None else Claim(self.now + 1, "identity/0/0")
        genesis = SignedOperation("op0", None, rotation[0], "{}", "sig")
        outcome = self.send(CreateDid(ADA, genesis, rotation, keys(ids), handle, claim))
        assert not isinstance(outcome, Refusal)
        said = {"rotation": rotation, "keys": ids, "handle": handle}
        self.plain = PlainDid(Step("create", "op0", rotation[0], self.now, 1, said))

    def expect(self, kind: str, by: str, prev: str | None, said: dict[str, Any], make: Any) -> None:
        """Ask, and compare with what was to be expected."""
        plain, due = self.plain, self.plain.due(self.now, self.asked * 2 + 2)
        name, before = f"op{self.asked}", self.plain.pending
        if due is not None:
            plain.complete(due)
        prev = plain.head if prev is None else prev
        fault = plain.fault(kind, by, prev, self.now, said)
        outcome = self.send(make(SignedOperation(name, prev, by, "{}", "sig")))
        if fault is not None:
            assert isinstance(outcome, Refusal), fault
            assert outcome.details.get("reason", outcome.code) == fault
            if due is not None:
                plain.steps.remove(due)  # a refusal changes nothing: the reactor will come
                plain.pending = before
            return
        assert not isinstance(outcome, Refusal), outcome
        assert len(outcome) == 1 + (due is not None)
        plain.accept(Step(kind, name, by, self.now, self.asked * 2 + 1, said), prev)

    def some_prev(self, data: st.DataObject, *, stale: bool) -> str | None:
        known = [f"op{index}" for index in range(self.asked + 1)]
        return data.draw(st.sampled_from(known)) if stale else None

    @rule(data=st.data(), by=SIGNERS, ids=KEYS, overlap=st.sampled_from([0, 1_000, 86_400_000]), stale=STALE)
    def rotate(self, *, data: st.DataObject, by: str, ids: tuple[str, ...], overlap: int, stale: bool) -> None:
        ends = data.draw(KEYS)
        said = {"keys": ids, "end": ends, "overlap": overlap}
        prev = self.some_prev(data, stale=stale)
        self.expect("rotate", by, prev, said, lambda signed: RotateKeys(ADA, signed, keys(ids), ends, overlap))

    @rule(
        by=SIGNERS,
        key_id=st.sampled_from(KEY_IDS),
        reason=st.sampled_from(["compromised", "compromised", "retired"]),
        ago=st.integers(0, 100_000_000),
    )
    def revoke(self, by: str, key_id: str, reason: str, ago: int) -> None:
        since = self.now - ago
        said = {"key_id": key_id, "reason": reason, "since": since}
        self.expect("revoke", by, None, said, lambda signed: RevokeKey(ADA, signed, key_id, reason, since))

    @rule(data=st.data(), by=SIGNERS, rotation=ROTATIONS, ids=KEYS, back=st.sampled_from([True, True, False]))
    def recover(
        self, *, data: st.DataObject, by: str, rotation: tuple[str, ...], ids: tuple[str, ...], back: bool
    ) -> None:
        said = {"rotation": rotation, "keys": ids}
        recent = [step.hash for step in self.plain.steps if step.hash][-4:]
        prev = data.draw(st.sampled_from([*recent, f"op{self.asked // 2}"])) if back else None
        self.expect("recover", by, prev, said, lambda signed: RecoverDid(ADA, signed, rotation, keys(ids)))

    @rule(by=SIGNERS, handle=st.sampled_from(["ada", "lovelace", "countess"]))
    def name(self, by: str, handle: str) -> None:
        claim = Claim(self.now + 1, "identity/0/0")
        self.expect("set_handle", by, None, {"handle": handle}, lambda signed: SetHandle(ADA, signed, handle, claim))

    @rule(by=SIGNERS, threshold=st.integers(1, 3), delay_s=st.sampled_from([0, 60, 86_400, 30 * 86_400]))
    def guard(self, by: str, threshold: int, delay_s: int) -> None:
        guardians = Guardians(FRIENDS[:3], threshold, delay_s)
        said = {"guardians": (FRIENDS[:3], threshold, delay_s)}
        self.expect("set_guardians", by, None, said, lambda signed: SetGuardians(ADA, signed, guardians))

    @rule(
        who=st.lists(st.sampled_from([*FRIENDS[:3], *FRIENDS]), min_size=1, max_size=4).map(tuple),
        by=st.sampled_from(["", "zA", "zC"]),
        rotation=ROTATIONS,
        ids=KEYS,
    )
    def help(self, who: tuple[str, ...], by: str, rotation: tuple[str, ...], ids: tuple[str, ...]) -> None:
        approvals = tuple(Approval(did, "main", "zF", "sig", "identity/0/1") for did in who)
        said = {"approvals": who, "rotation": rotation, "keys": ids}
        made = (rotation, keys(ids), approvals)
        self.expect("guardian_recover", by, None, said, lambda signed: RecoverByGuardians(ADA, signed, *made))

    @rule(by=SIGNERS)
    def cancel(self, by: str) -> None:
        what = "op0" if self.plain.pending is None else self.plain.pending.hash
        said = {"operation": what}
        self.expect("cancel", by, None, said, lambda signed: CancelRecovery(ADA, signed, what))

    @rule()
    def complete(self) -> None:
        due, pending = self.plain.due(self.now, self.asked * 2 + 2), self.plain.pending
        outcome = self.send(CompleteRecovery(ADA, "op0" if pending is None else pending.hash))
        assert isinstance(outcome, Refusal) == (due is None)
        if due is not None:
            self.plain.complete(due)

    @rule(ms=st.sampled_from([1, 1_000, 3_600_000, 86_400_000, 72 * 3_600_000, 31 * 86_400_000]))
    def wait(self, ms: int) -> None:
        self.now += ms

    @invariant()
    def the_did_is_what_stands(self) -> None:
        known, then = identifier(self.state, ADA), self.plain.stands()
        assert known is not None
        assert known.head == self.plain.head
        assert list(known.rotation_keys) == then.rotation
        assert (known.handle, known.handle_changed_at) == (then.handle, then.handle_at)
        guardians = guardians_of(known.guardians)
        assert (
            None if guardians is None else (guardians.dids, guardians.threshold, guardians.delay_s)
        ) == then.guardians
        pending = known.recovery
        assert (pending and pending.operation) == (self.plain.pending and self.plain.pending.hash)

    @invariant()
    def every_window_is_what_stands(self) -> None:
        found = {
            each.name: [each.valid_from, each.valid_until, each.compromised_since]
            for key_id in KEY_IDS
            for each in windows_of_key(self.state, ADA, key_id)
        }
        assert found == self.plain.stands().windows
        for key_id in KEY_IDS:
            holding = [each for each in windows_of_key(self.state, ADA, key_id) if each.holds(self.now)]
            assert len(holding) <= 1

    @invariant()
    def what_lost_is_nullified_and_nothing_else(self) -> None:
        lost = {step.hash for step in self.plain.lost} | self.plain.cancelled
        for name in {step.hash for step in (*self.plain.steps, *self.plain.lost) if step.hash}:
            entry = operation(self.state, ADA, name)
            assert entry is not None
            assert entry.nullified == (name in lost)


TestForks = Forks.TestCase
TestForks.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
