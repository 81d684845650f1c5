"""The chain as this deployment sees it; on the devnet an admin mines and reorganises."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, Field

from api.anchorage import Devnet, anchorage, answered
from api.problems import ProblemError, invalid
from api.route import Asked, Route, Who, json_response
from api.shapes import Shape
from api.times import rfc3339
from domain.json_value import JsonObject
from log.bitcoin import read_header
from processors.chain import Block

HEIGHT_DIGITS: Final = 9
DEPTH_MAX: Final = 100


class BlockView(BaseModel):
    """A block; ``header`` is its 80 bytes in hex, hashes are as people read them."""

    height: int
    hash: str
    previous: str
    merkleRoot: str  # noqa: N815  # as in a proof
    time: str
    header: str


class ReorgRequest(Shape):
    """How many blocks are to be no more."""

    depth: Annotated[int, Field(ge=1, le=DEPTH_MAX)]


def shown(block: Block) -> JsonObject:
    """Show a block."""
    header = read_header(block.header)
    view: JsonObject = {"height": block.height, "hash": block.hash, "previous": header.previous}
    view |= {"merkleRoot": header.merkle_root, "time": rfc3339(header.time * 1000)}
    return view | {"header": block.header.hex()}


async def show(asked: Asked) -> web.StreamResponse:
    """Show a block of the chain."""
    text = asked.path("height")
    if not (text.isascii() and text.isdigit() and len(text) <= HEIGHT_DIGITS):
        raise ProblemError("not_found", "there is no block of this height")
    block = await answered(anchorage(asked).chain.block(int(text)))
    if block is None:
        raise ProblemError("not_found", "there is no block of this height")
    return json_response(shown(block))


def _devnet(asked: Asked) -> Devnet:
    found = anchorage(asked).devnet
    if found is None:
        raise ProblemError("not_found", "this deployment's chain is no devnet")
    return found


async def mine(asked: Asked) -> web.StreamResponse:
    """Mine a block of all that waits."""
    return json_response(shown(await answered(_devnet(asked).mine())))


async def reorganise(asked: Asked) -> web.StreamResponse:
    """Put others in the place of the newest blocks, and one more; what was in them waits for a block again."""
    try:
        return json_response(shown(await answered(_devnet(asked).reorganise(asked.body.depth))))
    except ValueError:
        raise invalid("/depth", "the chain has fewer blocks above its first") from None


ROUTES = [
    Route(
        "GET",
        "/v1/chain/blocks/{height}",
        show,
        "A block of the chain",
        responses={200: BlockView},
        problems=("not_found", "chain_unavailable"),
    ),
    Route(
        "POST",
        "/v1/devnet/mine",
        mine,
        "Mine a block, on the devnet",
        Who.ADMIN,
        responses={200: BlockView},
        problems=("not_found", "chain_unavailable"),
    ),
    Route(
        "POST",
        "/v1/devnet/reorg",
        reorganise,
        "Put others in the place of the newest blocks, on the devnet",
        Who.ADMIN,
        ReorgRequest,
        responses={200: BlockView},
        problems=("not_found", "chain_unavailable"),
    ),
]
