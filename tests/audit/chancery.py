"""DIDs for auditors to look into: real keys of every type, real signatures, real operations, the real decider."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from domain.catalog import NAMES
from domain.identity.completion import CompleteRecovery
from domain.identity.creation import CreateDid
from domain.identity.guardian import Approval, CancelRecovery, RecoverByGuardians, SetGuardians
from domain.identity.handle import Claim, ClaimHandle, ConfirmHandle, HandleClaimed, ReleaseHandle
from domain.identity.identifier import Guardians, identifier
from domain.identity.key import Key
from domain.identity.naming import LapseClaim, SetHandle
from domain.identity.operation import SignedOperation
from domain.identity.recovery import RecoverDid
from domain.identity.rotation import RevokeKey, RotateKeys
from domain.identity.session import EndSession
from log import released, statements, topic
from log.canonical import base32_id, canonical_json
from log.chain import chain_start, chain_value
from log.ecdsa import ecdsa_public, ecdsa_signer
from log.message import Command, Decision, Signature
from log.public_keys import public_key
from log.scope import command_id
from log.signatures import ed25519_public, ed25519_signer, eip191_address, eip191_signer
from log.topic import partition_of
from tests.audit.economy import DAY_MS, Economy, first, moment
from tests.audit.registry import key

COMMANDS, EVENTS = topic.commands("identity"), topic.events("identity")
BOTH = ("authentication", "assertion")
HOUR_MS = 3_600_000


class Pen(NamedTuple):
    """A private key of any type: what others call it, and what signs with it."""

    kind: str
    multibase: str
    signer: Callable[[bytes], bytes]

    def sign(self, content: bytes) -> str:
        """Sign in base64."""
        return base64.b64encode(self.signer(content)).decode()

    def key(self, name: str, purposes: tuple[str, ...] = BOTH) -> Key:
        """Give the key under a name."""
        return Key(name, self.kind, self.multibase, purposes)


def purse(number: int) -> tuple[str, Pen]:
    """Give the DID of the n-th test account of Ethereum, and what signs for it."""
    seed = hashlib.sha256(f"pen {number}".encode()).digest()
    return f"did:pkh:eip155:1:{eip191_address(seed).lower()}", Pen("eip191", "", eip191_signer(seed))


def pen(number: int, kind: str = "ed25519") -> Pen:
    """Give the n-th test key of a type."""
    seed = hashlib.sha256(f"pen {number}".encode()).digest()
    if kind == "ed25519":
        return Pen(kind, public_key(kind, ed25519_public(seed)).multibase, ed25519_signer(seed))
    return Pen(kind, ecdsa_public(kind, seed).multibase, ecdsa_signer(kind, seed))


def written(keys: Sequence[Key]) -> list[dict[str, Any]]:
    """Write keys as an operation names them."""
    return [
        {
            "id": each.id,
            "type": each.type,
            "public_key_multibase": each.public_key_multibase,
            "purposes": [*each.purposes],
        }
        for each in keys
    ]


def hash_of(content: bytes) -> str:
    """Give an operation's hash."""
    return "sha256-" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def signed(operation: Mapping[str, Any], by: Pen | None) -> SignedOperation:
    """Sign an operation, or leave it to guardians."""
    content = canonical_json(operation)
    who, signature = ("", "") if by is None else (by.multibase, by.sign(content))
    return SignedOperation(hash_of(content), operation["prev"], who, content.decode(), signature)


class Chancery(Economy):
    """Appends identity's commands as the api and the reactors would, each decided at once."""

    def ask(self, payload: Any, route: str, actor: str, content: str, signature: Signature | None = None) -> Decision:
        """Ask for something that is named after what it says."""
        asked = hashlib.sha256(content.encode()).digest()
        name = command_id(actor, asked, content_id=content)
        command = Command(name, NAMES[type(payload)], actor, None, asked, payload, signature)
        return self.decide(command, route, "identity")

    def reactor(self, payload: Any, route: str) -> Decision:
        """Ask for something as a reactor."""
        return self.ask(payload, route, "muniment:reactor", f"{payload!r}/{self.now}")

    def operation(self, payload: Any) -> Decision:
        """Send a DID's operation."""
        return self.ask(payload, payload.did, payload.did, payload.signed.hash)

    def known(self, did: str) -> Any:
        """Give a DID as its decider knows it."""
        found = identifier(self._seats["identity", partition_of(did, self.partitions)].store, did)  # type: ignore[arg-type]
        if found is None:
            raise AssertionError(f"{did} is none")
        return found

    def head(self, did: str) -> str:
        """Give the hash of a DID's latest operation."""
        found: str = self.known(did).head
        return found

    def claim(self, handle: str, did: str) -> Claim | None:
        """Claim a handle for a DID."""
        decision = self.ask(ClaimHandle(handle, did), handle, did, f"claim {handle} {did} {self.now}")
        if decision.refusal is not None:
            return None
        claimed: HandleClaimed = first(decision)
        return Claim(claimed.until, self.where(handle))

    def confirm(self, handle: str, did: str) -> None:
        """Confirm what a DID's latest operation took."""
        first(self.reactor(ConfirmHandle(handle, did, self.where(did)), handle))

    def where(self, route: str) -> str:
        """Give the position of the latest decision in the partition of a key."""
        partition = partition_of(route, self.partitions)
        return f"identity/{partition}/{len(self.log.messages(EVENTS, partition)) - 1}"

    def create(self, rotation: Sequence[Pen], keys: Sequence[Key], handle: str | None = None, by: int = 0) -> str:
        """Create a DID, and give it."""
        named = {} if handle is None else {"handle": handle}
        rotation_keys = [each.multibase for each in rotation]
        operation = {
            "type": "create", "version": 1, "prev": None, "rotation_keys": rotation_keys, "keys": written(keys),
            **named,
        }  # fmt: skip
        did = base32_id("did:mun:", hashlib.sha256(canonical_json(operation)).digest(), 26)
        claim = None if handle is None else self.claim(handle, did)
        genesis = signed(operation, rotation[by])
        self.operation(CreateDid(did, genesis, tuple(rotation_keys), tuple(keys), handle, claim))
        if handle is not None and claim is not None:
            self.confirm(handle, did)
        return did

    def _signed(self, kind: str, did: str, by: Pen | None, prev: str | None, **members: Any) -> SignedOperation:
        said = {"type": kind, "version": 1, "did": did, "prev": prev or self.head(did), **members}
        return signed(said, by)

    def rotate(
        self, did: str, by: Pen, add: Sequence[Key] = (), end: Sequence[str] = (), overlap_s: int = 86_400
    ) -> Decision:
        """Add and end keys."""
        said = self._signed("rotate", did, by, None, add=written(add), end=[*end], overlap_s=overlap_s)
        return self.operation(RotateKeys(did, said, tuple(add), tuple(end), overlap_s * 1000))

    def revoke(self, did: str, by: Pen, key_id: str, reason: str, since: int) -> Decision:
        """End a key at once."""
        said = self._signed("revoke", did, by, None, key_id=key_id, reason=reason, since=moment(since))
        return self.operation(RevokeKey(did, said, key_id, reason, since))

    def recover(
        self, did: str, by: Pen, rotation: Sequence[Pen], keys: Sequence[Key], prev: str | None = None
    ) -> Decision:
        """Begin anew, from an operation on."""
        rotation_keys = [each.multibase for each in rotation]
        said = self._signed("recover", did, by, prev, rotation_keys=rotation_keys, keys=written(keys))
        return self.operation(RecoverDid(did, said, tuple(rotation_keys), tuple(keys)))

    def set_handle(self, did: str, by: Pen, handle: str) -> Decision:
        """Take another handle, and let go of the one before."""
        before = self.known(did).handle
        claim = self.claim(handle, did)
        said = self._signed("set_handle", did, by, None, handle=handle)
        decision = self.operation(SetHandle(did, said, handle, claim))
        if decision.refusal is None:
            self.confirm(handle, did)
            if before is not None:
                first(self.reactor(ReleaseHandle(before, did, None, self.where(did)), before))
        return decision

    def set_guardians(self, did: str, by: Pen, dids: Sequence[str], threshold: int, delay_s: int) -> Decision:
        """Name guardians."""
        said = self._signed("set_guardians", did, by, None, dids=[*dids], threshold=threshold, delay_s=delay_s)
        return self.operation(SetGuardians(did, said, Guardians(tuple(dids), threshold, delay_s)))

    def rescue(
        self, did: str, approving: Mapping[str, tuple[str, Pen]], rotation: Sequence[Pen], keys: Sequence[Key]
    ) -> Decision:
        """Recover as guardians: each DID with the name of its key, and the key."""
        rotation_keys = [each.multibase for each in rotation]
        said = {
            "type": "guardian_recover", "version": 1, "did": did, "prev": self.head(did),
            "rotation_keys": rotation_keys, "keys": written(keys),
        }  # fmt: skip
        content = canonical_json(said)
        approvals = tuple(
            Approval(who, name, by.multibase, by.sign(content), self.where(who) if who.startswith("did:mun:") else "")
            for who, (name, by) in approving.items()
        )
        asked = [{"did": each.did, "key_id": each.key_id, "signature": each.signature} for each in approvals]
        whole = signed(said | {"approvals": asked}, None)
        return self.operation(RecoverByGuardians(did, whole, tuple(rotation_keys), tuple(keys), approvals))

    def cancel(self, did: str, by: Pen, operation: str) -> Decision:
        """Cancel a guardians' recovery."""
        said = self._signed("cancel", did, by, None, operation=operation)
        return self.operation(CancelRecovery(did, said, operation))

    def events(self) -> list[tuple[int, int, Decision]]:
        """Give every decision of identity: partition, offset, decision."""
        return [
            (partition, offset, decision)
            for partition in range(self.partitions)
            for offset, decision in enumerate(self.decisions(partition, "identity"))
        ]

    def change(self, kind: type, make: Callable[[Any], Any], index: int = 0) -> str:
        """Change one event where it lies, chain anew as one who holds the broker could, and give its place."""
        found = [each for each in self.events() if any(isinstance(event.payload, kind) for event in each[2].events)]
        partition, at, decision = found[index]
        changed = tuple(
            replace(each, payload=make(each.payload)) if isinstance(each.payload, kind) else each
            for each in decision.events
        )
        encode = released.codec("identity", "decision").encode
        held, chain = self.log.messages(EVENTS, partition), chain_start(EVENTS, partition)
        for offset, each in enumerate(self.decisions(partition, "identity")):
            value = encode(replace(each, prev=chain, events=changed if offset == at else each.events))
            held[offset] = replace(held[offset], value=value)
            chain = chain_value(value)
        return f"identity/{partition}/{at}"


async def every_kind_of_operation(chancery: Chancery | None = None) -> Chancery:
    """Make a log in which every event of identity occurs."""
    chancery = chancery or Chancery()
    await chancery.begin()
    high, middle, low = pen(1), pen(2, "secp256k1"), pen(3, "p256")
    main, phone = pen(4), pen(5, "p256")
    ada = chancery.create((high, middle, low), (main.key("main"), phone.key("phone", ("assertion",))), "ada")
    friends = [chancery.create((pen(10 + n),), (pen(20 + n, kind).key("main"),), f"friend-{n}")
               for n, kind in enumerate(("ed25519", "secp256k1"))]  # fmt: skip
    third = "did:key:" + pen(30, "p256").multibase
    after_genesis = chancery.head(ada)
    chancery.now += HOUR_MS
    first(chancery.rotate(ada, low, [pen(6).key("evil")], ["main"], 0))
    chancery.now += HOUR_MS
    first(chancery.recover(ada, high, (high, middle, low), [main.key("main"), phone.key("other")], after_genesis))
    chancery.now += 31 * DAY_MS
    first(chancery.rotate(ada, middle, [pen(7).key("tablet")], ["other"], 3_600))
    chancery.now += HOUR_MS // 2
    first(chancery.revoke(ada, middle, "tablet", "compromised", chancery.now - 60_000))
    first(chancery.revoke(ada, high, "other", "retired", chancery.now))
    first(chancery.set_handle(ada, low, "lovelace"))
    first(chancery.set_guardians(ada, high, [*friends, third], 2, 600))
    rescuers = {friends[0]: ("main", pen(20)), third: ("", pen(30, "p256"))}
    first(chancery.rescue(ada, rescuers, (pen(8),), [pen(9).key("rescue")]))
    first(chancery.cancel(ada, low, chancery.head(ada)))
    rescuers = {friends[0]: ("main", pen(20)), friends[1]: ("main", pen(21, "secp256k1"))}
    first(chancery.rescue(ada, rescuers, (pen(8),), [pen(9).key("rescue")]))
    chancery.now += 600_000
    first(chancery.reactor(CompleteRecovery(ada, chancery.head(ada)), ada))
    first(chancery.rotate(ada, pen(8), [pen(11).key("late")], [], 0))
    chancery.claim("never", friends[0])
    chancery.now += 60_000
    until = chancery.now
    first(chancery.reactor(LapseClaim(friends[0], "never", until), friends[0]))
    first(chancery.reactor(ReleaseHandle("never", friends[0], until, chancery.where(friends[0])), "never"))
    logged_out(chancery)
    return chancery


def logged_out(chancery: Chancery) -> None:
    """End a session."""
    who = key(3)
    lines = statements.session_signed_bytes(issuer="https://registry.example", did=who.did, nonce="n1")
    signature = Signature(who.alg, who.did, None, lines, who.sign(lines))
    first(chancery.ask(EndSession(who.did, "a-jti", chancery.now + 900_000), who.did, who.did, "logout", signature))
