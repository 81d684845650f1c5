"""What OpenAPI tells of publishing's routes: all that deciders refuse, and what a process says that just started."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from api import chain, openapi, pool, publish, publish_jobs, publish_trail, publishers
from domain.publishing.anchoring import AnchoringRefusal
from domain.publishing.job import JobRefusal
from domain.publishing.output import FundingRefusal
from domain.publishing.publisher import PublisherRefusal

MODULES = (chain, pool, publish, publish_jobs, publish_trail, publishers)
REFUSALS: Mapping[str, tuple[type[StrEnum], set[str]]] = {
    "post /v1/publish": (JobRefusal, {"nothing_to_do"}),
    "post /v1/keys": (PublisherRefusal, {"not_found"}),
    "delete /v1/keys/{pubkey}": (PublisherRefusal, {"already_registered"}),
    "post /v1/pool/fund": (FundingRefusal, set()),
    # What else is refused of a batch is refused to reactors, which choose jobs and sign.
    "post /v1/pool/split": (
        AnchoringRefusal,
        {str(code) for code in AnchoringRefusal} - {"output_not_available", "chain_too_long"},
    ),
}
"""By route the refusals of its decider, and those that are of its other commands."""


@pytest.fixture(scope="module")
def paths() -> Any:
    """Describe publishing's routes alone."""
    return openapi.document([route for module in MODULES for route in module.ROUTES], "http://registry.test")["paths"]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_route_tells_of_all_that_its_decider_refuses(paths: Any, name: str) -> None:
    method, path = name.split(" ")
    told = " ".join(answer["description"] for answer in paths[path][method]["responses"].values())
    enum, others = REFUSALS[name]
    assert all(f"{code}: " in told for code in {str(code) for code in enum} - others)


def test_who_is_not_let_in_by_a_process_that_just_started_is_told_so(paths: Any) -> None:
    for method, path in (("post", "/v1/devnet/mine"), ("get", "/v1/pool"), ("post", "/v1/keys")):
        assert "not_caught_up: " in paths[path][method]["responses"]["503"]["description"]


def test_an_answer_with_202_is_the_route_s_own_or_a_command_that_is_not_waited_for(paths: Any) -> None:
    for path, name in (("/v1/publish", "JobQueuedView"), ("/v1/pool/split", "SplitView")):
        content = paths[path]["post"]["responses"]["202"]["content"]["application/json"]
        own, pending = content["schema"]["anyOf"]
        assert own["$ref"].endswith(f"/{name}")
        assert pending["required"] == ["id", "type", "status"]
