"""Webhooks: endpoints, deliveries numbered without gaps, attempts."""

from dataclasses import replace

import pytest

from domain.facts.webhook import (
    DeleteWebhook,
    DeliveryAttempted,
    DeliveryScheduled,
    DisableWebhook,
    RegisterWebhook,
    ReplayWebhook,
    ReportAttempt,
    RotateWebhookSecret,
    ScheduleDelivery,
    WebhookDeleted,
    WebhookDisabled,
    WebhookRegistered,
    WebhookReplayed,
    WebhookSecretRotated,
)
from tests.domain.scenario import NOON, Scenario

ADMIN = "did:key:admin"
REGISTERED = WebhookRegistered("wh_1", "https://example.org/hook", (), b"sealed", ADMIN, "facts/0/7")
SCHEDULE = ScheduleDelivery("wh_1", "facts/1/5", "", "{}")
SCHEDULED = DeliveryScheduled("wh_1", 1, "facts/1/5", "", "{}")
ATTEMPT = ReportAttempt("wh_1", 1, 1, "failed", 500, "internal server error", NOON + 1000)
ATTEMPTED = DeliveryAttempted("wh_1", 1, 1, "failed", 500, "internal server error", NOON + 1000)


@pytest.fixture
def scenario() -> Scenario:
    return Scenario()


def test_an_endpoint_is_registered_once(scenario: Scenario) -> None:
    command = RegisterWebhook("wh_1", "https://example.org/hook", (), b"sealed", "facts/0/7")
    scenario.when(command).then(REGISTERED)
    scenario.when(replace(command, url="https://example.org/other")).then_refused("already_registered")


def test_deliveries_are_numbered_without_gaps(scenario: Scenario) -> None:
    scenario.given(REGISTERED).when(SCHEDULE).then(SCHEDULED)
    scenario.when(replace(SCHEDULE, about="facts/1/6")).then(replace(SCHEDULED, sequence=2, about="facts/1/6"))


def test_an_attempt_is_reported_once_and_never_behind_a_later_one(scenario: Scenario) -> None:
    scenario.given(REGISTERED, SCHEDULED).when(ATTEMPT).then(ATTEMPTED)
    scenario.when(replace(ATTEMPT, detail="again")).then_refused("not_due", {"sequence": "1"})
    second = replace(ATTEMPT, attempt=2, outcome="delivered", status=204, detail="", retry_at=None)
    scenario.when(second)
    scenario.when(replace(second, attempt=3)).then_refused("not_due")


def test_a_disabled_endpoint_keeps_what_is_due_to_it(scenario: Scenario) -> None:
    scenario.given(REGISTERED).when(DisableWebhook("wh_1", "410")).then(WebhookDisabled("wh_1", "410"))
    scenario.when(DisableWebhook("wh_1", "410 again")).then_refused("not_active")
    scenario.when(SCHEDULE).then(SCHEDULED)
    assert scenario.state["delivery/wh_1/1"] == (0, True)


def test_a_deleted_endpoint_hears_of_nothing_more(scenario: Scenario) -> None:
    scenario.given(REGISTERED).when(DeleteWebhook("wh_1", "facts/0/7")).then(WebhookDeleted("wh_1", ADMIN))
    scenario.when(SCHEDULE).then_refused("not_found")
    scenario.when(DeleteWebhook("wh_1", "facts/0/8")).then_refused("not_found")


def test_a_secret_rotates_with_an_overlap(scenario: Scenario) -> None:
    scenario.given(REGISTERED).when(RotateWebhookSecret("wh_1", b"new", 60_000, "facts/0/7"))
    scenario.then(WebhookSecretRotated("wh_1", b"new", NOON + 60_000, ADMIN))


def test_a_replay_is_asked_for_by_name(scenario: Scenario) -> None:
    scenario.given(REGISTERED).when(ReplayWebhook("wh_1", "again", "0", "facts/0/7"))
    scenario.then(WebhookReplayed("wh_1", "again", "0", ADMIN))
