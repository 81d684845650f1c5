"""What an honest registry answers of a record that went from its intent to a block, to tell its story by."""

import json
from typing import Any, Final

from log.bitcoin import read_header
from log.intents import intent_signed_bytes, job_id
from tests.muniment.proving import HEIGHT, VOUT, proof
from tests.vectors.intents import secret

PROOF: Final = proof()
PUBKEY: Final[str] = PROOF["signer"]["pubkey"]
RECORD: Final[dict[str, Any]] = json.loads(PROOF["canonical"])
JOB_ID: Final = job_id(PUBKEY, intent_signed_bytes(RECORD))
BLOCK_HASH: Final = read_header(bytes.fromhex(PROOF["blockHeader"])).hash
SECRET: Final = secret("wren")
OUTPOINT: Final = "ab" * 32 + ":0"
STATUSES: Final = ("queued", "reserved", "signed", "sent", "seen", "confirmed")


def step(event_type: str, at: int, resource: str = "bat_1", action: str = "", **details: Any) -> dict[str, Any]:
    """Give an event of the trail at a second."""
    kind = {"bat": "batch", "job": "job", PUBKEY[:3]: "publisher"}.get(resource[:3], "pool")
    found = {"event_type": event_type, "resource_type": kind, "resource_id": resource, "action": action}
    actor = PUBKEY if event_type == "JobQueued" else None
    found |= {"details": details, "created_at": f"2026-01-02T03:04:{at:02}.000Z", "position": "cA"}  # type: ignore[dict-item]  # JSON
    return {**found, "actor_pubkey": actor}


def vouching() -> list[dict[str, Any]]:
    """Give the trail of the key."""
    told = {"label": "Wren", "registeredBy": "did:key:z6Mk", "authority": "facts/0/1"}
    return [step("PublisherRegistered", 1, PUBKEY, "registered", **told)]


def trail(until: str = "confirmed") -> list[dict[str, Any]]:
    """Give the trail of the job, as far as it is."""
    jobs = [f"job_{number}" for number in range(5)]
    jobs[VOUT] = JOB_ID
    told = {name: RECORD[name] for name in ("recordId", "nonce", "timestamp", "uri")}
    steps = [
        step("JobQueued", 2, JOB_ID, "queued", hash=PROOF["hash"], priority="batch", **told),
        step("BatchReserved", 3, action="reserved", jobIds=jobs, outpoints=[OUTPOINT], expiresAt="later"),
        step("BatchSigned", 4, action="signed", txid=PROOF["txid"], fee="7", change=[]),
        step("BatchSent", 5, action="sent"),
        step("BatchSeen", 6, action="seen"),
        step("BatchConfirmed", 7, action="confirmed", height=HEIGHT, blockHash=BLOCK_HASH),
    ]
    return steps[: STATUSES.index(until) + 1]


def record(until: str = "confirmed") -> dict[str, Any]:
    """Give the record as it is read."""
    job = {"jobId": JOB_ID, "recordId": RECORD["recordId"], "status": until, "timestamps": {"createdAt": "then"}}
    signed = {name: PROOF[name] for name in ("hash", "signer", "signature")}
    return {"record": RECORD, **signed, "job": job}


def block() -> dict[str, Any]:
    """Give the block as the registry sees it."""
    header = PROOF["blockHeader"]
    return {"height": HEIGHT, "hash": BLOCK_HASH, "previous": "", "merkleRoot": "", "time": "then", "header": header}
