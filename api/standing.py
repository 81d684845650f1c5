"""How the whole registry stands, as its operator is told: what the processes say of themselves, put together."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from api.times import rfc3339
from api.wiring import CONTEXT, Api
from domain.catalog import CONTEXTS
from domain.json_value import JsonObject
from log.status import AUDITOR, ProcessStatus
from projections.postgres import PostgresUnavailable
from projections.reads import READ

POSTGRES_TIMEOUT_S = 2.0
AVAILABLE, UNAVAILABLE = "ok", "unavailable"

Offsets = Mapping[int, int]
"""By partition, the offset of the last decision."""


async def standing(api: Api) -> JsonObject:
    """Tell of the broker, Postgres, the projections' lag, the partitions' writers, leader and tasks, the last audit."""
    writers = _writers(api)
    behind = _of_context(api.mirror.reached, CONTEXT)
    heads = dict(api.mirror.reached)
    for where, (_, said) in writers.items():
        if isinstance(position := said.get("position"), int):
            heads[where] = max(position, heads.get(where, -1))
    postgres, tables = await _tables(api)
    leaders = [entry.name for entry in api.status.standings("reactor") if not entry.stale and entry.detail.get("leads")]
    audits = api.status.standings(AUDITOR)
    return {
        **api.health,
        "postgres": postgres,
        "projections": {
            name: {"lag": _lag(_of_context(heads, READ.get(name, CONTEXT)), reached)}
            for name, reached in [*tables.items(), ("playlists", behind)]
        },
        "partitions": {
            f"{context}/{partition}": {"writer": name, "position": said.get("position")}
            for (context, partition), (name, said) in sorted(writers.items())
        },
        "leader": leaders[0] if leaders else None,
        "tasks": _tasks(api),
        "audit": {**audits[-1].detail, "at": rfc3339(audits[-1].at)} if audits else None,
        "processes": {entry.name: _process(entry) for entry in api.status.standings() if entry.kind != AUDITOR},
        "position": {f"{context}/{part}": offset for (context, part), offset in sorted(api.mirror.reached.items())},
    }


def _tasks(api: Api) -> JsonObject:
    """Give for each periodic task its last run by whoever led then: when, by which reactor, and what came of it."""
    found: dict[str, dict[str, Any]] = {}
    for entry in api.status.standings("reactor"):
        said = entry.detail.get("tasks")
        for name, task in said.items() if isinstance(said, dict) else ():
            if not isinstance(task, dict) or not isinstance(last_run := task.get("last_run", 0), int):
                continue
            if last_run > found.get(name, {}).get("last_run", -1):
                found[name] = {**task, "reactor": entry.name, "last_run": last_run}
    for task in found.values():
        task["last_run"] = rfc3339(task["last_run"]) if task["last_run"] else None
    return {name: found[name] for name in sorted(found)}


def _of_context(positions: Mapping[tuple[str, int], int], of: str) -> dict[int, int]:
    return {partition: offset for (context, partition), offset in positions.items() if context == of}


def _lag(head: Offsets, reached: Offsets) -> int:
    """Count the offsets that a projection still has before it."""
    return sum(max(0, last - reached.get(partition, -1)) for partition, last in head.items())


def _numbered(said: Any) -> Iterator[tuple[int, Any]]:
    """Give what a process says of partitions by their numbers."""
    if isinstance(said, Mapping):
        yield from ((int(text), value) for text, value in said.items() if text.isdecimal())


def _writers(api: Api) -> dict[tuple[str, int], tuple[str, Mapping[str, Any]]]:
    """Give for each partition of a context who writes it and what it says of it; of two, who said so last."""
    found: dict[tuple[str, int], tuple[str, Mapping[str, Any]]] = {}
    for entry in sorted(api.status.standings("decider"), key=lambda entry: entry.at):
        for context in () if entry.stale else CONTEXTS:
            said_of = _numbered(entry.detail.get(context))
            found |= {(context, p): (entry.name, said) for p, said in said_of if isinstance(said, dict)}
    return found


async def _tables(api: Api) -> tuple[str, dict[str, Offsets]]:
    """Say whether Postgres answers and how far its tables are; by the projectors' own word where it does not."""
    try:
        async with asyncio.timeout(POSTGRES_TIMEOUT_S):
            live = {} if api.reads is None else await api.reads.look()
        return AVAILABLE if live else UNAVAILABLE, {name: live[name].lasts() for name in sorted(live)}
    except (PostgresUnavailable, TimeoutError):
        said = [entry.detail.items() for entry in api.status.standings("projector")]
        return UNAVAILABLE, {name: dict(_numbered(reached)) for each in said for name, reached in each}


def _process(entry: ProcessStatus) -> JsonObject:
    status = UNAVAILABLE if entry.stale else AVAILABLE
    return {"kind": entry.kind, "status": status, "age_s": round(entry.age_s, 1), "detail": dict(entry.detail)}
