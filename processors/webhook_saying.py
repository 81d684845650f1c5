"""What a delivery says of a change: the members of the read API's fact that a receiver acts on.

``status`` and ``key_compromised`` are as of the change, and ``position`` is the change's own, so that a receiver can
order what it hears of one fact and ask for a state that shows it (``min_position``).
"""

import json
from datetime import UTC, datetime

from domain.decider import Position
from log.token import token_of
from processors.agenda_entries import Due, FactEntry
from processors.webhook_jobs import CONTEXT


def written_time(at: int) -> str:
    """Write a time (ms since 1970 UTC) as RFC 3339 in UTC with milliseconds."""
    seconds, milliseconds = divmod(at, 1000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds:03d}Z"


def said_of(due: Due, fact: FactEntry) -> str:
    """Write the JSON object of a delivery, but for its ``sequence``."""
    origin, kind, ref, digest = fact.subject
    subject = {"origin": origin, "type": kind, "ref": ref} | ({} if digest is None else {"digest": digest})
    said = {
        "id": due.fact_id,
        "kind": fact.kind,
        "subject": subject,
        "issuer_did": fact.issuer_did,
        "status": due.status,
        **({"key_compromised": True} if due.compromised else {}),
        "issued_at": written_time(fact.issued_at),
        "position": token_of(Position(CONTEXT, due.partition, due.offset)),
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
