"""The chain is the one that the settings choose, and a wrong choice is named without a secret."""

import base64
from pathlib import Path

import pytest

from muniment.chain_opening import opened_chain
from muniment.settings import InvalidSetting, read_settings
from processors.arc_chain import ArcChain
from processors.chain import Chain
from processors.explorer_chain import ExplorerChain
from processors.node_chain import NodeChain
from tests.chain.played import says, stage
from tests.chain.small_chain import EXPLORED, HEIGHT, SENT


def no_devnet(_path: Path) -> Chain:
    raise AssertionError("another chain was chosen")


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


async def test_a_node_is_asked_with_the_user_and_password_of_its_url_a_setting_or_its_cookie(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:hunter2\n")
    cookie.chmod(0o600)
    async with stage(sendrawtransaction=says({"result": SENT.txid})) as played:
        with_user = played.url.replace("http://", "http://__cookie__:hunter2@")
        for given in (
            {"MUNIMENT_CHAIN_URL": with_user},
            {"MUNIMENT_CHAIN_URL": played.url, "MUNIMENT_CHAIN_CREDENTIALS": "__cookie__:hunter2"},
            {"MUNIMENT_CHAIN_URL": played.url, "MUNIMENT_CHAIN_CREDENTIALS_FILE": str(cookie)},
        ):
            settings = read_settings({}, {"MUNIMENT_CHAIN": "node", "MUNIMENT_CHAIN_FAMILY": "btc", **given})
            assert "hunter2" not in repr(settings)
            assert read_settings({}, settings.environment()) == settings
            async with opened_chain(settings, no_devnet) as chain:
                assert isinstance(chain, NodeChain)
                await chain.broadcast(SENT.raw)
    assert {each["Authorization"] for each in played.headers} == {basic("__cookie__:hunter2")}
    assert len(played.headers) == 3


async def test_arc_and_its_explorer_have_a_key_each() -> None:
    taken = says({"txid": SENT.txid, "txStatus": "STORED"})
    blocks = {"GET /v1/block/height/812345": says(EXPLORED), "GET /v1/chain/info": says({"blocks": HEIGHT})}
    async with stage(**{"POST /arc/v1/tx": taken, **blocks}) as played:
        given = {
            "MUNIMENT_CHAIN": "arc",
            "MUNIMENT_CHAIN_URL": played.url + "arc",
            "MUNIMENT_CHAIN_EXPLORER_URL": played.url + "v1",
            "MUNIMENT_CHAIN_CREDENTIALS": "arc-key",
            "MUNIMENT_CHAIN_EXPLORER_CREDENTIALS": "explorer-key",
            "MUNIMENT_CHAIN_CALLBACK_URL": "https://registry.example/v1/chain/arc",
            "MUNIMENT_CHAIN_CALLBACK_TOKEN": "t0ken",
        }
        async with opened_chain(read_settings({}, given), no_devnet) as chain:
            assert isinstance(chain, ArcChain)
            await chain.broadcast(SENT.raw)
            await chain.tip()
    assert [each["Authorization"] for each in played.headers] == ["Bearer arc-key", "explorer-key", "explorer-key"]
    assert played.headers[0]["X-CallbackToken"] == "t0ken"
    assert "X-CallbackToken" not in played.headers[1]


async def test_an_explorer_alone_is_a_chain() -> None:
    async with stage(**{"POST /api/bsv/main/tx/broadcast": says(SENT.txid)}) as played:
        given = {"MUNIMENT_CHAIN": "explorer", "MUNIMENT_CHAIN_URL": played.url}
        async with opened_chain(read_settings({}, given), no_devnet) as chain:
            assert isinstance(chain, ExplorerChain)
            await chain.broadcast(SENT.raw)


async def test_the_devnet_is_the_default_and_lies_in_the_data_directory(tmp_path: Path) -> None:
    asked = list[Path]()

    def devnet(path: Path) -> Chain:
        asked.append(path)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        async with opened_chain(read_settings({"data": str(tmp_path)}, {}), devnet):
            pass
    assert asked == [tmp_path / "devnet" / "chain"]


URL = "https://127.0.0.1:1"


@pytest.mark.parametrize(
    ("named", "given"),
    [
        ("CHAIN", {"CHAIN": "mainnet"}),
        ("CHAIN_FAMILY", {"CHAIN_FAMILY": "bch"}),
        ("CHAIN_URL", {"CHAIN_URL": "http://hunter2:hunter2@node.example:8332"}),
        ("CHAIN_URL", {"CHAIN": "node"}),
        ("CHAIN_EXPLORER_URL", {"CHAIN": "arc", "CHAIN_URL": URL}),
        ("CHAIN_FAMILY", {"CHAIN": "arc", "CHAIN_URL": URL, "CHAIN_EXPLORER_URL": URL, "CHAIN_FAMILY": "btc"}),
        ("CHAIN_FAMILY", {"CHAIN": "explorer", "CHAIN_URL": URL, "CHAIN_FAMILY": "btc"}),
        ("CHAIN_URL", {"CHAIN": "node", "CHAIN_URL": "https://u:hunter2@127.0.0.1:1", "CHAIN_CREDENTIALS": "u:p"}),
        ("CHAIN_CREDENTIALS", {"CHAIN_CREDENTIALS": "hunter2\r\nX-Other: 1"}),
        ("CHAIN_CREDENTIALS_FILE", {"CHAIN": "node", "CHAIN_URL": URL, "CHAIN_CREDENTIALS_FILE": "/nowhere/at/all"}),
        (
            "CHAIN_CREDENTIALS_FILE",
            {"CHAIN": "node", "CHAIN_URL": URL, "CHAIN_CREDENTIALS_FILE": "/x", "CHAIN_CREDENTIALS": "u:hunter2"},
        ),
        (
            "CHAIN_CALLBACK_TOKEN",
            {"CHAIN": "arc", "CHAIN_URL": URL, "CHAIN_EXPLORER_URL": URL, "CHAIN_CALLBACK_URL": URL},
        ),
    ],
)
async def test_a_wrong_choice_is_named(named: str, given: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match=f"MUNIMENT_{named}") as raised:
        async with opened_chain(
            read_settings({}, {f"MUNIMENT_{name}": value for name, value in given.items()}), no_devnet
        ):
            pass
    assert "hunter2" not in str(raised.value)


async def test_credentials_that_others_can_read_are_not_used(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:hunter2")
    cookie.chmod(0o644)
    given = {"MUNIMENT_CHAIN": "node", "MUNIMENT_CHAIN_URL": URL, "MUNIMENT_CHAIN_CREDENTIALS_FILE": str(cookie)}
    with pytest.raises(InvalidSetting, match="chmod 600"):
        async with opened_chain(read_settings({}, given), no_devnet):
            pass
