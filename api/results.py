"""The answer that a decision gives: for each type of event, its status and the object that it shows."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from api.appending import IMAGINED, Sent, Settled, imagine, known_outcome, send, settle
from api.did_results import DID_RESULTS, operation_again, telling
from api.fact_view import Status, fact_as_it_is, fact_view, status_reason
from api.freshness import POSITION, as_of
from api.intent import Intent
from api.ledger_results import LEDGER_RESULTS, SIGNED_EVENTS
from api.media_results import MEDIA_RESULTS
from api.place import Place, Shown
from api.problems import ProblemError, of_refusal
from api.publish_results import PUBLISH_RESULTS
from api.record_results import RECORD_RESULTS
from api.route import Asked, json_response
from api.session_results import SESSION_RESULTS
from api.times import rfc3339
from api.wiring import CONTEXT, Api
from domain.catalog import NAMES
from domain.decider import Refusal
from domain.did import identity
from domain.facts import fact as facts
from domain.facts import playlist, signer, webhook
from domain.json_value import JsonObject, JsonValue
from log import strict_json
from log.fold import Overlay
from log.following import Decided
from log.sealing import unseal
from log.token import token_at
from projections.identity import OPERATIONS
from projections.issued import as_issued, as_standing, issued

HIT = "Idempotency-Hit"
NO_CONTENT = 204
DPVERSION = "1.0.0"
SHOWN_ONCE = ("secret", "codes")
"""What only the answer that made it may show."""


class SignerView(BaseModel):
    """A DID that has roles."""

    model_config = ConfigDict(title="Signer")

    did: str
    roles: list[str]
    added_by: str
    added_at: str
    revoked_at: str | None = None


class PlaylistView(BaseModel):
    """A playlist as it was posted."""

    model_config = ConfigDict(title="PostedPlaylist")

    dpVersion: str  # noqa: N815  # the feed's own name
    id: str
    slug: str
    title: str
    created: str
    items: list[dict[str, Any]]


class WebhookView(BaseModel):
    """An endpoint; ``secret`` is there once, in the answer that made it."""

    model_config = ConfigDict(title="Webhook")

    id: str
    url: str | None = None
    kinds: list[str] | None = None
    status: str
    secret: str | None = None
    overlap_until: str | None = None
    replay: str | None = None
    since: str | None = None


def _issued(_api: Api, event: facts.FactIssued, place: Place) -> Shown:
    return 201, fact_view(event.fact_id, as_issued(event, *place[:3]), Status("active"))


def _changed(status: str) -> Callable[[Api, Any, Place], Shown]:
    def show(api: Api, event: Any, place: Place) -> Shown:
        shown = issued(api.mirror.store, event.fact_id)
        if shown is None:
            raise ProblemError("not_caught_up", headers={"Retry-After": "1"})
        against = as_standing(event, CONTEXT, place.partition, place.offset)
        reason = None if against is None else status_reason(against)
        return 200, fact_view(event.fact_id, shown, Status(status, reason, event.compromised_by))

    return show


def _signer_added(_api: Api, event: signer.SignerAdded, place: Place) -> Shown:
    view: JsonObject = {"did": event.did, "roles": list(event.roles), "added_by": event.added_by}
    return 201, view | {"added_at": rfc3339(place.at)}


def _known_signer(api: Api, did: str) -> JsonObject:
    known = signer.signer(api.mirror.store, identity(did))  # type: ignore[arg-type]  # only asked by key
    if known is None:
        raise ProblemError("not_caught_up", headers={"Retry-After": "1"})
    view: JsonObject = {"did": did, "roles": list(known.roles), "added_by": known.added_by}
    return view | {"added_at": rfc3339(known.added_at)}


def _roles_set(api: Api, event: signer.SignerRolesSet, _place: Place) -> Shown:
    return 200, _known_signer(api, event.did) | {"roles": list(event.roles)}


def _signer_revoked(api: Api, event: signer.SignerRevoked, place: Place) -> Shown:
    return 200, _known_signer(api, event.did) | {"revoked_at": rfc3339(place.at)}


def _playlist_posted(_api: Api, event: playlist.PlaylistPosted, _place: Place) -> Shown:
    view: JsonObject = {"dpVersion": DPVERSION, "id": event.playlist_id, "slug": event.slug, "title": event.title}
    return 201, view | {"created": rfc3339(event.created), "items": strict_json.parse_own(event.items)}


def _webhook_registered(api: Api, event: webhook.WebhookRegistered, _place: Place) -> Shown:
    view: JsonObject = {"id": event.webhook_id, "url": event.url, "kinds": list(event.kinds), "status": "active"}
    return 201, view | {"secret": unseal(api.sealing_key, event.sealed_secret)}


def _secret_rotated(api: Api, event: webhook.WebhookSecretRotated, _place: Place) -> Shown:
    secret = unseal(api.sealing_key, event.sealed_secret)
    overlap = rfc3339(event.overlap_until)
    return 200, {"id": event.webhook_id, "status": "active", "secret": secret, "overlap_until": overlap}


def _webhook_deleted(_api: Api, event: webhook.WebhookDeleted, _place: Place) -> Shown:
    return 200, {"id": event.webhook_id, "status": "deleted"}


def _webhook_replayed(_api: Api, event: webhook.WebhookReplayed, _place: Place) -> Shown:
    return 200, {"id": event.webhook_id, "status": "active", "replay": event.replay, "since": event.since}


RESULTS: Mapping[type, Callable[[Api, Any, Place], Shown]] = {
    facts.FactIssued: _issued,
    facts.FactRevoked: _changed("revoked"),
    facts.FactQuarantined: _changed("quarantined"),
    facts.FactReleased: _changed("active"),
    signer.SignerAdded: _signer_added,
    signer.SignerRolesSet: _roles_set,
    signer.SignerRevoked: _signer_revoked,
    playlist.PlaylistPosted: _playlist_posted,
    webhook.WebhookRegistered: _webhook_registered,
    webhook.WebhookSecretRotated: _secret_rotated,
    webhook.WebhookDeleted: _webhook_deleted,
    webhook.WebhookReplayed: _webhook_replayed,
    **LEDGER_RESULTS,
    **RECORD_RESULTS,
    **MEDIA_RESULTS,
    **SESSION_RESULTS,
    **DID_RESULTS,
    **PUBLISH_RESULTS,
}


def position_of(decided: Decided) -> str:
    """Write the token of a decision."""
    return token_at(decided.context, decided.partition, decided.offset)


def shown(api: Api, decided: Decided) -> Shown:
    """Show what a decision did; raises its refusal as a problem."""
    decision = decided.decision
    if decision.refusal is not None:
        raise of_refusal(Refusal(decision.refusal.code, decision.refusal.details))
    event = telling(decision.events)
    show = RESULTS.get(type(event))
    if show is None:
        return 200, {"event": decision.events[0].type}
    place = Place(decision.at, decided.partition, decided.offset, decision.command_id)
    return show(api, event, place)


def answer(api: Api, settled: Settled) -> tuple[int, JsonObject, dict[str, str]]:
    """Give the status, body and headers that answer a write; raises the problem that it met."""
    if isinstance(settled, ProblemError):
        raise settled
    headers = {HIT: "true"} if settled.hit else {}
    fact_id, decided = settled.fact_id, settled.decided
    if decided is None or (settled.hit and (fact_id := _fact_of(decided)) is not None):
        now = fact_as_it_is(api.mirror.store, fact_id or "")
        if now is None:
            raise ProblemError("not_caught_up", headers={"Retry-After": "1"})
        return 200, now, headers | {POSITION: str(now["position"])}
    headers[POSITION] = position_of(decided)
    if settled.hit and (document := operation_again(api, decided)) is not None:
        return 200, document, headers
    try:
        status, body = shown(api, decided)
    except ProblemError as problem:
        problem.headers = {**problem.headers, **headers}
        raise
    if settled.hit and isinstance(telling(decided.decision.events), (*SIGNED_EVENTS, *OPERATIONS)):
        status = 200  # what is signed is there already: nothing is made or set off again
    return status, body, headers


def _fact_of(decided: Decided) -> str | None:
    """Name the fact that a repeated request is answered with as it is now: issued by it, or there before it."""
    refusal = decided.decision.refusal
    if refusal is not None:
        return refusal.details.get("fact_id") if refusal.code == "repeated" else None
    event = decided.decision.events[0].payload
    return event.fact_id if isinstance(event, facts.FactIssued) else None


def wants_async(asked: Asked) -> bool:
    """Tell whether the caller prefers not to wait (RFC 7240)."""
    preferred = asked.request.headers.get("Prefer")
    return preferred is not None and any(
        part.split(";")[0].strip().lower() == "respond-async" for part in preferred.split(",")
    )


def as_it_is(body: JsonObject) -> JsonObject:
    """Show a body as its event has it."""
    return body


async def write(asked: Asked, intent: Intent, show: Callable[[JsonObject], JsonObject] = as_it_is) -> web.Response:
    """Answer a write: with its decision, at once with 202, or with what a decision would be.

    ``show`` adds what the request has and the log has not.
    """
    if asked.query.dry_run:
        return await _dry_run(asked.api, intent, show)
    if wants_async(asked):
        sent = await send(asked.api, intent)
        if isinstance(sent, Sent):
            body: JsonObject = {"id": sent.command_id, "type": sent.type, "status": "pending"}
            headers = {"Location": f"/commands/{sent.command_id}", "Preference-Applied": "respond-async"}
            return json_response(body, 202, headers)
        settled: Settled = sent
    else:
        settled = (await settle(asked.api, [intent]))[0]
    status, shown_body, headers = answer(asked.api, settled)
    if status == NO_CONTENT:
        return web.Response(status=status, headers=headers)
    return json_response(show(shown_body), status, headers)


async def imagined(api: Api, intent: Intent, before: Overlay | None = None) -> tuple[int, JsonObject, dict[str, str]]:
    """Give the status, body and hit that a write would be answered with, without a position; raises its refusal."""
    known = await known_outcome(api, intent)
    if known is None:
        event, now = imagine(api, intent, before)
        status, body = RESULTS[type(event)](api, event, Place(now, api.partition(intent.key), IMAGINED, intent.id))
        headers: dict[str, str] = {}
        for once in SHOWN_ONCE:
            body.pop(once, None)
    else:
        status, body, headers = answer(api, known)
    shown_body = {name: value for name, value in body.items() if name != "position"}
    return status, shown_body, {name: value for name, value in headers.items() if name == HIT}


async def _dry_run(api: Api, intent: Intent, show: Callable[[JsonObject], JsonObject]) -> web.Response:
    """Say what would have happened: a refusal as its problem, else the result without a position."""
    headers = as_of(api.mirror)
    _, body, hit = await imagined(api, intent)
    return dry_answer(intent, show(body), headers | hit)


def dry_answer(intent: Intent, shown_body: JsonObject, headers: Mapping[str, str]) -> web.Response:
    """Say that an intent would have been accepted, and what would have come of it."""
    result: dict[str, JsonValue] = {
        "dry_run": True,
        "type": NAMES[type(intent.payload)],
        "status": "accepted",
        "result": shown_body,
    }
    return json_response(result, 200, headers)
