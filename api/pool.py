"""The pool: an admin sees what it holds, funds it, and splits an output of it."""

import hashlib
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, Field

from api.anchorage import Anchorage, anchorage, answered
from api.intent import idempotency_key, request_hash, session_intent
from api.postgres_reads import PROBLEMS, read
from api.problems import ProblemError, invalid
from api.publish_requests import CONTEXT
from api.publish_results import PoolOutputView, SplitView
from api.results import write
from api.route import Asked, Route, Who, json_response
from api.shapes import Form, FreshQuery, Maybe, Shape, WriteQuery
from domain.json_value import JsonObject, JsonValue
from domain.publishing.anchoring import ReserveBatch
from domain.publishing.output import LARGEST, POOL_ID, FundPool
from log.bitcoin import BitcoinTransaction, InvalidBitcoin, Output, read_transaction
from log.canonical import base32_id
from log.scope import command_id
from processors.batcher import KEEP_MS, MOST_INPUTS
from processors.chain import Refused
from projections import publishing_queries
from projections.generations import Generation
from projections.mirror import ruled_key
from projections.postgres import Transaction
from projections.publishing_queries import StoredOutput, StoredPool

FUND: Final = "POST /v1/pool/fund"
SPLIT: Final = "POST /v1/pool/split"
RAW_HEX_MAX: Final = 1 << 19
PIECES_MAX: Final = 1_000
SHOWN_OUTPUTS: Final = 20
INPUT_BYTES, OUTPUT_BYTES, FRAME_BYTES = 148, 34, 20
"""What an input, an output and the rest of a transaction take at most, for its fee."""
HEX: Final = Form(r"^([0-9a-f]{2})+$", "hex in lower case")
OUTPOINT: Final = Form(r"^[0-9a-f]{64}:(0|[1-9][0-9]{0,8})$", "a transaction's id, a colon, and an output's number")
WRITES: Final = ("idempotency_conflict", "log_unavailable", "outcome_unknown", "not_caught_up")


class FundRequest(Shape):
    """An output that the pool's key can spend: by its outpoint, or by the raw transaction that has it.

    A raw transaction is given to the chain first; without ``vout`` its first output for the pool is meant.
    """

    outpoint: Maybe[Annotated[str, Field(max_length=80), OUTPOINT]] = None
    rawTx: Maybe[Annotated[str, Field(min_length=2, max_length=RAW_HEX_MAX), HEX]] = None  # noqa: N815  # as in a proof
    vout: Maybe[Annotated[int, Field(ge=0, lt=1 << 32)]] = None


class SplitRequest(Shape):
    """Into how many outputs of how many satoshis."""

    count: Annotated[int, Field(ge=1, le=PIECES_MAX)]
    satoshis: Annotated[int, Field(ge=1, le=LARGEST)]


class SplitQuery(FreshQuery, WriteQuery):
    """What a split accepts: it chooses among the outputs as they are read."""


class PoolView(BaseModel):
    """What the pool was funded with, holds and paid in fees, in satoshis, and how many outputs and jobs wait.

    ``pending`` are outputs of transactions that the chain doesn't have yet; ``holds`` says that nothing was lost;
    ``largest`` are the largest free outputs.
    """

    funded: int
    held: int
    fees: int
    holds: bool
    available: int
    reserved: int
    pending: int
    queued: int
    waiting_for_utxo: int
    largest: list[PoolOutputView]


EMPTY: Final = StoredPool(POOL_ID, funded=0, held=0, fees=0, available=0, reserved=0, pending=0, queued=0, waiting=0)
"""A pool that was never funded."""


async def show(asked: Asked) -> web.StreamResponse:
    """Show what the pool holds."""

    async def ask(transaction: Transaction, generation: Generation) -> tuple[StoredPool | None, list[StoredOutput]]:
        free = await publishing_queries.available(transaction, generation, limit=SHOWN_OUTPUTS)
        return await publishing_queries.pool(transaction, generation, POOL_ID), free

    (found, free), headers = await read(asked, CONTEXT, ask)
    pool = found or EMPTY
    view: JsonObject = {"funded": pool.funded, "held": pool.held, "fees": pool.fees, "holds": pool.holds}
    view |= {"available": pool.available, "reserved": pool.reserved, "pending": pool.pending}
    view |= {"queued": pool.queued, "waiting_for_utxo": pool.waiting}
    largest: list[JsonValue] = [
        {"outpoint": each.outpoint, "satoshis": each.satoshis, "status": each.status} for each in free
    ]
    return json_response(view | {"largest": largest}, headers=headers)


async def _output(chain: Anchorage, sent: FundRequest, *, dry_run: bool) -> tuple[str, Output]:
    """Find the output that is meant, on the chain; raises ``invalid_request``, ``not_found``, ``chain_unavailable``.

    A raw transaction is broadcast, but for a dry run. Raises ``transaction_refused``.
    """
    if sent.outpoint is not None:
        txid, _, vout = sent.outpoint.partition(":")
        seen = await answered(chain.chain.transaction(txid))
        if seen is None or seen.raw is None:
            raise ProblemError("not_found", "the chain gives no such transaction: send the raw transaction")
        return _chosen(chain, read_transaction(seen.raw), int(vout), "/outpoint")
    raw = bytes.fromhex(sent.rawTx or "")
    try:
        transaction = read_transaction(raw)
    except InvalidBitcoin as error:
        raise invalid("/rawTx", str(error)) from None
    chosen = _chosen(chain, transaction, sent.vout, "/rawTx")
    if dry_run:
        return chosen
    try:
        await answered(chain.chain.broadcast(raw))
    except Refused as refused:
        raise ProblemError("transaction_refused", refused.reason) from None
    return chosen


def _chosen(chain: Anchorage, transaction: BitcoinTransaction, vout: int | None, pointer: str) -> tuple[str, Output]:
    for number, output in enumerate(transaction.outputs):
        if (vout is None or number == vout) and output.script == chain.script and output.satoshis:
            return f"{transaction.txid}:{number}", output
    raise invalid(pointer, "the pool's key can spend no such output")


def _shape(asked: Asked) -> None:
    sent: FundRequest = asked.body
    if (sent.outpoint is None) == (sent.rawTx is None):
        raise invalid("", "this names an outpoint or a raw transaction, one of the two")
    if sent.outpoint is not None and sent.vout is not None:
        raise invalid("/vout", "an outpoint names its output itself")


async def fund(asked: Asked) -> web.StreamResponse:
    """Give an output to the pool."""
    outpoint, output = await _output(anchorage(asked), asked.body, dry_run=asked.query.dry_run)
    authority = asked.api.authority(asked.caller.identity)
    payload = FundPool(POOL_ID, outpoint, output.satoshis, output.script.hex(), authority)
    asked_hash = request_hash(FUND, {}, asked.json)
    return await write(
        asked, session_intent(asked.caller, asked_hash, idempotency_key(asked.request), POOL_ID, payload)
    )


async def split(asked: Asked) -> web.StreamResponse:
    """Split an output of the pool, or several together, into many."""
    sent: SplitRequest = asked.body
    given_key, asked_hash = idempotency_key(asked.request), request_hash(SPLIT, {}, asked.json)
    name = command_id(asked.caller.identity, asked_hash, idempotency_key=given_key)
    # What was ruled on is answered with its first outcome, whatever the pool has left since.
    chosen = () if asked.api.mirror.get(ruled_key(name)) is not None else await _spends(asked)
    batch_id = base32_id("bat_", hashlib.sha256(name.encode()).digest())
    authority = asked.api.authority(asked.caller.identity)
    payload = ReserveBatch(POOL_ID, batch_id, (), chosen, sent.count, sent.satoshis, KEEP_MS, authority)
    return await write(asked, session_intent(asked.caller, asked_hash, given_key, POOL_ID, payload, named=name))


async def _spends(asked: Asked) -> tuple[str, ...]:
    """Choose the smallest output that is enough, else the largest ones that are together.

    Raises ``output_not_available``.
    """
    sent: SplitRequest = asked.body
    fee_per_kb = anchorage(asked).fee_per_kb

    async def ask(transaction: Transaction, generation: Generation) -> list[StoredOutput]:
        return await publishing_queries.available(transaction, generation, limit=MOST_INPUTS)

    def needed(inputs: int) -> int:
        size = FRAME_BYTES + inputs * INPUT_BYTES + (sent.count + 1) * OUTPUT_BYTES
        return sent.count * sent.satoshis + -(-size * fee_per_kb // 1000)

    free, _ = await read(asked, CONTEXT, ask)
    enough = [each for each in free if each.satoshis >= needed(1)]
    if enough:
        return (enough[-1].outpoint,)
    total = 0
    for count, each in enumerate(free, start=1):
        total += each.satoshis
        if total >= needed(count):
            return tuple(one.outpoint for one in free[:count])
    raise ProblemError("output_not_available", "the pool's free outputs are not enough for this")


ROUTES = [
    Route(
        "GET",
        "/v1/pool",
        show,
        "What the pool holds",
        Who.ADMIN,
        query_model=FreshQuery,
        responses={200: PoolView},
        problems=PROBLEMS,
    ),
    Route(
        "POST",
        "/v1/pool/fund",
        fund,
        "Give an output to the pool",
        Who.ADMIN,
        FundRequest,
        WriteQuery,
        {201: PoolOutputView},
        (*WRITES, "not_found", "output_known", "out_of_bounds", "transaction_refused", "chain_unavailable"),
        _shape,
    ),
    Route(
        "POST",
        "/v1/pool/split",
        split,
        "Split an output of the pool",
        Who.ADMIN,
        SplitRequest,
        SplitQuery,
        {202: SplitView},
        (*WRITES, *PROBLEMS, "output_not_available", "chain_too_long", "chain_unavailable"),
    ),
]
