"""What the command line says of itself, and of calls that make no sense."""

import argparse
import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.cli import NOUNS, main, parser
from muniment.signing_key import SigningKey
from tests.cli.running import muniment

pytestmark = pytest.mark.slow


def leaves(tree: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Walk the verbs that do something."""
    below = [action for action in tree._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield path
    for action in below:
        for name, child in action.choices.items():
            yield from leaves(child, (*path, name))


VERBS = sorted(leaves(parser()))


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_explains_itself_and_knows_json(verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*verb, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "--json" in said
    assert said.startswith(f"usage: muniment {' '.join(verb)}")


def test_each_verb_is_loaded_with_the_module_that_adds_it() -> None:
    for module, added in NOUNS.items():
        for verb in added:
            tree = parser(verb)
            assert {path[0] for path in leaves(tree)} == set(added), module


def test_the_verbs_of_the_contract_are_all_there() -> None:
    named = {
        ("up",), ("api",), ("decide",), ("project",), ("react",), ("feed",), ("keygen",), ("health",), ("rebuild",),
        ("keys", "rotate"), ("schemas", "put"), ("schemas", "show"), ("erase",),
        *(("records", verb) for verb in ("put", "post", "show", "list", "delete")),
        *(("media", verb) for verb in ("upload", "show", "download")),
        ("audit",), ("export",), ("commands", "show"), ("playlists", "post"), ("signers", "add"), ("webhooks", "add"),
        ("publish",), ("job",), ("proof",), ("story",), ("verify-record",), ("devnet", "mine"), ("devnet", "reorg"),
        *(("publishers", verb) for verb in ("keygen", "register", "list", "remove")),
        *(("pool", verb) for verb in ("show", "fund", "split")),
        *(("did", verb) for verb in ("create", "show", "rotate", "revoke", "recover", "guardians", "handle", "log")),
        *(("ledger", verb) for verb in ("transfer", "balance", "statement", "stake", "unstake", "vote", "propose")),
        *(("ledger", verb) for verb in ("supply", "register", "agent", "agents", "stakes", "proposals")),
        *(("ledger", verb) for verb in ("frame", "open", "change", "invite", "pay", "claim", "cancel", "payment")),
        *(("facts", verb) for verb in ("star", "unstar", "issue", "batch", "revoke", "show", "list", "history")),
    }  # fmt: skip
    assert named <= set(VERBS)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("facts",),
        ("facts", "star"),
        ("facts", "star", "pl", "--jso"),
        ("signers", "add", "did:key:z6Mk", "king"),
        ("rebuild", "everything"),
        ("feed",),
        ("facts", "list", "--limit", "0"),
        ("facts", "issue", "k", "--origin", "o", "--type", "t", "--ref", "r", "--body", "{"),
        ("audit", "--from-log", "--from-export", "x"),
        ("did",),
        ("did", "create", "key.json", "--backups", "5"),
        ("did", "rotate", "key.json"),
        ("did", "revoke", "main", "--reason", "bored", "--rotation", "keys"),
        ("ledger",),
        *(("ledger", "transfer", "acc_a", "acc_b", amount) for amount in ("0", "-1", "-0.5", "1e3", " 1", "1.2345678")),
        ("ledger", "stake", "acc_a", "1", "--lock", "31"),
        ("ledger", "vote", "prp_a", "maybe"),
        ("ledger", "propose", "one", "t", "--value", "3"),
        ("ledger", "propose", "one", "t", "--parameter", "genesis.grant", "--value", "1e3"),
        ("ledger", "propose", "one", "t", "--seconds", "9", "--days", "3"),
        ("ledger", "pay", "acc_a", "acc_b", "1", "--seconds", "0"),
        ("ledger", "open", "one", "--genesis", "5", "--no-genesis"),
        ("ledger", "open", "one", "--premium", "31=100"),
        ("ledger", "change", "one"),
        ("ledger", "invite", "one", "--count", "0"),
        ("ledger", "agent", "one", "did:key:z6Mk", "/does/not/exist"),
        ("ledger", "propose", "one", "t", "--days", "3", "--ends-at", "2026-01-02T03:04:05Z"),
        ("audit", "--from-export", "/does/not/exist"),
        ("records",),
        ("records", "show", "org.example.post"),
        ("records", "show", "mun://org.example.post/a"),
        ("records", "post", "org.example.post", "{"),
        ("records", "put", "org.example.post/a", "1", "--if-match", "sha256-a", "--if-none-match"),
        ("schemas", "put", "org.example.post", "/does/not/exist"),
        ("media", "upload", "a file without a type"),
        ("erase", "did:key:z6Mk", "--confirm", "did:key:z6Mk2"),
    ],
)
def test_wrong_usage_ends_with_status_2_and_says_why(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = ended.code  # type: ignore[assignment]  # argparse ends with a number
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert said.err.strip()


@pytest.mark.parametrize(
    "arguments", [(), ("up", "--port", "0"), ("up", "--port", "x"), ("up", "--partitions", "0"), ("decide",)]
)
def test_a_process_that_makes_no_sense_starts_nothing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = muniment(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_verb_without_a_registry_ends_with_status_1_and_a_code(tmp_path: Path) -> None:
    done = muniment("facts", "list", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("muniment: not_running: ")
    done = muniment("facts", "list", "--url", "http://127.0.0.1:1", "--json", MUNIMENT_DATA=str(tmp_path))
    assert done.returncode == 1
    assert json.loads(done.stderr)["code"] == "unreachable"


def test_keygen_writes_a_key_that_only_its_owner_reads_and_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    done = muniment("keygen", str(path), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert SigningKey.load(path).did == said["did"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "private_key_b64" not in done.stdout
    again = muniment("keygen", str(path))
    assert again.returncode == 1
    assert "key_file_exists" in again.stderr


def test_up_on_a_port_in_use_starts_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = muniment("up", "--port", str(taken.getsockname()[1]), "--data", str(tmp_path / "data"))
    assert done.returncode == 1
    assert done.stderr.startswith("muniment: port_in_use: ")
    assert not (tmp_path / "data").exists()


def test_a_fact_in_a_file_is_verified_without_any_registry(tmp_path: Path) -> None:
    key = SigningKey.generate()
    signed = key.sign_fact("endorsement.star", {"origin": "o", "type": "playlist", "ref": "r"}, {"issued_at": "now"})
    from log.canonical import canonical_hash

    fact = {**signed, "body_hash": canonical_hash(signed["body"])}
    path = tmp_path / "fact.json"
    path.write_text(json.dumps(fact))
    done = muniment("facts", "verify", str(path), "--json")
    assert (done.returncode, json.loads(done.stdout)["verified"]) == (0, True)
    path.write_text(json.dumps({**fact, "body": {"issued_at": "then"}}))
    done = muniment("facts", "verify", str(path), "--json")
    assert (done.returncode, json.loads(done.stdout)["verified"]) == (1, False)
    assert muniment("facts", "verify", str(path)).returncode == 1


def test_what_others_wrote_cannot_command_a_terminal() -> None:
    from muniment.cli_output import shown

    assert shown("a\x1b[2Jb\r\n\u202ec\x9b") == "a\ufffd[2Jb\ufffd\ufffd\ufffdc\ufffd"
