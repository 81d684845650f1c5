"""One message of each type, written for ever; `python -m tests.schemas.canonical_messages` adds what is missing."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from domain.catalog import BY_CLASS, CATALOG
from domain.facts import fact, mark, playlist, signer, webhook
from domain.message_type import MessageType
from domain.publishing import anchoring, job
from domain.records.media import SweepMedia
from log import released, topic
from log.chain import chain_start
from log.message import Command, Decision, Happening, Refused, Signature
from log.scope import command_id
from processors.audit_names import REACTOR
from processors.audit_statements import OF_REACTORS
from tests.schemas.identity_messages import IDENTITY_PAYLOADS
from tests.schemas.ledger_messages import LEDGER_PAYLOADS
from tests.schemas.publishing_messages import PUBLISHING_PAYLOADS
from tests.schemas.records_messages import RECORDS_PAYLOADS

FOLDER = released.FOLDER / "examples"
DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
FACT = "fct_o5ekwi3jv7tdbqawfx2o74rmjtxjctrqg6kziwh3okdbfwferv2a"
HOOK = "whk_aebagbafaydqqcikbmga2dqp"
AT = 1_760_324_400_000
HERE = "facts/1/12"
WORD = "KeyRevoked identity/1/12"
SUBJECT = fact.Subject("feed.ff", "playlist", "pl_1", None)
BODY = '{"issued_at":"2025-10-13T03:00:00.000Z","reason":"a good one"}'
SIGNATURE = "c2lnbmF0dXJl"
ISSUED = (FACT, "endorsement.star", SUBJECT, DID, BODY, "Ym9keSBoYXNo", "ed25519", None, SIGNATURE, AT, AT + 1, "")
REVOKED = (FACT, DID, "a mistake", "ed25519", None, SIGNATURE)
POSTED = ("pl_1", "first", "The first", AT, '[{"source":"https://example.org/1"}]')
TRIED = (HOOK, 7, 2, "failed", 500, "the endpoint answered 500", AT + 5000)
DUE = (HOOK, "facts/1/12", "", '{"id":"' + FACT + '","status":"active"}')

PAYLOADS: tuple[Any, ...] = (
    signer.AddSigner(DID, ("curator",), HERE),
    signer.RevokeSigner(DID, HERE),
    signer.SignerAdded(DID, ("curator", "admin"), DID, HERE, reinstated=False),
    signer.SignerRolesSet(DID, ("institution",), DID, HERE),
    signer.SignerRevoked(DID, DID, HERE),
    fact.IssueFact(*ISSUED),
    fact.RevokeFact(*REVOKED),
    fact.ExpireFact(FACT),
    fact.QuarantineFact(FACT, "under review", HERE),
    fact.ReleaseFact(FACT, HERE),
    fact.FactIssued(*ISSUED),
    fact.FactRevoked(*REVOKED),
    fact.FactExpired(FACT),
    fact.FactQuarantined(FACT, "under review", DID),
    fact.FactReleased(FACT, DID),
    mark.MarkFactKey(FACT, WORD),
    mark.ClearFactKey(FACT, WORD),
    mark.FactKeyCompromised(FACT, "active", WORD),
    mark.FactKeyCleared(FACT, "active", WORD),
    playlist.PostPlaylist(*POSTED, HERE),
    playlist.PlaylistPosted(*POSTED, DID),
    webhook.RegisterWebhook(HOOK, "https://example.org/hook", ("endorsement.star",), b"sealed", HERE),
    webhook.RotateWebhookSecret(HOOK, b"sealed anew", 86_400_000, HERE),
    webhook.DeleteWebhook(HOOK, HERE),
    webhook.ReplayWebhook(HOOK, "replay-1", "0", HERE),
    webhook.ScheduleDelivery(*DUE),
    webhook.ReportAttempt(*TRIED),
    webhook.DisableWebhook(HOOK, "the endpoint answered 410"),
    webhook.WebhookRegistered(HOOK, "https://example.org/hook", ("endorsement.star",), b"sealed", DID, HERE),
    webhook.WebhookSecretRotated(HOOK, b"sealed anew", AT, DID),
    webhook.WebhookDeleted(HOOK, DID),
    webhook.WebhookDisabled(HOOK, "the endpoint answered 410"),
    webhook.WebhookReplayed(HOOK, "replay-1", "0", DID),
    webhook.DeliveryScheduled(HOOK, 7, *DUE[1:]),
    webhook.DeliveryAttempted(*TRIED),
    *IDENTITY_PAYLOADS,
    *LEDGER_PAYLOADS,
    *RECORDS_PAYLOADS,
    *PUBLISHING_PAYLOADS,
)


BY_REACTORS: tuple[type, ...] = (
    *OF_REACTORS,
    SweepMedia,
    job.HoldJobs,
    anchoring.ReserveBatch,
    anchoring.ReleaseBatch,
    anchoring.SignBatch,
    anchoring.NoteSent,
    anchoring.NoteSeen,
    anchoring.NoteConfirmed,
    anchoring.NoteReorged,
    anchoring.FailBatch,
)


def message_of(payload: Any) -> Command | Decision:
    """Put a payload into the message that carries it."""
    entry = BY_CLASS[type(payload)]
    request = hashlib.sha256(entry.name.encode()).digest()
    name = command_id(DID, request, idempotency_key="example")
    if isinstance(payload, BY_REACTORS):
        asked = hashlib.sha256(b"example").digest()
        return Command(
            command_id(REACTOR, asked, content_id="example"), entry.name, REACTOR, None, asked, payload, None
        )
    if entry.role == "command":
        signature = Signature("ed25519", DID, None, b"muniment-session-v1\nissuer\n" + DID.encode() + b"\nn", SIGNATURE)
        return Command(name, entry.name, DID, "example", request, payload, signature)
    prev = chain_start(topic.events(entry.context), 1)
    return Decision(prev, name, 12, AT, (Happening(entry.name, entry.version, payload),), None)


def refused() -> Decision:
    """Give the example of a refusal."""
    name = command_id(DID, hashlib.sha256(b"refused").digest(), idempotency_key="example")
    details = Refused("already_active", {"fact_id": FACT})
    return Decision(chain_start("muniment.facts.events", 1), name, 13, AT, (), details)


def as_json(value: Any) -> Any:
    """Give a message as JSON's values; bytes are in hex."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    return value


def role_of(entry: MessageType) -> released.Role:
    """Name the message that carries a type."""
    return "command" if entry.role == "command" else "decision"


def examples() -> Iterable[tuple[str, str, released.Role, Command | Decision]]:
    """Give (name, context, role, message) of every example."""
    by_type = {type(payload): payload for payload in PAYLOADS}
    for entry in CATALOG:
        yield entry.name, entry.context, role_of(entry), message_of(by_type[entry.cls])
    yield "Refused", "facts", "decision", refused()


def write() -> None:
    """Write the examples that aren't there; one that is there stays as it is."""
    FOLDER.mkdir(exist_ok=True)
    for name, context, role, message in examples():
        path = FOLDER / f"{name}.json"
        if not path.exists():
            value = released.codec(context, role).encode(message)
            shown = {"name": name, "context": context, "message": role, "value": as_json(message), "hex": value.hex()}
            path.write_text(json.dumps(shown, indent=1) + "\n")


if __name__ == "__main__":
    write()
