"""A signing key signs what the registry verifies, and its file is for its owner alone."""

from __future__ import annotations

import base64
import copy
import json
import os
import pickle
import stat
import threading

import pytest

from log.signatures import UnsupportedAlgorithm, verify
from log.statements import fact_id, fact_signed_bytes, revocation_signed_bytes, session_signed_bytes
from muniment.signing_key import KeyFileError, KeyFileProblem, SigningKey

subject = {"origin": "feed.ff", "type": "playlist", "ref": "pl-1"}
body = {"issued_at": "2025-10-13T03:00:00.000Z"}

both = pytest.mark.parametrize("alg", ["ed25519", "eip191"])


def written(path, document, mode=0o600):
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    path.chmod(mode)
    return path


def document_of(key, path):
    key.save(path)
    return json.loads(path.read_text())


def refusal_of(path):
    with pytest.raises(KeyFileError) as refusal:
        SigningKey.load(path)
    assert str(path) in str(refusal.value)
    return refusal.value.code


@both
def test_a_saved_key_loads_as_the_same_key(tmp_path, alg):
    key = SigningKey.generate(alg)
    key.save(tmp_path / "a key.json")
    loaded = SigningKey.load(str(tmp_path / "a key.json"))
    assert (loaded.did, loaded.alg, loaded.sign(b"x")) == (key.did, alg, key.sign(b"x"))


def test_a_key_file_has_the_published_members(tmp_path):
    document = document_of(SigningKey(bytes(range(32))), tmp_path / "key")
    assert document == {
        "did": "did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd",
        "alg": "ed25519",
        "private_key_b64": base64.b64encode(bytes(range(32))).decode(),
    }


def test_two_generated_keys_differ():
    assert SigningKey.generate().did != SigningKey.generate().did


@both
def test_a_saved_key_is_readable_by_its_owner_only_whatever_the_umask(tmp_path, alg):
    before = os.umask(0)
    try:
        SigningKey.generate(alg).save(tmp_path / "key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_an_existing_file_is_left_as_it_is(tmp_path):
    SigningKey.generate().save(tmp_path / "key")
    content = (tmp_path / "key").read_bytes()
    with pytest.raises(KeyFileError) as refusal:
        SigningKey.generate().save(tmp_path / "key")
    assert refusal.value.code == KeyFileProblem.EXISTS == "key_file_exists"
    assert (tmp_path / "key").read_bytes() == content
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeyFileError):
        SigningKey.generate().save(tmp_path / "dangling")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dangling", "key"]


def test_of_many_that_save_at_once_one_wins_and_its_file_is_whole(tmp_path):
    keys = [SigningKey.generate() for _ in range(8)]
    start = threading.Barrier(len(keys))
    winners = []

    def save(key):
        start.wait()
        try:
            key.save(tmp_path / "key")
        except KeyFileError as error:
            assert error.code is KeyFileProblem.EXISTS  # noqa: PT017 - raised in a thread
        else:
            winners.append(key.did)

    threads = [threading.Thread(target=save, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert winners == [SigningKey.load(tmp_path / "key").did]
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_a_directory_that_is_not_there_is_named_in_the_refusal(tmp_path):
    with pytest.raises(KeyFileError) as refusal:
        SigningKey.generate().save(tmp_path / "nowhere" / "key")
    assert refusal.value.code is KeyFileProblem.UNWRITABLE


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620, 0o602, 0o610, 0o777])
def test_a_file_that_others_can_reach_is_refused(tmp_path, mode):
    document = document_of(SigningKey.generate(), tmp_path / "key")
    assert refusal_of(written(tmp_path / "open", document, mode)) is KeyFileProblem.EXPOSED


def test_a_file_that_only_its_owner_can_read_is_loaded(tmp_path):
    document = document_of(SigningKey.generate(), tmp_path / "key")
    assert SigningKey.load(written(tmp_path / "read-only", document, 0o400)).did == document["did"]


def test_a_missing_file_a_directory_and_a_pipe_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "directory").mkdir(0o700)
    assert refusal_of(tmp_path / "nothing") is KeyFileProblem.MISSING
    assert refusal_of(tmp_path / "directory") is KeyFileProblem.MALFORMED
    assert refusal_of(tmp_path / "pipe") is KeyFileProblem.MALFORMED


@both
def test_a_did_that_is_not_the_keys_is_refused(tmp_path, alg):
    document = document_of(SigningKey.generate(alg), tmp_path / "key")
    other = document_of(SigningKey.generate(alg), tmp_path / "other")
    swapped = {**document, "did": other["did"]}
    assert refusal_of(written(tmp_path / "swapped", swapped)) is KeyFileProblem.MISMATCH


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "bbs+"},
        {"alg": None},
        {"alg": []},
        {"private_key_b64": ""},
        {"private_key_b64": 7},
        {"private_key_b64": "é"},
        {"private_key_b64": "A" * 44},
        {"private_key_b64": base64.b64encode(bytes(31)).decode()},
        {"private_key_b64": base64.b64encode(bytes(64)).decode()},
        {"private_key_b64": bytes(32).hex()},
        {"more": 1},
    ],
    ids=repr,
)
def test_a_key_file_with_a_wrong_member_is_malformed(tmp_path, change):
    document = document_of(SigningKey.generate(), tmp_path / "key")
    assert refusal_of(written(tmp_path / "wrong", {**document, **change})) is KeyFileProblem.MALFORMED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"[" * 4096,
        b"{" * 5000,
        b'{"did":1,"did":1}',
        b'{"did":1}',
        b" " * 5000,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_file_that_is_no_key_file_is_malformed(tmp_path, content):
    assert refusal_of(written(tmp_path / "wrong", content)) is KeyFileProblem.MALFORMED


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32], ids=["zero", "above the order"])
def test_a_number_that_is_no_ethereum_key_is_refused(tmp_path, secret):
    with pytest.raises(ValueError, match=r"."):
        SigningKey(secret, "eip191")
    document = {
        "did": "did:pkh:eip155:1:0x" + "0" * 40,
        "alg": "eip191",
        "private_key_b64": base64.b64encode(secret).decode(),
    }
    assert refusal_of(written(tmp_path / "wrong", document)) is KeyFileProblem.MALFORMED


def test_a_key_of_another_size_or_algorithm_is_refused():
    for size in (0, 31, 33, 64):
        with pytest.raises(ValueError, match="32 bytes"):
            SigningKey(bytes(size))
    with pytest.raises(UnsupportedAlgorithm):
        SigningKey(bytes(32), "bbs+")  # type: ignore[arg-type]


@both
def test_the_secret_never_shows(tmp_path, alg):
    secret = bytes(range(1, 33))
    key = SigningKey(secret, alg)
    document = document_of(key, tmp_path / "key")
    traces = [repr(key), str(key), f"{key}", f"{key!r}", repr([key]), repr(key.sign)]
    written(tmp_path / "wrong", {**document, "did": "did:key:z6Mk"})
    for path in (tmp_path / "wrong", written(tmp_path / "open", document, 0o644)):
        with pytest.raises(KeyFileError) as refusal:
            SigningKey.load(path)
        traces += [str(refusal.value), repr(refusal.value)]
    for trace in traces:
        for form in (base64.b64encode(secret).decode(), secret.hex(), repr(secret)):
            assert form not in trace
    assert not hasattr(key, "__dict__")


def test_a_key_is_not_copied_by_pickling():
    key = SigningKey.generate()
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.deepcopy(key)


@both
def test_a_signed_fact_is_the_body_of_the_request_and_verifies(alg):
    key = SigningKey.generate(alg)
    fact = key.sign_fact("endorsement.star", subject, body)
    assert fact.keys() == {"kind", "subject", "issuer_did", "body", "alg", "signature"}
    signed_bytes = fact_signed_bytes(kind="endorsement.star", subject=subject, issuer_did=key.did, body=body)
    verify(alg, key.did, signed_bytes, fact["signature"])
    assert fact_id(signed_bytes) == fact_id(
        fact_signed_bytes(kind=fact["kind"], subject=fact["subject"], issuer_did=fact["issuer_did"], body=fact["body"])
    )


@both
def test_signing_the_same_fact_again_gives_the_same_request(alg):
    key = SigningKey.generate(alg)
    assert key.sign_fact("endorsement.star", subject, body) == key.sign_fact(
        "endorsement.star", dict(subject), dict(body)
    )


@both
@pytest.mark.parametrize("reason", [None, "", "a mistake"])
def test_a_signed_revocation_verifies_and_leaves_out_an_absent_reason(alg, reason):
    key = SigningKey.generate(alg)
    revocation = key.sign_revocation("fct_a", reason)
    assert ("reason" in revocation) == (reason is not None)
    signed_bytes = revocation_signed_bytes(fact_id="fct_a", issuer_did=key.did, reason=reason)
    verify(alg, key.did, signed_bytes, revocation["signature"])


@both
def test_a_signed_session_names_its_did_and_nonce_and_verifies(alg):
    key = SigningKey.generate(alg)
    session = key.sign_session("http://127.0.0.1:8080", key.did, "nonce")
    assert (session["did"], session["nonce"], session["alg"]) == (key.did, "nonce", alg)
    signed_bytes = session_signed_bytes(issuer="http://127.0.0.1:8080", did=key.did, nonce="nonce")
    verify(alg, key.did, signed_bytes, session["signature"])
