"""Facts, orders and sessions under registered DIDs: audited by the windows of the keys that they name."""

import hashlib
from dataclasses import replace
from typing import Any, Final

import pytest

from api.intent import signed_hash
from domain.catalog import NAMES
from domain.facts.fact import IssueFact
from domain.facts.mark import ClearFactKey, MarkFactKey
from domain.facts.signer import AddSigner
from domain.ledger.account import Mandate
from domain.ledger.transfer import PostTransfer
from domain.records.record import PutRecord
from log import statements
from log.message import Command, Signature
from log.scope import command_id
from muniment.auditing import AuditOptions, audit_log
from processors.audit_signing_keys import LATE_MS
from processors.audit_verdict import Difference
from processors.reactor_commands import REACTOR
from tests.audit.chancery import HOUR_MS, Chancery, Pen, pen
from tests.audit.economy import DAY_MS, HOME, first, moment
from tests.audit.registry import issue, key

pytestmark = pytest.mark.slow

OPTIONS: Final = AuditOptions(cores=1, patience_s=0.0)
ROTATION, MAIN, PHONE = pen(1), pen(2), pen(3, "p256")


class Town(Chancery):
    """A registered DID, a curator, whose facts and orders are signed by whichever of its keys."""

    did: str

    async def settle(self) -> "Town":
        """Register the DID, and let it star."""
        await self.begin()
        self.did = self.create((ROTATION,), (MAIN.key("main"), PHONE.key("phone", ("assertion",))))
        self.let_star("a signer")
        return self

    def let_star(self, named: str) -> None:
        """Make the DID a curator, by a request of this name."""
        asked = hashlib.sha256(named.encode()).digest()
        lines = statements.session_signed_bytes(issuer="https://registry.example", did=self.operator.did, nonce="n1")
        word = Signature(self.operator.alg, self.operator.did, None, lines, self.operator.sign(lines))
        payload = AddSigner(self.did, ("curator",), self.authority)
        name = command_id(self.operator.did, asked, idempotency_key=named)
        first(
            self.decide(
                Command(name, NAMES[AddSigner], self.operator.did, named, asked, payload, word), self.did, "facts"
            )
        )

    def word(self, content: bytes, by: Pen, key_id: str, **other: Any) -> Signature:
        """Sign as the DID."""
        held = Signature(by.kind, self.did, key_id, content, by.sign(content), by.multibase, self.where(self.did))
        return replace(held, **other)

    def star(self, ref: str, by: Pen = MAIN, key_id: str = "main", **other: Any) -> str:
        """Star a playlist as the DID, and give the fact's id."""
        command = issue(key(1), ref)
        subject = {"origin": "feed.ff", "type": "playlist", "ref": ref}
        body = {"issued_at": "2025-10-13T03:00:00.000Z"}
        content = statements.fact_signed_bytes(kind="endorsement.star", subject=subject, issuer_did=self.did, body=body)
        word = self.word(content, by, key_id, **other)
        payload: IssueFact = replace(
            command.payload,
            fact_id=statements.fact_id(content),
            issuer_did=self.did,
            alg=by.kind,
            key_id=key_id,
            signature=word.signature,
        )
        asked = signed_hash("POST /facts", {}, content)
        name = command_id(self.did, asked, content_id=payload.fact_id)
        first(self.decide(Command(name, "IssueFact", self.did, None, asked, payload, word), self.did, "facts"))
        return payload.fact_id

    def order(self, by: Pen = MAIN, key_id: str = "main", said_key: str | None = "main") -> None:
        """Order a transfer as the DID; that nothing is there to be moved is no auditor's business."""
        said: dict[str, Any] = {
            "from": "acc_" + "a" * 26, "to": "acc_" + "b" * 26, "amount": "1", "nonce": "nonce-0000000001",
            "deadline": moment(self.now + 60_000),
        }  # fmt: skip
        if said_key is not None:
            said["key_id"] = said_key
        content = statements.mandate_signed_bytes("transfer", said)
        mandate = Mandate(self.did, said["nonce"], self.now + 60_000, key_id)
        name = statements.mandate_id("transfer", content)
        payload = PostTransfer(name, HOME, said["from"], said["to"], HOME, 1, None, mandate, 60_000)
        asked = hashlib.sha256(content).digest()
        by_id = command_id(self.did, asked, content_id=name)
        self.decide(
            Command(by_id, "PostTransfer", self.did, None, asked, payload, self.word(content, by, key_id)), HOME
        )

    def keep(self, said_key: str | None) -> None:
        """Keep a record in a session that the main key opened."""
        lines = statements.session_signed_bytes(issuer="https://registry.example", did=self.did, nonce="n2")
        asked = hashlib.sha256(repr(said_key).encode()).digest()
        payload = PutRecord(
            self.did,
            "org.example.note",
            "one",
            "sha256-" + "x" * 43,
            b"sealed",
            15,
            1,
            "records/0/0",
            must_be_new=False,
            if_match=(),
            if_none_match=False,
            max_records=10,
            max_bytes=1_000,
            key_id=said_key,
        )
        name = command_id(self.did, asked, idempotency_key="kept")
        word = self.word(lines, MAIN, "main")
        first(self.decide(Command(name, NAMES[PutRecord], self.did, "kept", asked, payload, word), self.did, "records"))

    async def differs(self) -> Difference | None:
        """Audit all, and give the first difference."""
        return (await audit_log(self.log, (), OPTIONS)).difference


@pytest.fixture
async def town() -> Town:
    """Give a town."""
    return await Town().settle()


async def test_each_key_of_a_registered_did_signs_facts_and_orders(town: Town) -> None:
    town.star("one")
    town.star("two", PHONE, "phone")
    town.order()
    verdict = await audit_log(town.log, (), OPTIONS)
    assert verdict.difference is None
    assert verdict.facts == 2


@pytest.mark.parametrize(("said_key", "rule"), [("main", None), ("phone", "key_id"), (None, "key_id")])
async def test_a_record_names_the_key_that_opened_its_session(town: Town, said_key: str | None, rule: str) -> None:
    town.keep(said_key)
    found = await town.differs()
    assert (found and found.rule) == rule


async def test_rotating_never_breaks_what_was_signed_before(town: Town) -> None:
    town.star("before")
    town.now += HOUR_MS
    first(town.rotate(town.did, ROTATION, [pen(4).key("next")], ["main"], 3_600))
    town.star("within the overlap")
    town.star("by the next", pen(4), "next")
    town.now += DAY_MS
    assert await town.differs() is None


async def test_revoking_a_key_as_compromised_deletes_nothing_and_the_log_still_holds(town: Town) -> None:
    town.star("before")
    town.now += HOUR_MS
    first(town.revoke(town.did, ROTATION, "main", "compromised", town.now - 1_000))
    town.now += DAY_MS
    assert await town.differs() is None


async def test_what_was_checked_a_moment_before_a_key_ended_may_lie_a_moment_behind_its_end(town: Town) -> None:
    seen_at = town.where(town.did)
    town.now += HOUR_MS
    first(town.revoke(town.did, ROTATION, "main", "retired", town.now))
    town.now += LATE_MS - 1
    town.star("late", key_seen_at=seen_at)
    assert await town.differs() is None


async def test_a_key_that_signs_long_after_its_end_is_found(town: Town) -> None:
    seen_at = town.where(town.did)
    town.now += HOUR_MS
    first(town.revoke(town.did, ROTATION, "main", "retired", town.now))
    town.now += LATE_MS
    town.star("too late", key_seen_at=seen_at)
    found = await town.differs()
    assert found is not None
    assert (found.rule, found.detail) == ("key_id", f"the key main of {town.did} signed long after its end")
    assert found.place.startswith("facts/")


async def test_a_key_is_found_where_it_is_another_than_identity_says(town: Town) -> None:
    town.star("by a stranger's key", pen(9), "main")
    found = await town.differs()
    assert found is not None
    assert found.rule == "key_id"
    assert "had no such key main for assertion" in found.detail


async def test_a_key_for_sessions_alone_signs_no_fact(town: Town) -> None:
    first(town.rotate(town.did, ROTATION, [pen(5).key("door", ("authentication",))], [], 0))
    town.star("by the door's key", pen(5), "door")
    found = await town.differs()
    assert found is not None
    assert "had no such key door for assertion" in found.detail


@pytest.mark.parametrize(
    ("other", "detail"),
    [
        ({"public_key": None}, "a registered DID alone says its key, and where it was seen"),
        ({"key_seen_at": None}, "a registered DID alone says its key, and where it was seen"),
        ({"public_key": "z6Mk"}, "a public key is z6Mk"),
        ({"key_seen_at": "facts/0/0"}, "'facts/0/0' is no position of identity"),
        ({"key_seen_at": "identity/x/0"}, "'identity/x/0' is no position of identity"),
    ],
    ids=["no key", "nowhere seen", "no multibase", "another context", "no number"],
)
async def test_a_signature_that_says_its_key_wrongly_is_found(town: Town, other: dict[str, Any], detail: str) -> None:
    town.star("said wrongly", **other)
    found = await town.differs()
    assert found is not None
    assert detail in found.detail


def marked(town: Town, fact_id: str, payload: MarkFactKey | ClearFactKey) -> None:
    """Have a reactor say something of a fact's key."""
    marks = isinstance(payload, MarkFactKey)
    by = payload.compromised_by if isinstance(payload, MarkFactKey) else payload.cleared_by
    content = f"{'mark' if marks else 'clear'}:{fact_id}:{by}"
    asked = hashlib.sha256(content.encode()).digest()
    name = command_id(REACTOR, asked, content_id=content)
    first(town.decide(Command(name, NAMES[type(payload)], REACTOR, None, asked, payload, None), town.did, "facts"))


def compromised(town: Town, ago_ms: int) -> tuple[str, str]:
    """Star, and star again an hour later; say an hour later that the key was in other hands for so long by then.

    Gives the second fact, and by whose word it is to be marked.
    """
    town.star("before")
    town.now += HOUR_MS
    fact_id = town.star("after")
    town.now += HOUR_MS
    first(town.revoke(town.did, ROTATION, "main", "compromised", town.now - ago_ms))
    return fact_id, f"KeyRevoked {town.where(town.did)}"


async def test_a_mark_that_identity_bears_out_holds(town: Town) -> None:
    fact_id, word = compromised(town, HOUR_MS)
    marked(town, fact_id, MarkFactKey(fact_id, word))
    assert await town.differs() is None


async def test_a_mark_of_what_was_signed_before_that_moment_is_found(town: Town) -> None:
    fact_id, word = compromised(town, HOUR_MS - 1)
    marked(town, fact_id, MarkFactKey(fact_id, word))
    found = await town.differs()
    assert found is not None
    assert found.rule == "key"
    assert found.detail.startswith(f"{word} doesn't say that main of {town.did} was compromised")


async def test_a_mark_by_an_event_that_says_nothing_of_it_is_found(town: Town) -> None:
    fact_id, word = compromised(town, HOUR_MS)
    marked(town, fact_id, MarkFactKey(fact_id, word.replace("KeyRevoked", "DidRecovered")))
    found = await town.differs()
    assert found is not None
    assert found.rule == "key"


async def test_a_mark_that_is_taken_back_while_the_word_stands_is_found(town: Town) -> None:
    fact_id, word = compromised(town, HOUR_MS)
    marked(town, fact_id, MarkFactKey(fact_id, word))
    marked(town, fact_id, ClearFactKey(fact_id, word))
    found = await town.differs()
    assert found is not None
    assert "was cleared" in found.detail


async def test_a_mark_that_an_override_took_back_is_cleared_by_its_word(town: Town) -> None:
    low = pen(7)
    town.did = town.create((ROTATION, low), (MAIN.key("main"),))
    town.let_star("another signer")
    genesis = town.head(town.did)
    fact_id = town.star("good")
    town.now += HOUR_MS
    first(town.revoke(town.did, low, "main", "compromised", town.now - HOUR_MS))
    marked(town, fact_id, MarkFactKey(fact_id, f"KeyRevoked {town.where(town.did)}"))
    town.now += HOUR_MS
    first(town.recover(town.did, ROTATION, (ROTATION,), [MAIN.key("main")], genesis))
    marked(town, fact_id, ClearFactKey(fact_id, f"DidRecovered {town.where(town.did)}"))
    assert await town.differs() is None


async def test_a_position_that_no_decision_of_the_did_has_reached_is_found(town: Town) -> None:
    context, partition, offset = town.where(town.did).split("/")
    town.star("ahead of identity", key_seen_at=f"{context}/{partition}/{int(offset) + 1}")
    found = await town.differs()
    assert found is not None
    assert "is no decision" in found.detail


@pytest.mark.parametrize("said_key", ["phone", None], ids=["another key", "no key"])
async def test_an_order_signs_which_key_signs_it(town: Town, said_key: str | None) -> None:
    town.order(said_key=said_key)
    found = await town.differs()
    assert found is not None
    assert found.rule == "mandate"
