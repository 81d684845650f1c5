"""What is no operation: each member of another form is pointed at, and nothing of it reaches the log."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from muniment.did_operations import signed
from tests.api.registered import private
from tests.api.serving import Answer, Registry, running
from tests.api_identity.owning import Owner, key, owned, owner, send

KEY = key("main").to_json()
Said = dict[str, Any]


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    """Run an api with its decider."""
    async with running() as found:
        yield found


@pytest.fixture
async def ada(registry: Registry) -> Owner:
    """Give somebody with a DID."""
    return await owned(registry, "ada")


ROTATION = private("ada high").multibase
IN_GENESIS: dict[str, tuple[Said, str]] = {
    "no rotation key": ({"rotation_keys": []}, "/rotation_keys"),
    "six rotation keys": ({"rotation_keys": [private(str(n)).multibase for n in range(6)]}, "/rotation_keys"),
    "a rotation key twice": ({"rotation_keys": [ROTATION, ROTATION]}, "/rotation_keys/1"),
    "a rotation key that is none": ({"rotation_keys": ["z6MkNothing"]}, "/rotation_keys/0"),
    "21 keys": ({"keys": [key(f"k{n}").to_json() for n in range(21)]}, "/keys"),
    "a key's id twice": ({"keys": [KEY, KEY]}, "/keys/1"),
    "a key of another type": ({"keys": [KEY | {"type": "p256"}]}, "/keys/0/type"),
    "a key of no type": ({"keys": [KEY | {"type": "rsa"}]}, "/keys/0/type"),
    "a key without purposes": ({"keys": [KEY | {"purposes": []}]}, "/keys/0/purposes"),
    "an unknown purpose": ({"keys": [KEY | {"purposes": ["love"]}]}, "/keys/0/purposes/0"),
    "a purpose twice": ({"keys": [KEY | {"purposes": ["assertion", "assertion"]}]}, "/keys/0/purposes/1"),
    "an id with a fragment": ({"keys": [KEY | {"id": "did:mun:x#main"}]}, "/keys/0/id"),
    "a key that is a number": ({"keys": [1]}, "/keys/0"),
    "a version as text": ({"version": "1"}, "/version"),
    "another version": ({"version": 2}, "/version"),
    "a version that is true": ({"version": True}, "/version"),
    "something before it": ({"prev": "sha256-" + "A" * 43}, "/prev"),
    "a short handle": ({"handle": "ad"}, "/handle"),
    "a handle with capitals": ({"handle": "Ada"}, "/handle"),
    "a handle that is null": ({"handle": None}, "/handle"),
    "a handle with a line break": ({"handle": "ada\n"}, "/handle"),
    "a type that is none": ({"type": "make"}, "/type"),
    "a type that is a list": ({"type": []}, "/type"),
    "another route's type": ({"type": "rotate"}, "/type"),
}


def malformed(answer: Answer, pointer: str, name: str) -> None:
    """See that an operation is refused for what is at a place of it."""
    said = (answer.status, answer.code, answer.json.get("reason"))
    assert said == (400, "invalid_operation", "malformed"), f"{name}: {answer.text}"
    assert answer.json["errors"][0]["pointer"] == "/operation" + pointer, name


async def test_a_genesis_of_another_form_is_malformed(registry: Registry) -> None:
    ada, appended = owner(registry, "ada"), registry.appended()
    for name, (change, pointer) in IN_GENESIS.items():
        answer = await send(registry, signed(ada.genesis()["operation"] | change, ada.rotation[0]))
        malformed(answer, pointer, name)
    assert registry.appended() == appended


FOLLOWING: dict[str, tuple[str, Said, str]] = {
    "an overlap as text": ("rotate", {"add": [], "end": [], "overlap_s": "60"}, "/overlap_s"),
    "an overlap with a fraction": ("rotate", {"add": [], "end": [], "overlap_s": 0.5}, "/overlap_s"),
    "an overlap of eight days": ("rotate", {"add": [], "end": [], "overlap_s": 8 * 86_400}, "/overlap_s"),
    "an overlap below nothing": ("rotate", {"add": [], "end": [], "overlap_s": -1}, "/overlap_s"),
    "an id that ends twice": ("rotate", {"add": [], "end": ["main", "main"]}, "/end/1"),
    "101 ends": ("rotate", {"end": [f"k{n}" for n in range(101)]}, "/end"),
    "no reason": ("revoke", {"key_id": "main", "reason": "bored"}, "/reason"),
    "since as a number": ("revoke", {"key_id": "main", "reason": "lost", "since": 5}, "/since"),
    "since as no time": ("revoke", {"key_id": "main", "reason": "lost", "since": "yesterday"}, "/since"),
    "guardians that are none": ("set_guardians", {"dids": ["bob"], "threshold": 1}, "/dids/0"),
    "a guardian twice": ("set_guardians", {"dids": ["did:mun:" + "a" * 26] * 2, "threshold": 1}, "/dids/1"),
    "too few guardians": ("set_guardians", {"dids": ["did:mun:" + "a" * 26], "threshold": 2}, "/threshold"),
    "11 guardians": ("set_guardians", {"dids": ["did:mun:" + c * 26 for c in "abcdefghijk"], "threshold": 1}, "/dids"),
    "a long delay": ("set_guardians", {"dids": ["did:mun:" + "a" * 26], "threshold": 1, "delay_s": 2_592_001},
                     "/delay_s"),
    "no approvals": ("guardian_recover", {"rotation_keys": [ROTATION], "keys": [], "approvals": []}, "/approvals"),
    "an approval by nobody": (
        "guardian_recover",
        {"rotation_keys": [ROTATION], "keys": [], "approvals": [{"did": "bob", "signature": "x"}]},
        "/approvals/0/did",
    ),
    "a recovery that is no hash": ("cancel", {"operation": "sha256-x"}, "/operation"),
    "another DID than the path's": ("set_handle", {"handle": "ada", "did": "did:mun:" + "a" * 26}, "/did"),
    "nothing before it": ("set_handle", {"handle": "ada", "prev": None}, "/prev"),
    "a genesis": ("create", {}, "/type"),
}  # fmt: skip


async def test_an_operation_of_another_form_is_malformed(registry: Registry, ada: Owner) -> None:
    for name, (kind, members, pointer) in FOLLOWING.items():
        body = signed(ada.sign(kind)["operation"] | members, ada.rotation[0])
        malformed(await send(registry, body, ada.did), pointer, name)


async def test_an_unknown_member_is_named_wherever_it_is(registry: Registry, ada: Owner) -> None:
    genesis = owner(registry, "bob").genesis()
    places: list[tuple[Callable[[Said], Any], str]] = [
        (lambda body: body, "/extra"),
        (lambda body: body["operation"], "/operation/extra"),
        (lambda body: body["operation"]["keys"][0], "/operation/keys/0/extra"),
    ]
    for place, pointer in places:
        body = json.loads(json.dumps(genesis))
        place(body)["extra"] = 1
        answer = await send(registry, body)
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert [each["pointer"] for each in answer.json["errors"]] == [pointer]
    answer = await ada.say("rotate", add=[], end=[], reason="none")
    assert (answer.code, answer.json["errors"][0]["pointer"]) == ("invalid_request", "/operation/reason")


HOSTILE = (
    (b'{"operation": {"type": "create", "version": NaN}, "signature": "x"}', "malformed_json"),
    (b'{"operation": {"type": "create", "type": "create"}, "signature": "x"}', "malformed_json"),
    (b'{"operation": ' + b"[" * 100 + b"]" * 100 + b', "signature": "x"}', "malformed_json"),
    (b'{"operation": {"type": "create"}, "signature": "\xff"}', "malformed_json"),
    (b'{"operation": [], "signature": "x"}', "invalid_request"),
    (b'{"operation": {"type": "create"}, "signature": null}', "invalid_request"),
    (b'{"operation": {"type": "create"}, "signature": 5}', "invalid_request"),
    (b'{"signature": "x"}', "invalid_request"),
    (b'{"operation": {}, "signature": "x"}', "invalid_operation"),
    (b'{"operation": {"type": "create"}, "signature": "x"}', "invalid_operation"),
    (b'{"operation": {"type": "create", "version": 9007199254740993}, "signature": "x"}', "malformed_json"),
    (b'{"operation": {"type": "cr\\ud800"}, "signature": "x"}', "malformed_json"),
    (b"[]", "invalid_request"),
    (b"", "malformed_json"),
)


async def test_hostile_bodies_are_refused(registry: Registry) -> None:
    for raw, code in HOSTILE:
        answer = await registry.ask("POST", "/dids", raw=raw)
        assert (answer.status, answer.code) == (400, code), f"{raw!r}: {answer.text}"


async def test_a_signature_is_left_out_by_guardians_alone(registry: Registry, ada: Owner) -> None:
    body = {"operation": ada.sign("rotate", add=[], end=[])["operation"]}
    for without in (body, body | {"signature": ""}):
        answer = await send(registry, without, ada.did)
        assert (answer.code, answer.json["errors"][0]["pointer"]) == ("invalid_request", "/signature")
    for path in ("bob", "did:mun:short", "did:web:example.org"):
        assert (await send(registry, body, path)).code == "invalid_request"
