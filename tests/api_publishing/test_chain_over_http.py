"""The chain over HTTP: everybody sees its blocks; on the devnet an admin mines and reorganises, and nowhere else."""

from typing import Any

import pytest

from api.anchorage import Anchorage
from api.times import rfc3339
from log.bitcoin import read_header
from processors.devnet import Devnet
from tests.api.serving import Answer, key
from tests.api_publishing.publishing_house import PublishingHouse

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINE, REORG = "/v1/devnet/mine", "/v1/devnet/reorg"


async def block(desk: PublishingHouse, height: int | str) -> Answer:
    """Ask for a block."""
    return await desk.registry.ask("GET", f"/v1/chain/blocks/{height}")


async def tip(devnet: Devnet) -> int:
    """Give the height of the newest block."""
    return (await devnet.tip()).height


async def test_an_admin_mines_and_everybody_sees_the_block(desk: PublishingHouse) -> None:
    before = await desk.devnet.tip()
    mined = await desk.admin("POST", MINE)
    assert (mined.status, mined.json["height"], mined.json["previous"]) == (200, before.height + 1, before.hash)
    shown = await block(desk, mined.json["height"])
    assert (shown.status, shown.json) == (200, mined.json)
    header = read_header(bytes.fromhex(shown.json["header"]))
    told = {"hash": header.hash, "previous": before.hash, "merkleRoot": header.merkle_root}
    when = {"height": before.height + 1, "time": rfc3339(header.time * 1000)}
    assert shown.json == {**told, **when, "header": shown.json["header"]}
    assert (await block(desk, before.height)).json["hash"] == before.hash


@pytest.mark.parametrize("height", ["999999999", "9999999999", "-1", "x", "1.0", "٣", "%00", " 1", "0x1", "1e1", "+1"])
async def test_a_block_that_is_not_there_is_not_found(desk: PublishingHouse, height: str) -> None:
    answer = await block(desk, height)
    assert (answer.status, answer.code) == (404, "not_found")


async def test_the_first_block_is_shown_too(desk: PublishingHouse) -> None:
    assert (await block(desk, 0)).json["previous"] == "00" * 32


async def test_an_admin_reorganises_and_other_blocks_are_in_their_place(desk: PublishingHouse) -> None:
    for _ in range(3):
        await desk.devnet.mine()
    height = await tip(desk.devnet)
    old = [(await block(desk, height - number)).json["hash"] for number in range(3)]
    newest = await desk.admin("POST", REORG, {"depth": 2})
    assert (newest.status, newest.json["height"]) == (200, height + 1)
    new = [(await block(desk, height - number)).json["hash"] for number in range(3)]
    assert new[2] == old[2]
    assert {*new[:2]}.isdisjoint(old)


@pytest.mark.parametrize(
    "body",
    [{}, {"depth": 0}, {"depth": -1}, {"depth": 101}, {"depth": "1"}, {"depth": 1.5}, {"depth": True}, {"more": 1}, []],
    ids=repr,
)
async def test_a_depth_is_a_number_up_to_a_hundred(desk: PublishingHouse, body: Any) -> None:
    answer = await desk.admin("POST", REORG, body)
    assert (answer.status, answer.code) == (400, "invalid_request")


async def test_a_reorganisation_deeper_than_the_chain_is_refused(desk: PublishingHouse) -> None:
    height = await tip(desk.devnet)
    assert height < 100
    answer = await desk.admin("POST", REORG, {"depth": height + 1})
    assert (answer.status, answer.code, answer.json["errors"][0]["pointer"]) == (400, "invalid_request", "/depth")
    assert await tip(desk.devnet) == height


async def test_the_devnet_is_an_admin_s(desk: PublishingHouse) -> None:
    height = await tip(desk.devnet)
    for path, body in ((MINE, None), (REORG, {"depth": 1})):
        for by, status, code in ((None, 401, "unauthenticated"), (key(801), 403, "forbidden")):
            answer = await desk.registry.ask("POST", path, body, by=by)
            assert (answer.status, answer.code) == (status, code)
    assert (await desk.admin("POST", MINE, {})).code == "invalid_request"
    assert await tip(desk.devnet) == height


async def test_on_another_chain_nobody_mines(desk: PublishingHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Anchorage(desk.chain, desk.key.script, 1)
    monkeypatch.setattr(desk.registry.api, "anchorage", elsewhere)
    height = await tip(desk.devnet)
    for path, body in ((MINE, None), (REORG, {"depth": 1})):
        answer = await desk.admin("POST", path, body)
        assert (answer.status, answer.code) == (404, "not_found")
    assert await tip(desk.devnet) == height
    assert (await block(desk, height)).status == 200


async def test_while_the_chain_is_away_it_is_said(desk: PublishingHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.chain.away = 1
    answer = await block(desk, 1)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "chain_unavailable", "1")
    monkeypatch.setattr(desk.registry.api, "anchorage", None)
    assert (await block(desk, 1)).code == "chain_unavailable"
    assert (await desk.admin("POST", MINE)).code == "chain_unavailable"


async def test_the_newest_block_is_remembered_for_a_moment(
    desk: PublishingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchorage = Anchorage(desk.chain, desk.key.script, 1)
    first = await anchorage.tip()
    await desk.devnet.mine()
    assert await anchorage.tip() == first
    monkeypatch.setattr("api.anchorage.TIP_KNOWN_S", 0.0)
    newest = await anchorage.tip()
    assert first is not None
    assert newest is not None
    assert newest.height == first.height + 1
    desk.chain.away = 1
    assert await anchorage.tip() is None
