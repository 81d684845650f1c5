"""Jobs and their records as everybody reads them, and the proof that a record is anchored."""

from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from api.anchorage import Anchorage
from api.postgres_reads import PROBLEMS, read
from api.problems import ProblemError
from api.publish_requests import CONTEXT, RECORD_ID_MAX, PubkeyText
from api.route import Asked, Route, json_response
from api.shapes import FreshQuery, Maybe
from api.times import rfc3339
from domain.json_value import JsonObject, JsonValue
from log import strict_json
from log.bitcoin import read_transaction
from projections import publishing_queries
from projections.generations import Generation
from projections.postgres import Transaction
from projections.publishing_queries import StoredJob, StoredOutput, StoredProof

REPORTED: Final = 6
"""Confirmations are reported up to so many."""
UNHEARD: Final = frozenset({"queued", "waiting_for_utxo", "reserved", "signed", "failed"})
"""Of a job whose transaction the chain has not taken."""


class RecordQuery(FreshQuery):
    """A record of a public key's; none is needed where one alone published that id."""

    pubkey: Maybe[PubkeyText] = None


class TimestampsView(BaseModel):
    """When a job was queued, its transaction first taken by the chain, and found in its block."""

    createdAt: str  # noqa: N815  # the protocol's own name
    sentAt: str | None = None  # noqa: N815  # as above
    confirmedAt: str | None = None  # noqa: N815  # as above


class JobView(BaseModel):
    """A job: what became of it, its transaction and output there, and how many blocks stand on it, up to six."""

    model_config = ConfigDict(title="Job")

    jobId: str  # noqa: N815  # the protocol's own name
    recordId: str  # noqa: N815  # as above
    status: str
    txid: str | None = None
    vout: int | None = None
    confirmations: int | None = None
    timestamps: TimestampsView
    error: str | None = None


class PublishedRecordView(BaseModel):
    """A rights record as it was signed, and its job."""

    model_config = ConfigDict(title="PublishedRecord")

    record: dict[str, Any]
    hash: str
    signer: dict[str, str]
    signature: str
    job: JobView


class ProofView(BaseModel):
    """All that is needed to check without us that a record was signed and anchored; bytes are in hex."""

    model_config = ConfigDict(title="Proof")

    canonical: str
    hash: str
    signer: dict[str, str]
    signature: str
    txid: str
    vout: int
    rawTx: str  # noqa: N815  # the protocol's own name
    spent: list[dict[str, Any]]
    bump: str
    blockHeader: str  # noqa: N815  # as above
    height: int


async def shown(asked: Asked, stored: StoredJob) -> JsonObject:
    """Show a job."""
    view: JsonObject = {"jobId": stored.job_id, "recordId": stored.record_id, "status": stored.status}
    times: JsonObject = {"createdAt": rfc3339(stored.at)}
    if stored.txid is not None and stored.vout is not None:
        view |= {"txid": stored.txid, "vout": stored.vout}
    if stored.sent_at is not None:
        times["sentAt"] = rfc3339(stored.sent_at)
    if stored.height is not None and stored.confirmed_at is not None:
        times["confirmedAt"] = rfc3339(stored.confirmed_at)
        chain: Anchorage | None = asked.api.anchorage
        tip = None if chain is None else await chain.tip()
        # A block that the chain reorganised away is told by the observer; until then it is one confirmation.
        view["confirmations"] = 1 if tip is None else max(1, min(REPORTED, tip.height - stored.height + 1))
    elif stored.status not in UNHEARD:
        view["confirmations"] = 0
    view["timestamps"] = times
    return view if stored.reason is None or stored.status != "failed" else view | {"error": stored.reason}


async def show_job(asked: Asked) -> web.StreamResponse:
    """Show what became of a job."""
    job_id = asked.path("jobId").replace("\0", "")

    async def ask(transaction: Transaction, generation: Generation) -> StoredJob | None:
        return await publishing_queries.job(transaction, generation, job_id)

    found, headers = await read(asked, CONTEXT, ask)
    if found is None:
        raise ProblemError("not_found", "there is no such job", headers=headers)
    return json_response(await shown(asked, found), headers=headers)


def _only(found: list[StoredJob]) -> StoredJob:
    """Give the one job that a record's id names; raises ``not_found``, ``ambiguous_record``."""
    if not found:
        raise ProblemError("not_found", "there is no record of this id")
    if len(found) > 1:
        keys: list[JsonValue] = [each.pubkey for each in found]
        raise ProblemError("ambiguous_record", "name whose record is meant: ?pubkey=", members={"pubkeys": keys})
    return found[0]


async def show_record(asked: Asked) -> web.StreamResponse:
    """Show a rights record as it was signed."""
    record_id = _record_id(asked)

    async def ask(transaction: Transaction, generation: Generation) -> list[StoredJob]:
        return await publishing_queries.jobs_of_record(transaction, generation, record_id, asked.query.pubkey)

    jobs, headers = await read(asked, CONTEXT, ask)
    found = _only(jobs)
    view: JsonObject = {"record": strict_json.parse_own(found.record), "hash": found.hash}
    view |= {"signer": {"pubkey": found.pubkey}, "signature": found.signature, "job": await shown(asked, found)}
    return json_response(view, headers=headers)


def _record_id(asked: Asked) -> str:
    record_id = asked.path("recordId")
    if len(record_id) > RECORD_ID_MAX or "\0" in record_id:
        raise ProblemError("not_found", "there is no record of this id")
    return record_id


async def show_proof(asked: Asked) -> web.StreamResponse:
    """Give the proof that a record is anchored."""
    record_id = _record_id(asked)

    async def ask(
        transaction: Transaction, generation: Generation
    ) -> tuple[list[StoredJob], StoredProof | None, list[StoredOutput | None]]:
        jobs = await publishing_queries.jobs_of_record(transaction, generation, record_id, asked.query.pubkey)
        if len(jobs) != 1 or jobs[0].batch_id is None:
            return jobs, None, []
        proof = await publishing_queries.proof(transaction, generation, jobs[0].batch_id)
        if proof is None or proof.raw is None:
            return jobs, None, []
        outpoints = [each.outpoint for each in read_transaction(proof.raw).inputs]
        return jobs, proof, await publishing_queries.batch_outputs(transaction, generation, outpoints)

    (jobs, proof, spent), headers = await read(asked, CONTEXT, ask)
    found = _only(jobs)
    if proof is None or proof.raw is None or proof.bump is None or proof.header is None:
        raise ProblemError("not_confirmed", members={"jobId": found.job_id, "job_status": found.status})
    view: JsonObject = {"canonical": found.record, "hash": found.hash, "signer": {"pubkey": found.pubkey}}
    view |= {"signature": found.signature, "txid": proof.txid, "vout": found.vout, "rawTx": proof.raw.hex()}
    view["spent"] = [{"satoshis": each.satoshis, "script": each.script} for each in spent if each is not None]
    view |= {"bump": proof.bump.hex(), "blockHeader": proof.header.hex(), "height": proof.height}
    return json_response(view, headers=headers)


ROUTES = [
    Route(
        "GET",
        "/v1/job/{jobId}",
        show_job,
        "What became of a job",
        query_model=FreshQuery,
        responses={200: JobView},
        problems=(*PROBLEMS, "not_found"),
    ),
    Route(
        "GET",
        "/v1/record/{recordId}",
        show_record,
        "A rights record as it was signed",
        query_model=RecordQuery,
        responses={200: PublishedRecordView},
        problems=(*PROBLEMS, "not_found", "ambiguous_record"),
    ),
    Route(
        "GET",
        "/v1/record/{recordId}/proof",
        show_proof,
        "The proof that a rights record is anchored",
        query_model=RecordQuery,
        responses={200: ProofView},
        problems=(*PROBLEMS, "not_found", "ambiguous_record", "not_confirmed"),
    ),
]
