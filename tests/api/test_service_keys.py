"""Service keys: files that only their owner reads, rotated with an overlap, in which nobody is turned away."""

import asyncio
import base64
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from api import service_key_files, service_keys
from api.service_key_files import FILES, keep_fresh, keys_kept_in, make_key_file, read_key_file, read_key_files, rotate
from api.service_keys import (
    JWKS_MAX_AGE_S,
    OVERLAP_S,
    REREAD_EVERY_S,
    SIGNS_AFTER_S,
    InvalidServiceKey,
    ServiceKey,
    ServiceKeys,
    service_key,
    service_key_of_text,
    service_keys_of_text,
)
from api.session_tokens import SESSION_LIFETIME_S, Sessions, UsedNoncesInProcess
from log import jwks
from log.jwks import KEYS_GOOD_FOR_S, REFETCH_EVERY_S, KeySet
from tests.api.serving import ISSUER, Registry, key

AUDIENCE = "muniment"
BEGAN = int(time.time())
ENOUGH = 50


def claims() -> dict[str, Any]:
    """Give the claims of a token that lasts, whatever a test does to the clocks."""
    ends = BEGAN + 100_000
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": key(1).did, "iat": BEGAN, "exp": ends, "jti": "j", "roles": []}


def sessions_of(folder: Path) -> Sessions:
    """Give what one more api process checks tokens by."""
    return Sessions(keys_kept_in(folder), ISSUER, UsedNoncesInProcess())


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


class Clock:
    """Both of Python's clocks, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moved_s, wall, steady = 0.0, time.time, time.monotonic
        monkeypatch.setattr("api.service_keys.time.time", lambda: wall() + self.moved_s)
        monkeypatch.setattr("api.service_keys.time.monotonic", lambda: steady() + self.moved_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_the_spans_are_in_the_order_that_nobody_is_turned_away_by() -> None:
    assert SIGNS_AFTER_S + SESSION_LIFETIME_S + max(JWKS_MAX_AGE_S, KEYS_GOOD_FOR_S) + REREAD_EVERY_S < OVERLAP_S
    assert SIGNS_AFTER_S > REREAD_EVERY_S + REFETCH_EVERY_S


def test_a_key_file_is_private_and_its_content_checked(tmp_path: Path) -> None:
    made = make_key_file(tmp_path / "keys")
    (path,) = (tmp_path / "keys").glob(FILES)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key_file(path).kid == made.kid
    seed = base64.b64encode(made.private.private_bytes_raw()).decode()
    assert seed in path.read_text()
    assert seed not in repr(made)
    path.chmod(0o644)
    with pytest.raises(InvalidServiceKey, match="chmod 600"):
        read_key_file(path)
    path.chmod(0o600)
    for content in (b"", b"[]", b"{}", b'{"made_at":1,"seed_b64":"!"}', b'{"made_at":1,"seed_b64":"AAAA"}'):
        path.write_bytes(content)
        with pytest.raises(InvalidServiceKey):
            read_key_file(path)
    with pytest.raises(InvalidServiceKey):
        ServiceKeys([])
    with pytest.raises(InvalidServiceKey):
        rotate(tmp_path)
    with pytest.raises(InvalidServiceKey):
        rotate(tmp_path / "none")


def test_keys_of_the_environment_sign_with_the_first_and_accept_all() -> None:
    with pytest.raises(InvalidServiceKey) as refused:
        service_key_of_text("c2VjcmV0")
    assert "c2VjcmV0" not in str(refused.value)
    texts = [base64.b64encode(bytes([number] * 32)).decode() for number in (1, 2)]
    new, old = (service_key(bytes([number] * 32)).kid for number in (1, 2))
    keys = ServiceKeys(service_keys_of_text(", ".join(texts)))
    assert kid_of(keys.sign(claims())) == new
    assert {each.kid for each in keys.valid()} == {new, old}
    earlier = ServiceKeys(service_keys_of_text(texts[1])).sign(claims())
    assert keys.verified(earlier, issuer=ISSUER, audience=AUDIENCE, leeway_s=0)["jti"] == "j"


def test_a_new_key_is_published_before_it_signs_and_the_old_one_until_long_after(tmp_path: Path, clock: Clock) -> None:
    one, other = sessions_of(tmp_path), sessions_of(tmp_path)
    before = one.keys.sign(claims())
    made, _ = rotate(tmp_path)
    clock.moved_s += REREAD_EVERY_S + 0.1
    assert [each["kid"] for each in one.keys.jwks()["keys"]] == [kid_of(before), made.kid]  # type: ignore[index, union-attr, call-overload]
    assert kid_of(one.keys.sign(claims())) == kid_of(before)
    clock.moved_s += SIGNS_AFTER_S
    after = one.keys.sign(claims())
    assert kid_of(after) == made.kid
    for each in (one, other):
        assert each.caller(before) is not None
        assert each.caller(after) is not None
    clock.moved_s += OVERLAP_S
    assert [each.kid for each in one.keys.valid()] == [made.kid]
    assert one.caller(before) is None


def test_a_process_that_meets_a_key_it_does_not_know_reads_the_files_but_seldom(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = sessions_of(tmp_path), sessions_of(tmp_path)
    rotate(tmp_path, take_back=True)
    clock.moved_s += 1.0
    sent = keys_kept_in(tmp_path).sign(claims())
    assert other.caller(sent) is not None
    reads = 0

    def counted(folder: Path) -> Any:
        nonlocal reads
        reads += 1
        return read_key_files(folder)

    monkeypatch.setattr(service_key_files, "read_key_files", counted)
    for number in range(200):
        assert one.caller(jwt.encode(claims(), service_key(bytes(32)).private, "EdDSA", {"kid": str(number)})) is None
    assert reads <= 2


def test_a_key_that_was_stolen_is_taken_back_with_its_sessions(tmp_path: Path, clock: Clock) -> None:
    sessions = sessions_of(tmp_path)
    sent = sessions.keys.sign(claims())
    assert sessions.caller(sent) is not None
    made, rotated = rotate(tmp_path, take_back=True)
    assert [each.kid for each in rotated.retired] == [kid_of(sent)]
    clock.moved_s += REREAD_EVERY_S + 0.1
    assert sessions.caller(sent) is None
    assert kid_of(sessions.keys.sign(claims())) == made.kid


def test_an_old_key_is_followed_by_itself_and_goes_once_its_overlap_is_over(tmp_path: Path) -> None:
    day, now = 86_400.0, time.time()
    assert keep_fresh(tmp_path, 30 * day) == (None, ())
    assert list(tmp_path.iterdir()) == []
    first = make_key_file(tmp_path, now)
    assert keep_fresh(tmp_path, 30 * day, now + 29 * day) == (None, [])
    made, retired = keep_fresh(tmp_path, 30 * day, now + 30 * day)
    assert made is not None
    assert retired == []
    assert keep_fresh(tmp_path, 30 * day, now + 30 * day + OVERLAP_S - 1) == (None, [])
    assert len(list(tmp_path.glob(FILES))) == 2
    _, retired = keep_fresh(tmp_path, 30 * day, now + 30 * day + OVERLAP_S)
    assert [each.kid for each in retired] == [first.kid]
    assert [read_key_file(path).kid for path in tmp_path.glob(FILES)] == [made.kid]


def test_a_clock_that_was_put_back_makes_no_older_key_the_next(tmp_path: Path) -> None:
    first = make_key_file(tmp_path, time.time() + 3_600)
    made, _ = rotate(tmp_path)
    assert [each.kid for each in read_key_files(tmp_path)] == [first.kid, made.kid]


class Crash(BaseException):
    """The end of a process, in the middle of what it does."""


def crash(*_args: Any, **_kwargs: Any) -> Any:
    raise Crash


CRASHES: dict[str, tuple[Any, str]] = {
    "before the draft is written": (os, "open"),
    "before the draft is durable": (os, "fsync"),
    "before the draft counts": (Path, "rename"),
    "before the new name is durable": (service_key_files, "sync"),
    "before the old one goes": (Path, "unlink"),
}


@pytest.mark.parametrize("step", CRASHES)
def test_a_crash_between_any_two_steps_leaves_keys_that_hold(
    tmp_path: Path, step: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    oldest = make_key_file(tmp_path, now - 2 * OVERLAP_S)
    make_key_file(tmp_path, now - OVERLAP_S - 1)
    sessions = sessions_of(tmp_path)
    sent = sessions.keys.sign(claims())
    assert oldest.kid not in {each.kid for each in sessions.keys.valid()}
    with monkeypatch.context() as broken:
        broken.setattr(*CRASHES[step], crash)
        with pytest.raises(Crash):
            rotate(tmp_path)
    for started in (sessions, sessions_of(tmp_path)):
        clock.moved_s += REREAD_EVERY_S + 0.1
        assert started.caller(sent) is not None
        assert started.caller(started.keys.sign(claims())) is not None
        assert oldest.kid not in {each.kid for each in started.keys.valid()}
    old = time.time() - 1_000
    for draft in tmp_path.glob(".service-*"):
        os.utime(draft, (old, old))
    made, _ = rotate(tmp_path)
    assert list(tmp_path.glob(".service-*")) == []
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    assert oldest.kid not in {each.kid for each in read_key_files(tmp_path)}
    clock.moved_s += SIGNS_AFTER_S + REREAD_EVERY_S
    assert sessions.caller(sent) is not None
    assert kid_of(sessions.keys.sign(claims())) == made.kid


def test_files_that_can_not_be_read_for_a_while_change_nothing(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = sessions_of(tmp_path)
    sent = sessions.keys.sign(claims())
    made, _ = rotate(tmp_path)
    path = tmp_path / f"service-{made.kid}.json"
    path.chmod(0o644)
    clock.moved_s += REREAD_EVERY_S + 0.1
    assert sessions.caller(sent) is not None
    assert [each.kid for each in sessions.keys.valid()] == [kid_of(sent)]
    assert "service_keys_unreadable" in caplog.text
    assert base64.b64encode(made.private.private_bytes_raw()).decode() not in caplog.text
    path.chmod(0o600)
    clock.moved_s += REREAD_EVERY_S + 0.1
    assert made.kid in {each.kid for each in sessions.keys.valid()}


def test_two_that_rotate_at_once_wait_for_each_other(tmp_path: Path) -> None:
    make_key_file(tmp_path, time.time() - 100_000)

    async def both() -> list[Any]:
        return await asyncio.gather(*(asyncio.to_thread(keep_fresh, tmp_path, 86_400.0) for _ in range(8)))

    made = [each.made for each in asyncio.run(both()) if each.made is not None]
    assert len(made) == 1


async def test_keys_rotate_under_load_without_one_request_refused(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The spans are the real ones in small, so that a whole rotation passes while requests go on.
    monkeypatch.setattr(service_keys, "REREAD_EVERY_S", 0.05)
    monkeypatch.setattr(service_keys, "SIGNS_AFTER_S", 0.4)
    monkeypatch.setattr(jwks, "REFETCH_EVERY_S", 0.2)
    registry.api.sessions = sessions_of(tmp_path)
    other = sessions_of(tmp_path)
    elsewhere = KeySet(ISSUER, published(other.keys.jwks))
    signed_by: list[str] = []
    refused: list[Any] = []
    made: list[ServiceKey] = []

    async def client(number: int) -> None:
        mine = key(500 + number)
        while not made or signed_by.count(made[0].kid) < ENOUGH:
            given = await registry.ask("POST", "/auth/nonce", {"did": mine.did})
            signed = mine.sign_session(given.json["issuer"], mine.did, given.json["nonce"])
            opened = await registry.ask("POST", "/auth/session", signed)
            if opened.status != 201:
                refused.append(opened.text)
                continue
            sent = opened.json["token"]
            signed_by.append(kid_of(sent))
            shown = await registry.ask("GET", "/auth/session", headers={"Authorization": f"Bearer {sent}"})
            if shown.status != 200 or other.caller(sent) is None or await elsewhere.admit(sent) is None:
                refused.append((shown.text, kid_of(sent)))

    async def rotating() -> None:
        while len(signed_by) < ENOUGH:
            await asyncio.sleep(0.01)
        made.append((await asyncio.to_thread(rotate, tmp_path))[0])

    async with asyncio.timeout(30):
        await asyncio.gather(rotating(), *(client(number) for number in range(4)))
    assert refused == []
    assert len(set(signed_by)) == 2


def published(keys: Callable[[], Any]) -> Callable[[], Any]:
    async def fetch() -> Any:
        return keys()

    return fetch
