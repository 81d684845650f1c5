"""However a chain answers or doesn't, what was asked is known to be answered or to be unknown, and soon."""

import pytest

from processors.chain import ChainUnavailable
from processors.chain_http import ChainHttp
from processors.chain_place import ChainUrl, InvalidChainUrl, read_chain_url
from tests.chain.played import SHORT_S, Played, cut, half, late, node, says, stage, too_long
from tests.chain.small_chain import BLOCK, SENT


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (cut, "can't be asked"),
        (half, "can't be asked"),
        (late, "in time"),
        (too_long, "too long"),
        (says("<html>bad gateway", 502), "can't be read"),
        (says("[1, 2", 200), "can't be read"),
        (says("[]", 200), "no object"),
        (says('{"result": 1, "result": 2}', 200), "can't be read"),
        (says("", 301, Location="http://127.0.0.1:1/"), "another place"),
        (says("{}", 200, **{"Content-Encoding": "gzip"}), "encoding"),
        (says("", 401), "user and password"),
        (says("Work queue depth exceeded", 503), "can't be read"),
        (says({"result": "ab" * 32}), "no id"),
        (says({"error": "no"}), "no error"),
        (says({"error": {"code": -28, "message": "Loading block index..."}}, 500), "-28"),
    ],
)
async def test_of_a_transaction_whose_answer_is_lost_or_unreadable_nothing_is_known(answer: Played, words: str) -> None:
    timeout_s = SHORT_S if answer is late else 20.0
    async with stage(sendrawtransaction=answer) as played, node(played, timeout_s) as chain:
        with pytest.raises(ChainUnavailable, match=words) as raised:
            await chain.broadcast(SENT.raw)
        assert played.url.rstrip("/") not in str(raised.value)
        assert played.lines() == ["sendrawtransaction"]


async def test_nobody_listening_is_a_chain_that_cannot_be_asked() -> None:
    async with ChainHttp("http://127.0.0.1:1") as http:
        with pytest.raises(ChainUnavailable, match="can't be asked"):
            await http.get("")


@pytest.mark.parametrize("asked", ["60", "Fri, 01 Jan 2100 00:00:00 GMT", ""])
async def test_a_chain_that_asks_for_a_rest_is_left_alone(asked: str) -> None:
    async with stage() as played, ChainHttp(played.url) as http:
        played.answers["GET /tip"] = says("", 429, **({"Retry-After": asked} if asked else {}))
        for _ in range(3):
            with pytest.raises(ChainUnavailable, match="rest"):
                await http.get("tip")
        assert len(played.asked) == 1


async def test_credentials_go_to_their_place_and_into_no_error() -> None:
    async with stage(getblockcount=cut) as played:
        async with ChainHttp(played.url, {"Authorization": "Basic c2VjcmV0"}) as http:
            with pytest.raises(ChainUnavailable) as raised:
                await http.post("", {"method": "getblockcount", "params": [], "id": 1})
        assert played.headers[0]["Authorization"] == "Basic c2VjcmV0"
        assert "c2VjcmV0" not in repr(raised.value)
        assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://node.example:8332/", ChainUrl("https://node.example:8332", None)),
        ("https://u:p%40ss@node.example/wallet/", ChainUrl("https://node.example/wallet", "u:p@ss")),
        ("http://127.0.0.1:8332", ChainUrl("http://127.0.0.1:8332", None)),
        ("http://[::1]:8332", ChainUrl("http://[::1]:8332", None)),
        ("http://a:b@localhost:1/x", ChainUrl("http://localhost:1/x", "a:b")),
    ],
)
def test_a_chain_is_asked_by_https_or_on_this_machine(given: str, read: ChainUrl) -> None:
    assert read_chain_url(given) == read


@pytest.mark.parametrize(
    "given",
    [
        "http://node.example:8332",
        "http://10.0.0.1",
        "http://127.0.0.1.node.example",
        "http://localhost.node.example",
        "ftp://127.0.0.1",
        "https://",
        "https://node.example?key=hunter2",
        "https://node.example#hunter2",
        "https://node.example:0",
        "https://node.example:port",
        "https://[::1",
        "https://node.example/a b",
        "https://node.example/" + "a" * 2048,
    ],
)
def test_a_url_at_which_no_chain_is_asked_is_not_repeated(given: str) -> None:
    with pytest.raises(InvalidChainUrl) as raised:
        read_chain_url(given)
    assert "hunter2" not in str(raised.value)
    assert "node.example" not in str(raised.value)


@pytest.mark.parametrize(
    "answers",
    [
        {"getblockheader": says({"result": "00" * 80})},
        {"getblockheader": says({"result": BLOCK.header.hex()[:-2]})},
        {"getblockheader": says({"result": None})},
        {"getblockhash": says({"result": "ff" * 32})},
        {"getblockhash": says({"result": 5})},
        {"getblockcount": says({"result": "812345"})},
        {"getblockcount": says({"result": -1})},
        {"getblockcount": says({"result": True})},
    ],
)
async def test_a_block_whose_header_is_not_its_own_is_no_block(answers: dict[str, Played]) -> None:
    sound = {
        "getblockcount": says({"result": BLOCK.height}),
        "getblockhash": says({"result": BLOCK.hash}),
        "getblockheader": says({"result": BLOCK.header.hex()}),
    }
    async with stage(**sound) as played, node(played) as chain:
        assert await chain.tip() == BLOCK
        played.answers |= answers
        with pytest.raises(ChainUnavailable):
            await chain.tip()
