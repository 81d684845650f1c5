"""Every row of the tables of money through the log: in memory, and on the broker."""

import asyncio
from collections.abc import Mapping

import pytest

from log.kafka_address import KafkaAddress
from processors.audit_source import LogSource
from processors.audit_supply import FrameSupply, SupplyAudit
from tests.domain.ledger.money import ROWS, Row
from tests.domain.ledger.playing import Played
from tests.processors.given_times import GivenTimes, GivenTimesOnKafka
from tests.processors.money_on_a_log import Deciding, Outcomes, play_all

Counted = Mapping[str, FrameSupply]


async def on(log: GivenTimes | GivenTimesOnKafka) -> tuple[Outcomes, Counted]:
    """Play all rows on one log, and have an auditor count it."""
    try:
        async with Deciding(log).run() as deciding:
            outcomes = await play_all(ROWS, deciding)
        audit = SupplyAudit(LogSource(log))
        counted = await audit.advance()
        assert audit.difference is None, str(audit.difference)
        return outcomes, {each.frame_id: each for each in counted}
    finally:
        await log.close()


@pytest.fixture(scope="module", params=["memory", pytest.param("kafka", marks=pytest.mark.stack)])
def log_of_all(request: pytest.FixtureRequest) -> tuple[Outcomes, Counted]:
    """Play all rows on one log of each kind."""

    async def played() -> tuple[Outcomes, Counted]:
        if request.param == "memory":
            return await on(GivenTimes())
        return await on(GivenTimesOnKafka(KafkaAddress.parse(request.getfixturevalue("services").kafka)))

    if request.param == "kafka":
        request.getfixturevalue("services")
    return asyncio.run(played())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_holds_on_a_log(row: Row, log_of_all: tuple[Outcomes, Counted]) -> None:
    outcomes, counted = log_of_all
    played = outcomes[row.name]
    if not isinstance(played, Played):
        raise played
    for prefix, frame_id in played.town.frames.items():
        last, found = played.steps[-1].sheet, counted[frame_id]
        figures = (found.tokens_issued, found.tokens_destroyed, found.transit_net)
        assert figures == tuple(last.get(prefix + name, 0) for name in ("issued", "destroyed", "transit"))
        assert found.holds
