"""Text that isn't of its form is refused in words that say what is expected, never by a pattern."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.agent_cards import check_card
from api.application import routes
from api.developers import DeveloperRequest
from api.kind_schemas import check_body
from api.problems import ProblemError
from api.registries import FrameRequest, MoneyRequest
from api.route import Route
from api.shapes import fit
from api.stakes import StakeRequest
from domain.facts.kinds import KINDS

FRAME = {"mode": "sovereign", "minting": "disabled"}
STAKE = {"account": "acc_" + "a" * 26, "amount": "1", "lock_days": 0, "deadline": "2026-01-02T03:04:05Z"}


def patterns(schema: Any) -> Iterator[dict[str, Any]]:
    """Find everything in a JSON schema that a pattern holds for."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            yield from patterns(each)


@pytest.mark.parametrize(
    ("model", "sent", "pointer", "expected"),
    [
        (FrameRequest, {"frame_id": "No", **FRAME}, "/frame_id", "1 to 63 lower-case letters, digits and hyphens"),
        (MoneyRequest, {"account": "acc_1", "amount": "1"}, "/account", "an account's id"),
        (MoneyRequest, {"account": "acc_" + "a" * 26, "amount": "1.5"}, "/amount", "an amount of micro-AVT"),
        (StakeRequest, {**STAKE, "nonce": "short", "signature": "s"}, "/nonce", "16 to 64 printable ASCII characters"),
        (DeveloperRequest, {"did": "d", "name": "a\nb"}, "/name", "text without control characters"),
        (DeveloperRequest, {"did": "d", "name": "a", "email": "ada"}, "/email", "an address such as"),
    ],
)
def test_a_refusal_says_what_is_expected(model: Any, sent: dict[str, Any], pointer: str, expected: str) -> None:
    with pytest.raises(ProblemError) as refused:
        fit(model, sent)
    [(where, detail)] = refused.value.errors
    assert where == pointer
    assert detail.startswith(f"this must be {expected}")
    assert refused.value.detail == f"{pointer}: {detail}"


def test_a_length_is_refused_before_a_form() -> None:
    with pytest.raises(ProblemError) as refused:
        fit(DeveloperRequest, {"did": "d", "name": "\n" * 513})
    [(_, detail)] = refused.value.errors
    assert "at most 512 characters" in detail


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path}")
def test_whatever_has_a_pattern_says_what_is_expected(route: Route) -> None:
    models = [model for model in (route.request_model, route.query_model) if model is not None]
    for model in models:
        for formed in patterns(model.model_json_schema()):
            assert formed["description"], f"{model.__name__}: {formed}"


def test_a_body_of_a_fact_is_refused_in_the_same_words() -> None:
    body = {"issued_at": "2026-01-02T03:04:05Z", "linked_did": "nobody"}
    with pytest.raises(ProblemError) as refused:
        check_body("identity.link", body)
    assert refused.value.errors == [("/body/linked_did", "this must be a DID, such as did:web:example.org")]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_has_a_pattern_in_a_kind_says_what_is_expected(kind: str) -> None:
    assert all(formed["description"] for formed in patterns(dict(KINDS[kind].body_schema)))


def test_what_a_card_lacks_is_told_as_everywhere() -> None:
    with pytest.raises(ProblemError) as refused:
        check_card({"name": "", "skills": {}})
    told = dict(refused.value.errors)
    assert told["/card/version"] == "this member is missing"
    assert refused.value.code == "invalid_card"
