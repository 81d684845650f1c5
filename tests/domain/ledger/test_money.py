"""Every row of ``money.md`` on the rules alone."""

import pytest

from domain.ledger.account import Account
from domain.ledger.posting import Supply, supply
from tests.domain.ledger.market import Market
from tests.domain.ledger.money import ROWS, Row
from tests.domain.ledger.playing import Answer, play
from tests.domain.ledger.town import Ask

FRAMES = {"town": "town", "port": "port"}


class Rules:
    """Hosts the deciders alone: each frame has a fold of its own."""

    def __init__(self) -> None:
        self._scenes = {frame_id: Market() for frame_id in FRAMES.values()}

    async def ask(self, ask: Ask) -> Answer:
        scene = self._scenes[ask.payload.frame_id]
        scene.actor = ask.actor
        scene.at(ask.when).when(ask.payload)
        return Answer(scene.outcome)

    async def account(self, name: str) -> Account:
        found = (scene.state.get(f"account/{name}") for scene in self._scenes.values())
        return Account(*next(entry for entry in found if entry is not None))

    async def supply(self, frame_id: str) -> Supply:
        return supply(self._scenes[frame_id].state, frame_id)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_row_holds_on_the_rules(row: Row) -> None:
    await play(row, Rules(), FRAMES)
