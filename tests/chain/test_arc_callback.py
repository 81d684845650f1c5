"""A callback is heard by its token alone, and is a hint."""

import pytest

from log import strict_json
from processors.arc_callback import MAX_CALLBACK_BYTES, CallbackRefused, Hint, InvalidCallback, read_callback

TXID = "48" * 32
SAID = {"timestamp": "2026-03-26T16:02:29Z", "txid": TXID, "txStatus": "MINED", "blockHeight": 837394, "merklePath": ""}


def test_a_callback_says_which_transaction_went_on() -> None:
    assert read_callback("Bearer t0ken", strict_json.dump(SAID), "t0ken") == Hint(TXID, "MINED")


@pytest.mark.parametrize("shown", [None, "", "t0ken", "Bearer", "Bearer t0ke", "Bearer t0ken ", "bearer t0ken", "é"])
def test_a_callback_without_the_token_is_refused_before_it_is_read(shown: str | None) -> None:
    with pytest.raises(CallbackRefused):
        read_callback(shown, b"not JSON", "t0ken")


def test_without_a_token_every_callback_is_refused() -> None:
    with pytest.raises(CallbackRefused):
        read_callback("Bearer ", strict_json.dump(SAID), "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        strict_json.dump(SAID | {"txid": TXID[:-1]}),
        strict_json.dump(SAID | {"txid": TXID.replace("4", "G")}),
        strict_json.dump(SAID | {"txid": None}),
        strict_json.dump(SAID | {"txStatus": "GONE"}),
        strict_json.dump(SAID | {"txStatus": ["MINED"]}),
        b" " * (MAX_CALLBACK_BYTES + 1),
    ],
)
def test_what_arc_does_not_say_is_no_callback(body: bytes) -> None:
    with pytest.raises(InvalidCallback):
        read_callback("Bearer t0ken", body, "t0ken")
