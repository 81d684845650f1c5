"""Tips: a transfer for a record, whose uri is its memo."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from api.ledger_requests import MANDATED
from api.ledger_views import TransferView
from api.route import Asked, Route, Who
from api.shapes import Form, WriteQuery
from api.transfers import MEMO_MAX, TransferRequest, transfer

URI = Form(
    r"^mun://did:[a-z0-9]+:[A-Za-z0-9._:%-]+/[a-z][A-Za-z0-9.-]*/[A-Za-z0-9._~-]{1,64}$",
    "a record's uri: mun://did:…/collection/rkey",
)


class TipRequest(TransferRequest):
    """A transfer, signed as such, whose memo is the uri of the record that it is for."""

    memo: Annotated[str, Field(max_length=MEMO_MAX), URI]


async def tip(asked: Asked) -> web.StreamResponse:
    """Move money for a record: what is signed, and all that is answered and refused, is a transfer's.

    Whether the record is there is not asked: a repeat must have its first outcome when it was let go of, too.
    """
    return await transfer(asked)


ROUTES = [
    Route(
        "POST",
        "/payments/tip",
        tip,
        "Move money for a record",
        Who.SESSION,
        TipRequest,
        WriteQuery,
        {201: TransferView, 202: TransferView, 200: TransferView},
        (*MANDATED, "same_account", "amount_not_positive", "amount_too_small", "not_caught_up"),
        by_key_set=True,
    ),
]
