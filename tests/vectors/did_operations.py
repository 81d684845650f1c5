"""Operation logs of DIDs for whoever writes a verifier: good ones with what follows from them, and bad ones with why.

`python -m tests.vectors.did_operations` writes `did_operations.json`. Keys come of fixed seeds, so it stays the same.
"""

import asyncio
import base64
import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from api.did_documents import did_document
from domain.identity.completion import CompleteRecovery
from domain.identity.key import KeyWindow
from log.canonical import canonical_json
from log.message import Decision
from tests.audit.chancery import HOUR_MS, Chancery, Pen, every_kind_of_operation, hash_of, pen, purse
from tests.audit.economy import DAY_MS, moment

FILE: Final = Path(__file__).with_name("did_operations.json")
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
Item = dict[str, Any]


class Scribe(Chancery):
    """Keeps what each DID's log and document are, decision by decision."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[str, list[Item]] = {}
        self.documents: dict[str, list[dict[str, Any]]] = {}

    def ask(self, payload: Any, route: str, *about: Any, **more: Any) -> Decision:
        """Ask, and write down what came of it."""
        decision = super().ask(payload, route, *about, **more)
        for event in (each.payload for each in decision.events):
            signed = getattr(event, "signed", None)
            if signed is not None:
                taken_back = getattr(event, "nullified", (getattr(event, "operation", None),))
                for item in self.logs.get(event.did, []):
                    item["nullified"] = item["nullified"] or item["hash"] in taken_back
                said = {"operation": json.loads(signed.operation), "hash": signed.hash, "signature": signed.signature}
                self.logs.setdefault(event.did, []).append(said | {"at": moment(self.now), "nullified": False})
        if route in self.logs and decision.refusal is None:
            self.note(route, self.now)
        return decision

    def note(self, did: str, at: int) -> None:
        """Note a DID's document as it is at a time not before its last change; of one millisecond the last counts."""
        known = self.known(did)
        keys: list[KeyWindow] = sorted(
            (window for window in known.windows if window.holds(at)), key=lambda window: (window.valid_from, window.id)
        )
        noted = self.documents.setdefault(did, [])
        if noted and noted[-1]["at"] == moment(at):
            noted.pop()
        noted.append({"at": moment(at), "document": did_document(did, keys, known.handle)})


async def good(scribe: Scribe) -> dict[str, str]:
    """Play every kind of operation, and what an override and a rotation leave; give DIDs by what they show."""
    await every_kind_of_operation(scribe)
    whole = next(iter(scribe.logs))
    rotated = scribe.create((pen(60, "secp256k1"),), (pen(61).key("old"), pen(62, "p256").key("other", ("assertion",))))
    scribe.now += HOUR_MS
    scribe.rotate(rotated, pen(60, "secp256k1"), [pen(63).key("new")], ["old"], 7_200)
    scribe.note(rotated, scribe.now + 7_199_999)
    scribe.note(rotated, scribe.now + 7_200_000)
    overridden = scribe.create((pen(70), pen(71), pen(72, "p256")), (pen(73).key("main"),), "contested")
    start = scribe.head(overridden)
    scribe.now += DAY_MS
    scribe.recover(overridden, pen(72, "p256"), (pen(74), pen(72, "p256")), [pen(75).key("main")])
    scribe.rotate(overridden, pen(74), [pen(76).key("second")], [])
    scribe.now += DAY_MS
    scribe.recover(overridden, pen(71), (pen(71), pen(70)), [pen(77).key("back")], start)
    scribe.now += 2 * DAY_MS
    scribe.recover(overridden, pen(70), (pen(70), pen(71)), [pen(78).key("last")], start)
    account, by_account = purse(80)
    guarded = scribe.create((pen(81),), (pen(82).key("main"),))
    scribe.set_guardians(guarded, pen(81), [account], 1, 600)
    scribe.rescue(guarded, {account: ("", by_account)}, (pen(83),), [pen(84).key("back")])
    scribe.now += 600_000
    scribe.reactor(CompleteRecovery(guarded, scribe.head(guarded)), guarded)
    scribe.rotate(guarded, pen(83), [pen(85).key("next")], [])
    return {
        "every kind of operation": whole,
        "an overlap": rotated,
        "taken back twice": overridden,
        "guarded by an account": guarded,
    }


def signed(operation: Mapping[str, Any], by: Pen, at: int | str, signature: str | None = None) -> Item:
    """Sign an operation as an item of a log."""
    content = canonical_json(operation)
    when = at if isinstance(at, str) else moment(at)
    said = {"operation": dict(operation), "hash": hash_of(content), "signature": signature or by.sign(content)}
    return said | {"at": when, "nullified": False}


def high_s(signature: str) -> str:
    """Give the other form of an ECDSA signature on P-256, which mathematics allows and this format doesn't."""
    raw = base64.b64decode(signature)
    other = P256_ORDER - int.from_bytes(raw[32:], "big")
    return base64.b64encode(raw[:32] + other.to_bytes(32, "big")).decode()


def bad(scribe: Scribe, named: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Give logs that are wrong, each with the rule that it breaks."""
    did = named["an overlap"]
    good_log, owner = scribe.logs[did], pen(60, "secp256k1")
    last, later = good_log[-1], scribe.now + HOUR_MS

    def rotate(prev: str, **members: Any) -> dict[str, Any]:
        return {"type": "rotate", "version": 1, "did": did, "prev": prev, "add": [], "end": [], **members}

    def case(name: str, reason: str, items: list[Item], of: str = did) -> dict[str, Any]:
        return {"name": name, "did": of, "reason": reason, "items": copy.deepcopy(items)}

    yield case("the DID is another's", "did", good_log, "did:mun:" + "a" * 26)
    yield case("the genesis is missing", "prev", good_log[1:])
    yield case("two operations changed places", "prev", good_log[::-1])
    whole = named["every kind of operation"]
    yield case("an operation is missing in the middle", "prev", _without(scribe.logs[whole], 3), whole)
    yield case("an operation comes twice", "hash", [*good_log, last])
    yield case("it follows what isn't the head", "prev", [*good_log, signed(rotate(good_log[0]["hash"]), owner, later)])
    yield case("another's key signed it", "signature", [*good_log, signed(rotate(last["hash"]), pen(99), later)])
    yield case(
        "a key of the document signed it", "signature", [*good_log, signed(rotate(last["hash"]), pen(61), later)]
    )
    changed = copy.deepcopy(good_log)
    changed[-1]["operation"]["overlap_s"] = 0
    yield case("it was changed", "hash", changed)
    forged = copy.deepcopy(changed)
    forged[-1]["hash"] = hash_of(canonical_json(forged[-1]["operation"]))
    yield case("it was changed, and its hash made anew", "signature", forged)
    yield case("an unknown member", "form", [*good_log, signed(rotate(last["hash"], note="hi"), owner, later)])
    yield case("an unknown type", "form", [*good_log, signed(rotate(last["hash"], type="erase"), owner, later)])
    yield case(
        "a key ends that doesn't hold", "key", [*good_log, signed(rotate(last["hash"], end=["none"]), owner, later)]
    )
    yield case("time goes back", "time", [*good_log, signed(rotate(last["hash"]), owner, good_log[0]["at"])])
    yield from _overrides(scribe, named["taken back twice"])
    yield from _flags(scribe, named)


def _without(items: list[Item], index: int) -> list[Item]:
    return items[:index] + items[index + 1 :]


def _overrides(scribe: Scribe, did: str) -> Iterator[dict[str, Any]]:
    items = scribe.logs[did]
    genesis = items[0]["hash"]
    said = {"type": "recover", "version": 1, "did": did, "rotation_keys": [pen(70).multibase], "keys": []}
    low = signed({"type": "rotate", "version": 1, "did": did, "prev": genesis, "add": [], "end": []}, pen(72, "p256"),
                 scribe.now)  # fmt: skip
    two = [items[0], low]

    def recover(prev: str, by: Pen, at: int, signature: str | None = None) -> Item:
        return signed({**said, "prev": prev}, by, at, signature)

    def case(name: str, reason: str, more: Item) -> dict[str, Any]:
        taken_back = [*two[:-1], {**low, "nullified": True}] if more["operation"]["prev"] == genesis else two
        return {"name": name, "did": did, "reason": reason, "items": [*taken_back, more]}

    content = canonical_json({**said, "prev": low["hash"]})
    high = high_s(pen(72, "p256").sign(content))
    yield case("a signature with a high s", "signature", recover(low["hash"], pen(72, "p256"), scribe.now + 1, high))
    yield case("an override after 72 hours", "late", recover(genesis, pen(70), scribe.now + 3 * DAY_MS + 1))
    yield case("an override by the same key", "not_higher", recover(genesis, pen(72, "p256"), scribe.now + 1))
    yield case("an override by a key that was none", "signature", recover(genesis, pen(74), scribe.now + 1))
    nullified = copy.deepcopy(items)
    yield {
        "name": "an override of what was nullified", "did": did, "reason": "prev",
        "items": [*nullified, recover(items[1]["hash"], pen(70), scribe.now + 1)],
    }  # fmt: skip


def _flags(scribe: Scribe, named: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    did = named["every kind of operation"]
    for name, index, flag in (
        ("what was nullified is shown as standing", 1, False),
        ("what stands is shown as nullified", 3, True),
    ):
        items = copy.deepcopy(scribe.logs[did])
        items[index]["nullified"] = flag
        yield {"name": name, "did": did, "reason": "nullified", "items": items}
    items = copy.deepcopy(scribe.logs[did])
    rescue = next(index for index, each in enumerate(items) if each["operation"]["type"] == "guardian_recover")
    for name, reason, approvals in (
        ("too few guardians", "approval", 1),
        ("a guardian's word for something else", "approval", 2),
    ):
        asked = copy.deepcopy(items[rescue]["operation"])
        asked["approvals"] = asked["approvals"][:approvals]
        asked["keys"] = asked["keys"] if approvals == 1 else []
        later = items[rescue] | {"operation": asked, "hash": hash_of(canonical_json(asked)), "nullified": False}
        yield {"name": name, "did": did, "reason": reason, "items": [*items[:rescue], later]}
    guarded = named["guarded by an account"]
    items = copy.deepcopy(scribe.logs[guarded])
    rescue = next(index for index, each in enumerate(items) if each["operation"]["type"] == "guardian_recover")
    asked = copy.deepcopy(items[rescue]["operation"])
    unapproved = {name: each for name, each in asked.items() if name != "approvals"}
    asked["approvals"][0]["signature"] = purse(99)[1].sign(canonical_json(unapproved))
    later = items[rescue] | {"operation": asked, "hash": hash_of(canonical_json(asked))}
    yield {"name": "another account's word", "did": guarded, "reason": "approval", "items": [*items[:rescue], later]}


async def vectors() -> dict[str, Any]:
    """Give all of them."""
    scribe = Scribe()
    named = await good(scribe)
    names = {did: name for name, did in named.items()}
    logs = [
        {"name": names.get(did, "a guardian"), "did": did, "items": items, "documents": scribe.documents[did]}
        for did, items in scribe.logs.items()
    ]
    return {"logs": logs, "bad": list(bad(scribe, named))}


def written(found: Mapping[str, Any]) -> str:
    """Write them as they are checked in."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(asyncio.run(vectors())))
