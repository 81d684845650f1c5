"""ARC calls: the chain is asked at once, what it says is noted once, and nothing that ARC says is taken for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.anchorage import Anchorage
from domain.publishing.anchoring import ReserveBatch, SignBatch
from domain.publishing.batch import BatchConfirmed, BatchSeen, ChangeOutput
from domain.publishing.output import POOL_ID, FundPool
from log import topic
from log.following import follow
from log.message import Decision
from log.released import codec
from log.store import MemoryStore
from log.topic import partition_of
from muniment.press import opened_anchorage
from muniment.settings import read_settings
from processors.arc_callback import MAX_CALLBACK_BYTES
from processors.observer import Observer
from processors.pool_key import written_wif
from processors.publishing_agenda import CONTEXT, PublishingAgenda
from processors.reactor_commands import Ask, ReactorCommands
from projections.postgres import Postgres
from projections.projector import Projector
from projections.publishing import PublishingProjection
from projections.reads import Reads
from tests.api.serving import PARTITIONS, Answer, Registry, running
from tests.api_reads.conftest import postgres
from tests.chain.played import Stage, arc, says, stage
from tests.chain.small_chain import BLOCK, SENT
from tests.chain.test_arc import CHAIN, LOOK, mined, told

__all__ = ["postgres"]
ROUTE, TOKEN = "/v1/arc/callback", "t0ken"
SAYS = {"timestamp": "2026-03-26T16:02:29Z", "txid": SENT.txid, "txStatus": "MINED", "merklePath": ""}
PART = partition_of(POOL_ID, PARTITIONS)
SPENT = SENT.inputs[0].outpoint
SIGNED = (
    FundPool(POOL_ID, SPENT, 800, "52", "faucet"),
    ReserveBatch(POOL_ID, "bat_1", (), (SPENT,), 1, 1, 60_000, None),
    SignBatch(POOL_ID, "bat_1", SENT.txid, SENT.raw, 799, (ChangeOutput(1, 1, "51"),)),
)


@dataclass
class Scene:
    """A registry whose batch is signed, ARC and an explorer, and who reads what became of it."""

    registry: Registry
    played: Stage
    postgres: Postgres
    agenda: PublishingAgenda

    def ends(self) -> dict[int, int]:
        return {part: len(self.registry.log.messages(topic.events(CONTEXT), part)) for part in range(PARTITIONS)}

    async def settle(self) -> None:
        """Wait until all that was asked is decided."""
        asked = len(self.registry.log.messages(topic.commands(CONTEXT), PART))
        async with asyncio.timeout(5):
            while self.ends()[PART] < asked:
                await asyncio.sleep(0.005)

    async def project(self) -> None:
        """Project what is decided, and let a reactor fold it."""
        await self.settle()
        await follow(self.registry.log, CONTEXT, Projector(self.postgres, [PublishingProjection()]), until=self.ends())
        await follow(self.registry.log, CONTEXT, self.agenda, until=self.ends())

    async def call(self, *, token: str = TOKEN, **said: str) -> Answer:
        """Call as ARC does."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=UTF-8"}
        return await self.registry.ask("POST", ROUTE, SAYS | said, headers=headers)

    async def noted(self) -> list[object]:
        """Give what became of the batch once it was signed."""
        await self.settle()
        messages = self.registry.log.messages(topic.events(CONTEXT), PART)
        decisions: list[Decision] = [codec(CONTEXT, "decision").decode(each.value) for each in messages]
        return [event.payload for each in decisions[len(SIGNED) :] for event in each.events]


@contextlib.asynccontextmanager
async def calling(registry: Registry, played: Stage) -> AsyncIterator[None]:
    """Let a registry's chain be ARC, that calls it."""
    async with arc(played) as chain:
        registry.api.anchorage = Anchorage(chain, b"", 100, None, TOKEN)
        yield


@pytest.fixture
async def scene(postgres: Postgres) -> AsyncIterator[Scene]:
    """Sign a batch."""
    async with running() as registry, stage(**CHAIN) as played, calling(registry, played):
        registry.api.reads = Reads(postgres)
        found = Scene(registry, played, postgres, PublishingAgenda(MemoryStore()))
        asks = [Ask(POOL_ID, f"scene:{at}", payload) for at, payload in enumerate(SIGNED)]
        await ReactorCommands(registry.log).append(asks)
        await found.project()
        yield found


async def test_what_the_chain_has_is_noted_as_soon_as_arc_calls_and_once(scene: Scene) -> None:
    scene.played.answers[LOOK] = told("SEEN_ON_NETWORK")
    for _ in range(3):
        assert (await scene.call()).status == 204
    assert await scene.noted() == [BatchSeen(POOL_ID, "bat_1")], (
        "ARC says it is mined, and its status says no such thing"
    )
    await scene.project()
    scene.played.answers[LOOK] = mined()
    for _ in range(2):
        assert (await scene.call()).status == 204
        await scene.project()
    _, confirmed = await scene.noted()
    assert isinstance(confirmed, BatchConfirmed)
    assert (confirmed.height, confirmed.block_hash, confirmed.header) == BLOCK
    assert scene.played.lines().count(LOOK) == 4, "what is confirmed isn't asked for"


async def test_the_observer_and_a_call_that_see_the_same_ask_by_the_same_command(scene: Scene) -> None:
    scene.played.answers[LOOK] = told("SEEN_ON_NETWORK")
    assert (await scene.call()).status == 204
    await scene.settle()
    async with arc(scene.played) as chain:
        observer = Observer(scene.agenda, ReactorCommands(scene.registry.log), chain, lambda: True)
        assert await observer.ask() == 1
    asked = [
        codec(CONTEXT, "command").decode(each.value).id
        for each in scene.registry.log.messages(topic.commands(CONTEXT), PART)
    ]
    assert asked[-1] == asked[-2]
    assert await scene.noted() == [BatchSeen(POOL_ID, "bat_1")]


async def test_what_the_chain_does_not_say_changes_nothing(scene: Scene) -> None:
    scene.played.answers[f"GET /tx/hash/{SENT.txid}"] = says("", 404)
    assert (await scene.call()).status == 204, "the chain knows of no such transaction"
    scene.played.answers[LOOK] = says("", 500)
    away = await scene.call()
    assert (away.status, away.code) == (503, "chain_unavailable")
    before = list(scene.played.asked)
    assert (await scene.call(txid="ab" * 32)).status == 204
    assert scene.played.asked == before, "only for what is under way the chain is asked"
    assert await scene.noted() == []


async def test_a_call_without_the_token_or_that_is_none_of_arcs_asks_nobody() -> None:
    async with running() as registry, stage() as played, calling(registry, played):
        found = Scene(registry, played, Postgres(""), PublishingAgenda(MemoryStore()))
        for token in ("", "t0ke", "t0ken2"):
            refused = await found.call(token=token)
            assert (refused.status, refused.code) == (401, "unauthenticated"), token
            assert TOKEN not in refused.text
        assert (await found.call(txid="nothing")).code == "invalid_request"
        assert (await found.call(txStatus="x" * MAX_CALLBACK_BYTES)).code == "payload_too_large"
        assert (await found.call()).code == "read_model_unavailable", "this registry reads no Postgres"
        assert played.asked == []


async def test_where_the_chain_calls_nobody_there_is_no_such_route() -> None:
    async with running() as registry, stage() as played:
        assert (await registry.ask("POST", ROUTE, SAYS)).code == "not_found"
        async with arc(played) as chain:
            registry.api.anchorage = Anchorage(chain, b"", 100)
            for shown in ("Bearer ", "Bearer None"):
                answer = await registry.ask("POST", ROUTE, SAYS, headers={"Authorization": shown})
                assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(("chain", "token"), [("arc", TOKEN), ("explorer", None)])
async def test_the_token_is_arcs_alone(chain: str, token: str | None, tmp_path: Path) -> None:
    given = {
        "MUNIMENT_CHAIN": chain,
        "MUNIMENT_CHAIN_URL": "https://chain.example/arc",
        "MUNIMENT_CHAIN_EXPLORER_URL": "https://chain.example/v1",
        "MUNIMENT_CHAIN_CALLBACK_URL": f"https://registry.example{ROUTE}",
        "MUNIMENT_CHAIN_CALLBACK_TOKEN": TOKEN,
        "MUNIMENT_BSV_PRIVATE_KEY": written_wif(bytes(range(1, 33))),
    }
    async with opened_anchorage(read_settings({"data": tmp_path}, given)) as anchorage:
        assert anchorage.callback_token == token
        assert TOKEN not in repr(anchorage)
