"""The form of an intent: each member that is missing, not known, or not as it must be is named by its place."""

import base64
import copy
import json
from typing import Any

import pytest

from api.publish_requests import OWNERS_MAX, RECORD_ID_MAX, URI_MAX
from api.shapes import TEXT_MAX
from tests.api_publishing.publishing_house import PublishingHouse, nonce, pubkey, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")

ABSENT = object()
MEMBERS = (
    *("/protocol", "/version", "/record", "/signer", "/signature", "/signer/pubkey"),
    *("/signature/alg", "/signature/hash", "/signature/sig"),
    *("/record/type", "/record/assetId", "/record/recordId", "/record/owners", "/record/distribution"),
    *("/record/terms", "/record/timestamp", "/record/nonce"),
)
LONG = "x" * (TEXT_MAX + 1)
CONTROL = "a\u0007b"
OFF_THE_CURVE = "02" + "0" * 63 + "5"
"""x = 5 has no y on secp256k1."""
WRONG: list[tuple[str, Any]] = [
    *((member, ABSENT) for member in MEMBERS),
    *((member, None) for member in MEMBERS),
    *((member, 5) for member in MEMBERS if member != "/version"),
    *((member, []) for member in MEMBERS),
    *((f"{holder}/more", 1) for holder in ("", "/record", "/signer", "/signature")),
    *(("/protocol", value) for value in ("SL-DRM", "sl-drm ", "", "sl-drm2")),
    *(("/version", value) for value in (0, 2, "1", True, 1.5, 10**9)),
    *(("/signature/alg", value) for value in ("ES256K", "BSV-ECDSA-SECP256K1", "")),
    *(("/signature/hash", value) for value in ("sha512", "SHA256", "")),
    *(("/signature/sig", value) for value in ("", "!", "a b", "A" * 101, "====", "é")),
    *((f"/record/{name}", value) for name in ("type", "assetId") for value in ("", LONG, CONTROL)),
    *(("/record/recordId", value) for value in ("", "x" * (RECORD_ID_MAX + 1), CONTROL, "\u0085")),
    *(("/record/owners", value) for value in ([], {}, [{}] * (OWNERS_MAX + 1))),
    *(("/record/owners/1", value) for value in ("Wren", None, 1, [])),
    *((f"/record/{name}", value) for name in ("distribution", "terms") for value in ("", [{}], True)),
    *(
        ("/record/timestamp", value)
        for value in (
            *("", "2026-01-01", "2026-01-01T12:00:00", "2026-01-01 12:00:00Z", "2026-02-30T12:00:00Z"),
            *("2026-01-01T12:00:00+24:00", "2026-01-01T12:00:00+0100", "2026-01-01T25:00:00Z", "now", "1" * 65),
            *("2026-01-01T12:00:00Z\n", "٢٠٢٦-01-01T12:00:00Z", "0000-01-01T12:00:00Z", "1767268800000"),
        )
    ),
    *(
        ("/record/nonce", value)
        for value in (
            *("", nonce(15), nonce(1), base64.b64encode(bytes(65)).decode(), base64.b64encode(bytes(66)).decode()),
            *(nonce(16)[:-2], nonce(16)[:-1], nonce(16) + "=", " " + nonce(16), nonce(16) + "\n"),
            *("AAAAAAAAAAAAAAAAAAAAAB==", "_" * 22 + "==", "-" * 24, "0" * 32 + "é"),
        )
    ),
    *(
        ("/record/uri", value)
        for value in (
            *("", "http://example.test/", "ftp://example.test/", "HTTPS://example.test/", "https:example.test"),
            *("https://", "https:///path", "//example.test/", "example.test", "https://a b/", "https://[::1/"),
            *("https://example.test/" + "x" * URI_MAX, "https://example.test/\u0000", None, 5, ["https://a.test/"]),
        )
    ),
    *(
        ("/signer/pubkey", value)
        for value in (
            *("", "02", pubkey("wren")[:-1], pubkey("wren") + "0", pubkey("wren").upper(), "04" + pubkey("wren")[2:]),
            *("0x" + pubkey("wren")[2:], OFF_THE_CURVE, "02" + "f" * 64, "02" + "0" * 64, "0g" + pubkey("wren")[2:]),
            *("02" + "é" * 64, pubkey("wren")[:-1] + "\n"),
        )
    ),
]


def changed(intent: Any, pointer: str, value: Any) -> Any:
    """Change a member of an intent, or leave it out."""
    made = copy.deepcopy(intent)
    *path, last = pointer.split("/")[1:]
    holder = made
    for part in path:
        holder = holder[part]
    if value is ABSENT:
        del holder[last]
    else:
        holder[int(last) if isinstance(holder, list) else last] = value
    return made


@pytest.fixture(scope="module")
def intent(desk: PublishingHouse) -> Any:
    """Give an intent whose form holds; the rest of it doesn't, which comes later."""
    made = signed("nobody", desk.record())
    made["signature"]["sig"] = signed("somebody else", made["record"])["signature"]["sig"]
    return made


async def test_every_member_that_is_not_as_it_must_be_is_named_and_nothing_is_appended(
    desk: PublishingHouse, intent: Any
) -> None:
    assert (await desk.publish(intent)).code == "invalid_signature"
    before, amiss = desk.registry.appended(), []
    for pointer, value in WRONG:
        answer = await desk.publish(changed(intent, pointer, value))
        pointers = [each["pointer"] for each in (answer.json or {}).get("errors", ())]
        if (answer.status, answer.code) != (400, "invalid_request") or not pointers[0].startswith(pointer):
            amiss.append((pointer, value, answer.text))
    assert not amiss
    assert desk.registry.appended() == before


async def test_what_is_at_its_bounds_is_well_formed(desk: PublishingHouse, intent: Any) -> None:
    fine: list[tuple[str, Any]] = [
        *(("/record/nonce", nonce(size)) for size in (16, 17, 18, 63, 64)),
        *(("/record/recordId", value) for value in ("x", "x" * RECORD_ID_MAX, "\U0001f426" * RECORD_ID_MAX, "a/%2F b")),
        ("/record/owners", [{}] * OWNERS_MAX),
        ("/record/type", "x" * TEXT_MAX),
        ("/record/uri", "https://example.test/" + "x" * (URI_MAX - 21)),
        *(("/record/uri", value) for value in ("https://é.test/ü?a=b#c", "https://[::1]:8/", "https://user@a.test")),
        *(("/record/timestamp", value) for value in ("2026-01-01t12:00:00z", "2026-01-01T12:00:00.123456789-23:59")),
        *((f"/record/{name}", {}) for name in ("distribution", "terms")),
    ]
    for pointer, value in fine:
        answer = await desk.publish(changed(intent, pointer, value))
        assert answer.code == "invalid_signature", (pointer, value, answer.text)


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b"\xef\xbb\xbf{}", 400, "malformed_json"),
        (b'{"a": 1, "a": 2}', 400, "malformed_json"),
        (b'{"a": "\\ud800"}', 400, "malformed_json"),
        (b'{"a": "\xed\xa0\x80"}', 400, "malformed_json"),
        (b'{"a": NaN}', 400, "malformed_json"),
        (b'{"a": 9007199254740992}', 400, "malformed_json"),
        (b'{"a": 1e400}', 400, "malformed_json"),
        (b'{"a": 1e16}', 400, "malformed_json"),
        (b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", 400, "malformed_json"),
        (b'{"a": ' + b"[" * 63 + b"]" * 63 + b"}", 400, "invalid_request"),
        (b"[" * 100_000, 400, "malformed_json"),
        (b"[]", 400, "invalid_request"),
        (b"null", 400, "invalid_request"),
        (b'"' + b"x" * ((1 << 20) - 2) + b'"', 400, "invalid_request"),
        (b'"' + b"x" * ((1 << 20) - 1) + b'"', 413, "payload_too_large"),
    ],
    ids=lambda value: repr(value)[:24] if isinstance(value, bytes) else None,
)
async def test_a_body_is_strict_json_of_at_most_a_mebibyte(
    desk: PublishingHouse, raw: bytes, status: int, code: str
) -> None:
    answer = await desk.registry.ask("POST", "/v1/publish", raw=raw)
    assert (answer.status, answer.code) == (status, code), answer.text


async def test_a_body_says_that_it_is_json_and_a_query_has_no_more_than_is_known(
    desk: PublishingHouse, intent: Any
) -> None:
    raw = json.dumps(intent).encode()
    for kind in ("text/plain", "application/json; charset=latin-1", "application/cbor"):
        answer = await desk.registry.ask("POST", "/v1/publish", raw=raw, headers={"Content-Type": kind})
        assert (answer.status, answer.code) == (415, "unsupported_media_type")
    for query in ("?priority=later", "?priority=", "?priority=now&priority=now", "?dry_run=1", "?more=1"):
        assert (await desk.publish(intent, query)).code == "invalid_request", query
    for key in ("", "x" * 256, "é"):
        assert (await desk.publish(intent, Idempotency_Key=key)).code == "invalid_request", key


async def test_a_record_is_free_in_its_owners_distribution_and_terms(desk: PublishingHouse) -> None:
    await desk.register("free")
    deep: Any = {}  # 64 levels with the body's
    for _ in range(59):
        deep = {"deeper": deep}
    free = {"": [None, True, -0.0, 1e-7, 9007199254740991, "\u0000\u2028\U0001f426"], "\ufb33": 1, "\U0001f600": deep}
    record = desk.record(owners=[free], distribution={"a": 1.5, "b": {}}, terms={"x": []}, uri="https://é.test/")
    for der in (True, False):
        answer = await desk.publish(signed("free", record, der=der))
        assert answer.status == 202, answer.text


async def test_a_record_of_nearly_a_mebibyte_is_queued(desk: PublishingHouse) -> None:
    await desk.register("long")
    record = desk.record(terms={"text": "x" * ((1 << 20) - 1_500)})
    answer = await desk.publish(signed("long", record))
    assert answer.status == 202, answer.text


async def test_a_record_that_is_much_longer_in_its_canonical_form_is_too_large(desk: PublishingHouse) -> None:
    await desk.register("short")
    record = desk.record(terms={"numbers": [9e15] * 62_000})
    made = signed("short", record)
    raw = json.dumps(made).replace("9000000000000000.0", "9e15").encode()
    assert len(raw) < 1 << 20
    answer = await desk.registry.ask("POST", "/v1/publish", raw=raw)
    assert (answer.status, answer.code) == (413, "payload_too_large"), answer.text
