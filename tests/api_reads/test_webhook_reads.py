"""Webhooks over HTTP: an admin sees endpoints and what is due to them, and no secret."""

import asyncio
import json
from typing import Any

import pytest

from api.wiring import ApiSettings
from domain.facts.webhook import DisableWebhook, ReportAttempt, ScheduleDelivery
from log import released, topic
from log.message import Command
from log.scope import command_id
from log.topic import partition_of
from tests.api.serving import PARTITIONS, Registry

pytestmark = pytest.mark.stack


async def append(registry: Registry, payload: Any) -> None:
    """Append what a reactor would."""
    name = command_id("reactor", bytes(32))
    command = Command(name, type(payload).__name__, "reactor", None, bytes(32), payload, None)
    value = released.codec("facts", "command").encode(command)
    partition = partition_of(payload.webhook_id, PARTITIONS)
    await (await registry.log.append(topic.commands("facts"), partition, [(payload.webhook_id.encode(), value)]))


async def register(registry: Registry, number: int = 0) -> dict[str, Any]:
    """Register an endpoint."""
    registry.api.settings = ApiSettings(any_webhook_target=True)
    sent = {"url": f"http://127.0.0.1:9/{number}"}
    answer = await registry.ask("POST", "/webhooks", sent, by=registry.operator)
    assert answer.status == 201, answer.text
    return {**answer.json, "at": answer.headers["Muniment-Position"]}


async def test_endpoints_are_listed_without_their_secret_until_they_are_deleted(registry: Registry) -> None:
    made = sorted([await register(registry, number) for number in range(3)], key=lambda hook: hook["id"])
    for hook in made:
        answer = await registry.ask("GET", f"/webhooks/{hook['id']}?min_position={hook['at']}", by=registry.operator)
        assert (answer.status, answer.json["url"]) == (200, hook["url"])
        assert hook["secret"] not in answer.text
    first = await registry.ask("GET", "/webhooks?limit=2", by=registry.operator)
    gone = await registry.ask("DELETE", f"/webhooks/{made[2]['id']}", by=registry.operator)
    fresh = f"min_position={gone.headers['Muniment-Position']}"
    rest = await registry.ask(
        "GET", f"/webhooks?limit=2&{fresh}&cursor={first.json['next_cursor']}", by=registry.operator
    )
    listed = first.json["items"] + rest.json["items"]
    assert [item["id"] for item in listed] == [hook["id"] for hook in made], "what there was when the walk began"
    assert all(hook["secret"] not in first.text + rest.text for hook in made)
    now = await registry.ask("GET", f"/webhooks?{fresh}", by=registry.operator)
    assert [item["id"] for item in now.json["items"]] == [hook["id"] for hook in made[:2]]
    for path in ("", "/deliveries"):
        answer = await registry.ask("GET", f"/webhooks/{made[2]['id']}{path}", by=registry.operator)
        assert (answer.status, answer.code) == (404, "not_found")


async def test_deliveries_show_what_came_of_them_and_parked_ones_are_found(registry: Registry) -> None:
    hook = (await register(registry))["id"]
    for number in range(4):
        body = json.dumps({"id": f"fct_{number}"})
        await append(registry, ScheduleDelivery(hook, f"facts/0/{number}", "", body))
    await append(registry, ReportAttempt(hook, 1, 1, "delivered", 204, "", None))
    await append(registry, ReportAttempt(hook, 2, 1, "failed", 500, "it said 500", 1_760_000_000_000))
    await append(registry, ReportAttempt(hook, 3, 2, "parked", None, "no answer", None))
    await append(registry, DisableWebhook(hook, "gone (410)"))
    await append(registry, ScheduleDelivery(hook, "facts/0/9", "", "{}"))
    async with asyncio.timeout(5):
        while True:
            answer = await registry.ask("GET", f"/webhooks/{hook}/deliveries", by=registry.operator)
            if len(answer.json.get("items", [])) == 5:
                break
    items = answer.json["items"]
    assert [(item["sequence"], item["status"]) for item in items] == [
        (5, "parked"), (4, "pending"), (3, "parked"), (2, "failed"), (1, "delivered"),
    ]  # fmt: skip
    assert items[3]["response_status"] == 500
    assert items[3]["retry_at"] == "2025-10-09T08:53:20.000Z"
    assert items[4]["body"] == {"id": "fct_0", "sequence": 1}
    parked = await registry.ask("GET", f"/webhooks/{hook}/deliveries?status=parked", by=registry.operator)
    assert [item["sequence"] for item in parked.json["items"]] == [5, 3]
    first = await registry.ask("GET", f"/webhooks/{hook}/deliveries?limit=3", by=registry.operator)
    cursor = first.json["next_cursor"]
    rest = await registry.ask("GET", f"/webhooks/{hook}/deliveries?limit=3&cursor={cursor}", by=registry.operator)
    assert first.json["items"] + rest.json["items"] == items
    shown = await registry.ask("GET", f"/webhooks/{hook}", by=registry.operator)
    assert (shown.json["status"], shown.json["status_reason"]) == ("disabled", "gone (410)")


async def test_only_an_admin_reads_webhooks(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    hook = (await register(registry))["id"]
    for path in ("/webhooks", f"/webhooks/{hook}", f"/webhooks/{hook}/deliveries"):
        assert (await registry.ask("GET", path)).code == "unauthenticated"
        assert (await registry.ask("GET", path, by=curator)).code == "forbidden"
