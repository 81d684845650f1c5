"""The life of a DID by its verbs on a running registry: made, rotated, and rescued by its guardian."""

import time
from pathlib import Path
from typing import Any, Protocol

import requests

WITHIN_S = 60.0


class Running(Protocol):
    """A running registry, and its verbs."""

    port: int

    def ask(self, *arguments: str) -> Any:
        """Do a verb in JSON and give its answer."""


def key_ids(document: Any) -> list[str]:
    """Give the ids of the keys in a document."""
    return sorted(method["id"].partition("#")[2] for method in document["verificationMethod"])


def live_a_life(up: Running, folder: Path) -> None:
    """Let two people make DIDs, and one of them be rescued by the other; its new key signs facts in the end."""
    ada, phone, fresh, bob = (str(folder / f"{name}.json") for name in ("ada", "phone", "fresh", "bob"))
    recovery = str(folder / "recovery.json")
    url = f"http://127.0.0.1:{up.port}/dids"
    did = up.ask("did", "create", ada, "--handle", "ada", "--type", "p256")["did"]
    friend = up.ask("did", "create", bob, "--type", "secp256k1")["did"]
    by = ("--rotation", f"{ada}.rotation")
    assert key_ids(up.ask("did", "rotate", phone, "--id", "phone", *by)["document"]) == ["main", "phone"]
    up.ask("did", "guardians", friend, "--threshold", "1", "--delay", "1", *by)
    up.ask("did", "rescue", did, fresh, recovery)
    assert up.ask("did", "approve", recovery, "--as", bob) == {"did": friend, "approvals": 1}
    sent = up.ask("did", "send", recovery, "--rotation", f"{fresh}.rotation")
    assert sent["document"]["alsoKnownAs"] == ["mun://ada"]
    deadline = time.monotonic() + WITHIN_S
    while key_ids(requests.get(f"{url}/{did}", timeout=20).json()) != ["rescue"]:
        assert time.monotonic() < deadline, "its delay is over, and a reactor sees to it"
        time.sleep(0.2)
    up.ask("signers", "add", did, "curator")
    assert up.ask("facts", "star", "pl-1", "--as", fresh)["issuer_did"] == did
    assert [each["operation"]["type"] for each in up.ask("did", "log", did)["items"]] == [
        "create", "rotate", "set_guardians", "guardian_recover",
    ]  # fmt: skip
    tasks = up.ask("health")["tasks"]
    assert [tasks[name]["outcome"] for name in ("claims", "recoveries")] == ["done", "done"]
    assert up.ask("audit", "identity")["holds"] is True
