"""A DID and what is asked of it, as given / when / then: operations are named by words, and hashes are those words."""

from typing import Any

from domain.decider import Refusal
from domain.identity.creation import CreateDid
from domain.identity.guardian import Approval, CancelRecovery, RecoverByGuardians, SetGuardians
from domain.identity.handle import Claim
from domain.identity.identifier import Guardians, Identifier, identifier
from domain.identity.key import Key, KeyWindow
from domain.identity.naming import SetHandle
from domain.identity.operation import SignedOperation
from domain.identity.recovery import RecoverDid
from domain.identity.rotation import RevokeKey, RotateKeys
from tests.domain.scenario import NOON, Scenario

ADA = "did:mun:" + "a" * 26
HIGH, MIDDLE, LOW = "zHigh", "zMiddle", "zLow"
HOUR, DAY = 3_600_000, 86_400_000
FRIENDS = ("did:mun:" + "b" * 26, "did:mun:" + "c" * 26, "did:key:friend")


def key(name: str) -> Key:
    return Key(name, "ed25519", f"z{name.title()}", ("authentication", "assertion"))


def window(name: str, begins: int = NOON, ends: int | None = None, since: int | None = None) -> KeyWindow:
    return KeyWindow(name, "ed25519", f"z{name.title()}", ("authentication", "assertion"), begins, ends, since)


class Registrar(Scenario):
    """A DID with three rotation keys and the key ``main``, created at noon."""

    def begin(self, handle: str | None = None) -> "Registrar":
        claim = None if handle is None else Claim(self.now + 60_000, "identity/1/0")
        genesis = SignedOperation("genesis", None, HIGH, "{}", "sig")
        self.ask(CreateDid(ADA, genesis, (HIGH, MIDDLE, LOW), (key("main"),), handle, claim))
        return self

    def ask(self, command: Any) -> Any:
        """Ask, twice as the scenario does, and give what became of it."""
        self.when(command)
        return self.outcome

    def reason(self) -> str:
        """Give why an operation is invalid."""
        assert isinstance(self.outcome, Refusal)
        assert self.outcome.code == "invalid_operation"
        return self.outcome.details["reason"]

    @property
    def ada(self) -> Identifier:
        known = identifier(self.state, ADA)
        assert known is not None
        return known

    def signed(self, name: str, by: str = HIGH, prev: str | None = None) -> SignedOperation:
        return SignedOperation(name, self.ada.head if prev is None else prev, by, "{}", "sig")

    def rotate(self, name: str, *add: str, end: tuple[str, ...] = (), overlap: int = DAY, **signed: Any) -> Any:
        return self.ask(RotateKeys(ADA, self.signed(name, **signed), tuple(map(key, add)), end, overlap))

    def revoke(self, name: str, key_id: str, why: str = "retired", since: int | None = None, **signed: Any) -> Any:
        return self.ask(RevokeKey(ADA, self.signed(name, **signed), key_id, why, since))

    def recover(self, name: str, rotation: tuple[str, ...] = (HIGH,), keys: tuple[str, ...] = (), **signed: Any) -> Any:
        return self.ask(RecoverDid(ADA, self.signed(name, **signed), rotation, tuple(map(key, keys))))

    def name(self, name: str, handle: str, until: int | None = None, **signed: Any) -> Any:
        claim = Claim(self.now + 60_000 if until is None else until, "identity/1/5")
        return self.ask(SetHandle(ADA, self.signed(name, **signed), handle, claim))

    def guard(self, name: str, threshold: int = 2, delay_s: int = 86_400, **signed: Any) -> Any:
        return self.ask(SetGuardians(ADA, self.signed(name, **signed), Guardians(FRIENDS, threshold, delay_s)))

    def guardians(self, name: str, *who: str, keys: tuple[str, ...] = ("new",), **signed: Any) -> Any:
        approvals = tuple(Approval(did, "main", "zFriend", "sig", "identity/0/1") for did in who or FRIENDS[:2])
        asked = self.signed(name, **({"by": ""} | signed))
        return self.ask(RecoverByGuardians(ADA, asked, ("zRescue",), tuple(map(key, keys)), approvals))

    def cancel(self, name: str, what: str, **signed: Any) -> Any:
        return self.ask(CancelRecovery(ADA, self.signed(name, **signed), what))
