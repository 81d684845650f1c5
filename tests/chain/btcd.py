"""A real node for tests: btcd, built from its Go module once, alone on its own regression test network."""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from muniment.stack.jars import cache_directory

VERSION = "v0.26.2"
BUILT = cache_directory() / f"btcd-{VERSION}" / "btcd"
"""Beside the broker's files: a minute of both cores is spent once on a machine, not once a checkout."""
BUILD_S, READY_S, CALL_S = 800, 30, 20
PASSWORD = "not-a-secret"


def built_btcd() -> Path:
    """Give the node's program, built where no earlier run has; the tests that need it are skipped where it can't be."""
    if BUILT.exists():
        return BUILT
    if shutil.which("go") is None:
        pytest.skip("btcd is built by go, which is not here")
    folder = BUILT.with_name(f"building-{os.getpid()}")
    folder.mkdir(parents=True)
    environment = {**os.environ, "GOBIN": str(folder)}
    try:
        subprocess.run(
            ["go", "install", f"github.com/btcsuite/btcd@{VERSION}"], env=environment, check=True, timeout=BUILD_S
        )
        (folder / "btcd").replace(BUILT)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"btcd can't be built by the go that is here: {error}")
    finally:
        shutil.rmtree(folder)
    return BUILT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Failed(Exception):
    """The node answered a call by an error."""


@dataclass(frozen=True)
class Btcd:
    """A node that runs."""

    url: str

    @property
    def chain_url(self) -> str:
        return self.url.replace("http://", f"http://tester:{PASSWORD}@")

    def call(self, method: str, *given: object) -> Any:
        body = json.dumps({"jsonrpc": "1.0", "id": 1, "method": method, "params": given}).encode()
        token = base64.b64encode(f"tester:{PASSWORD}".encode()).decode()
        asked = urllib.request.Request(self.url, body, {"Authorization": f"Basic {token}"})  # noqa: S310 - loopback
        with urllib.request.urlopen(asked, timeout=CALL_S) as answer:  # noqa: S310 - as above
            said = json.load(answer)
        if said["error"] is not None:
            raise Failed(said["error"])
        return said["result"]


@contextlib.contextmanager
def running_btcd(folder: Path, miner: str, *flags: str, indexed: bool = True) -> Iterator[Btcd]:
    """Run a node that mines to an address, on loopback without TLS."""
    port = free_port()
    command = [
        *(str(built_btcd()), "--regtest", "--notls", "--nolisten", "--nodnsseed", "--nocfilters"),
        *(("--txindex",) if indexed else ()),
        *("--rpcuser=tester", f"--rpcpass={PASSWORD}", f"--rpclisten=127.0.0.1:{port}", f"--miningaddr={miner}"),
        *(f"--datadir={folder / 'data'}", f"--logdir={folder / 'log'}", f"--configfile={folder / 'none.conf'}"),
        *flags,
    ]
    (folder / "none.conf").touch()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    node = Btcd(f"http://127.0.0.1:{port}/")
    try:
        end = time.monotonic() + READY_S
        while True:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, Failed):
                node.call("getblockcount")
                break
            assert process.poll() is None, "btcd ended before it answered"
            assert time.monotonic() < end, "btcd does not answer"
            time.sleep(0.05)
        yield node
    finally:
        process.terminate()
        process.wait(timeout=30)
