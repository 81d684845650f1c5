"""BSV's library for JavaScript, which shares nothing with this project, lets our transactions spend what they spend."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from log.bitcoin import BitcoinTransaction, Output, read_transaction
from log.merkle_path import bump_of, merkle_root
from processors.anchor_transactions import Signed, Spend, anchoring, splitting
from tests.processors.pool_outputs import contents, key_of, spends_of

pytestmark = pytest.mark.slow  # it installs the library, and starts node

HERE: Final = Path(__file__).with_name("bsv_interpreter")
INSTALL_TIMEOUT_S: Final = 180.0
RUN_TIMEOUT_S: Final = 60.0
TXID: Final = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"


@pytest.fixture(scope="module")
def interpreter(pytestconfig: pytest.Config) -> Path:
    """Install the library that the lock names, once, into pytest's cache."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm run the interpreter, and aren't here")
    cache = pytestconfig.cache
    assert cache is not None
    folder = cache.mkdir("bsv_interpreter")
    lock = HERE / "package-lock.json"
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        for each in HERE.iterdir():
            shutil.copy(each, folder)
        run = subprocess.run(
            ["npm", "ci"], cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
        if run.returncode:
            pytest.skip("npm can't install @bsv/sdk here")
        shutil.copy(lock, installed)
    shutil.copy(HERE / "interpret.mjs", folder)
    return folder


def case(raw: bytes, spends: list[Spend]) -> dict[str, Any]:
    return {
        "raw": raw.hex(),
        "spent": [{"satoshis": spend.satoshis, "script": spend.script.hex()} for spend in spends],
    }


def interpreted(folder: Path, transactions: list[dict[str, Any]], paths: list[dict[str, str]]) -> dict[str, Any]:
    run = subprocess.run(
        ["node", "interpret.mjs"],
        cwd=folder,
        input=json.dumps({"transactions": transactions, "paths": paths}),
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def changed(signed: Signed) -> bytes:
    """Give a transaction's bytes with a bit of the first anchored content flipped."""
    transaction = read_transaction(signed.raw)
    first, *others = transaction.outputs
    other = Output(first.satoshis, first.script[:-1] + bytes([first.script[-1] ^ 1]))
    return BitcoinTransaction(transaction.inputs, [other, *others], transaction.version, transaction.lock_time).raw


def test_our_transactions_pass_there_and_a_changed_one_does_not(interpreter: Path) -> None:
    key = key_of("wren")
    one, five = spends_of(key, 100_000), spends_of(key, *[20_000] * 5)
    single = anchoring(key, one, contents(1), 100)
    passing = [
        case(single.raw, one),
        case(anchoring(key, one, contents(500), 100).raw, one),
        case(anchoring(key, five, contents(20), 100).raw, five),
        case(splitting(key, five, 60, 1_500, 100).raw, five),
    ]
    failing = [
        case(changed(single), one),
        case(single.raw, [one[0]._replace(satoshis=one[0].satoshis + 1)]),
        case(single.raw, [one[0]._replace(script=key_of("lark").script)]),
    ]
    block = [f"{number:064x}" for number in range(1, 8)]
    paths = [{"bump": bump_of(9, block, txid).hex(), "txid": txid} for txid in block]
    paths.append({"bump": bump_of(0, [TXID], TXID).hex(), "txid": TXID})
    found = interpreted(interpreter, [*passing, *failing], paths)
    assert found["transactions"] == [*([True] * len(each["spent"]) for each in passing), *[[False]] * len(failing)]
    assert found["paths"] == [*[merkle_root(block)] * len(block), TXID]


def test_the_lock_names_no_index_and_pins_the_library_by_hash() -> None:
    text = (HERE / "package-lock.json").read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    assert all("resolved" not in each for each in packages.values())
    assert all(each["integrity"].startswith("sha512-") for name, each in packages.items() if name)
