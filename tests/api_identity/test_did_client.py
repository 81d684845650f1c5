"""The client and the verbs of DIDs against the routes, with a projector and reactors beside: what each verb does."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from log import topic
from log.released import codec
from log.store import MemoryStore
from muniment.cli import main
from muniment.client import Client, HandleChangeTooSoon, HandleTaken, InvalidOperation, StalePrev
from muniment.rotation_keys import RotationKeys
from processors import audit_identity_commands
from processors.audit_identity_reading import IdentityAudit
from processors.audit_source import LogSource
from processors.identity_duties import IdentityDuties
from processors.reactor_commands import ReactorCommands
from processors.together import together
from projections.identity import IdentityProjection
from projections.postgres import Postgres
from projections.projector import Projector
from projections.reads import Reads
from tests.api.serving import PARTITIONS, Registry, running
from tests.api_identity.owning import handle_at, names, owned, owner
from tests.projections.conftest import postgres

__all__ = ["postgres"]
pytestmark = pytest.mark.stack
TICK_S = 0.05


@dataclass
class Desk:
    """A registry, and what verbs print."""

    registry: Registry
    capsys: pytest.CaptureFixture[str]

    @property
    def url(self) -> str:
        return str(self.registry.client.make_url("/"))

    async def did(self, *arguments: str, expect: int = 0) -> Any:
        """Do a verb in JSON and give its answer; that of a refusal is its problem."""
        self.capsys.readouterr()
        reached = () if arguments[0] == "approve" else ("--url", self.url)
        status = await asyncio.to_thread(main, ["did", *arguments, *reached, "--json"])
        said = self.capsys.readouterr()
        assert status == expect, said
        return json.loads(said.out if expect == 0 else said.err)

    async def until_logged(self, did: str, count: int) -> list[dict[str, Any]]:
        """Wait until so many operations are read, and give them."""
        async with asyncio.timeout(20):
            while True:
                answer = await self.registry.ask("GET", f"/dids/{did}/log")
                if answer.status == 200 and len(answer.json["items"]) >= count:
                    found: list[dict[str, Any]] = answer.json["items"]
                    return found
                await asyncio.sleep(TICK_S)


async def ticking(duties: IdentityDuties) -> None:
    """Run the periodic tasks of identity."""
    while True:
        for task in duties.tasks():
            await task.run()
        await asyncio.sleep(TICK_S)


@pytest.fixture
async def desk(postgres: Postgres, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Desk]:
    """Run an api, its deciders, a projector of identity, and what a leading reactor does for it."""
    async with running() as registry:
        registry.api.reads = Reads(postgres)
        duties = IdentityDuties(registry.log, ReactorCommands(registry.log), lambda: True)
        projector = Projector(postgres, [IdentityProjection()])
        beside = asyncio.create_task(
            together(projector.run(registry.log, "identity"), *duties.loops(MemoryStore()), ticking(duties))
        )
        try:
            assert await duties.caught_up(10)
            yield Desk(registry, capsys)
        finally:
            beside.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beside


async def audited(registry: Registry) -> None:
    """See that an auditor takes every command that lies there, and finds every operation log whole."""
    name, commands = topic.commands("identity"), codec("identity", "command")
    for partition in range(PARTITIONS):
        for message in registry.log.messages(name, partition):
            audit_identity_commands.check(commands.decode(message.value))
    audit = IdentityAudit(LogSource(registry.log))
    assert await audit.run() is None
    assert audit.figures.operations > 0


def ids(document: Any) -> list[str]:
    """Give the ids of the keys in a document."""
    return sorted(method["id"].partition("#")[2] for method in document["verificationMethod"])


async def test_every_verb_does_to_a_did_what_it_says(desk: Desk, tmp_path: Path) -> None:
    ada, phone, tablet, bob = (str(tmp_path / f"{name}.json") for name in ("ada", "phone", "tablet", "bob"))
    did = (await desk.did("create", ada, "--handle", "ada", "--backups", "1", "--type", "p256"))["did"]
    friend = (await desk.did("create", bob, "--type", "secp256k1"))["did"]
    taken = await desk.did("create", str(tmp_path / "eve.json"), "--handle", "ada", expect=1)
    assert (taken["code"], (tmp_path / "eve.json").exists()) == ("handle_taken", False)
    await desk.until_logged(did, 1)
    by = ("--rotation", f"{ada}.rotation")
    assert ids((await desk.did("rotate", phone, "--id", "phone", *by))["document"]) == ["main", "phone"]
    await desk.until_logged(did, 2)
    assert ids((await desk.did("revoke", "main", "--reason", "lost", *by))["document"]) == ["phone"]
    soon = await desk.did("handle", "lovelace", *by, expect=1)
    assert (soon["code"], "allowed_at" in soon) == ("handle_change_too_soon", True)
    await desk.until_logged(did, 3)
    recovered = await desk.did("recover", tablet, "--id", "tablet", "--new-rotation", f"{tablet}.rotation", *by)
    assert (ids(recovered["document"]), recovered["document"]["alsoKnownAs"]) == (["tablet"], ["mun://ada"])
    named = await desk.did("handle", "bobby", "--rotation", f"{bob}.rotation")
    assert named["document"]["alsoKnownAs"] == ["mun://bobby"]
    await desk.until_logged(did, 4)
    await desk.did("guardians", friend, "--threshold", "1", "--delay", "0", "--rotation", f"{tablet}.rotation")
    async with asyncio.timeout(20):
        while {handle_at(desk.registry, each).status for each in ("ada", "bobby")} != {"confirmed"}:  # type: ignore[union-attr]
            await asyncio.sleep(TICK_S)
    await audited(desk.registry)


async def test_guardians_recover_a_did_and_their_recovery_is_cancelled(desk: Desk, tmp_path: Path) -> None:
    ada, bob, fresh, never = (str(tmp_path / f"{name}.json") for name in ("ada", "bob", "fresh", "never"))
    did = (await desk.did("create", ada))["did"]
    friend = (await desk.did("create", bob))["did"]
    await desk.until_logged(did, 1)
    await desk.did("guardians", friend, "--threshold", "1", "--delay", "600", "--rotation", f"{ada}.rotation")
    await desk.until_logged(did, 2)
    first, second = str(tmp_path / "first.recovery"), str(tmp_path / "second.recovery")
    await desk.did("rescue", did, never, first)
    assert (await desk.did("rescue", did, str(tmp_path / "x"), first, expect=1))["code"] == "file_exists"
    few = await desk.did("send", first, "--rotation", f"{never}.rotation", expect=1)
    assert few["code"] == "invalid_operation", "nobody approved it"
    for _ in range(2):
        assert await desk.did("approve", first, "--as", bob) == {"did": friend, "approvals": 1}
    begun = await desk.did("send", first, first, "--rotation", f"{never}.rotation")
    assert ids(begun["document"]) == ["main"]
    await desk.until_logged(did, 3)
    await desk.did("cancel", begun["operation"], "--rotation", f"{ada}.rotation")
    log = await desk.until_logged(did, 4)
    assert [each["nullified"] for each in log] == [False, False, True, False]
    await desk.did("guardians", friend, "--threshold", "1", "--delay", "0", "--rotation", f"{ada}.rotation")
    await desk.until_logged(did, 5)
    await desk.did("rescue", did, fresh, second)
    wrong = await desk.did("send", first, second, "--rotation", f"{fresh}.rotation", expect=2)
    assert wrong["code"] == "wrong_usage"
    await desk.did("approve", second, "--as", bob)
    await desk.did("send", second, "--rotation", f"{fresh}.rotation")
    async with asyncio.timeout(20):
        while names(await desk.registry.ask("GET", f"/dids/{did}")) != ["rescue"]:
            await asyncio.sleep(TICK_S)
    await audited(desk.registry)
    (tmp_path / "damaged").write_text('{"type": "guardian_recover", "approvals": [1]}')
    damaged = await desk.did("approve", str(tmp_path / "damaged"), "--as", bob, expect=1)
    assert damaged["code"] == "no_recovery"
    assert RotationKeys.load(f"{fresh}.rotation").did == did


async def test_the_client_raises_what_is_refused_and_follows_the_latest_operation(desk: Desk) -> None:
    ada = await owned(desk.registry, "ada", handle="ada")
    bob = owner(desk.registry, "bob")
    await desk.until_logged(ada.did, 1)
    async with Client(desk.url) as client:
        dids, high = client.identity, ada.rotation[0]
        first = await dids.head(ada.did)
        with pytest.raises(HandleTaken):
            await dids.create(bob.rotation, bob.keys, "ada")
        assert (await dids.create(bob.rotation, bob.keys, "bob")).handle == "bob"
        with pytest.raises(HandleChangeTooSoon):
            await dids.set_handle(ada.did, high, "lovelace")
        with pytest.raises(InvalidOperation) as refused:
            await dids.revoke(ada.did, high, "nothing", "lost")
        assert refused.value.reason == "unknown_key"
        body = ada.sign("rotate", add=[], end=["main"])
        rotated = await dids.submit(body, ada.did)
        assert (rotated.id, rotated.repeated) == (ada.did, False)
        assert (await dids.submit(body, ada.did)).repeated
        with pytest.raises(StalePrev) as stale:
            await dids.rotate(ada.did, high, prev=first)
        assert stale.value.head == ada.head
        # What the projection shows may be older than the log; the operation follows the log.
        for _ in range(3):
            await dids.rotate(ada.did, high, end=())
        assert (await desk.until_logged(ada.did, 5))[-1]["hash"] == ada.head
