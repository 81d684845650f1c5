"""DIDs as they are read over HTTP: every kind of operation was decided, and how each left its DID was noted."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from log.message import Decision
from log.token import write_token
from log.topic import partition_of
from projections.postgres import Postgres
from projections.reads import Reads
from tests.api.serving import PARTITIONS, Answer, Registry, running
from tests.audit.chancery import Chancery, every_kind_of_operation
from tests.projections.test_identity import project


class Noted(NamedTuple):
    """How a decision left a DID: where and when it was, the keys that held then, and the handle."""

    token: str
    at: int
    keys: list[str]
    handle: str | None
    head: str


class Noting(Chancery):
    """Notes how each decision about a DID leaves it."""

    def __init__(self) -> None:
        super().__init__(PARTITIONS)
        self.noted: dict[str, list[Noted]] = {}

    def ask(self, payload: Any, route: str, *about: Any, **more: Any) -> Decision:
        """Ask, and note what became of the DID whose stream this is."""
        decision = super().ask(payload, route, *about, **more)
        if route.startswith("did:mun:") and decision.refusal is None:
            known, partition = self.known(route), partition_of(route, self.partitions)
            keys = sorted(window.id for window in known.windows if window.holds(self.now))
            token = write_token({("identity", partition): int(self.where(route).rpartition("/")[2])})
            self.noted.setdefault(route, []).append(Noted(token, self.now, keys, known.handle, known.head))
        return decision


@contextlib.asynccontextmanager
async def reading(chancery: Chancery, postgres: Postgres) -> AsyncIterator[Registry]:
    """Serve what a chancery decided."""
    await project(chancery, postgres)
    async with running(log=chancery.log, operator=chancery.operator, decides=False) as registry:
        registry.api.reads = Reads(postgres)
        yield registry


async def played() -> Noting:
    """Decide every kind of operation."""
    chancery = Noting()
    await every_kind_of_operation(chancery)
    return chancery


def key_names(document: Any) -> list[str]:
    """Give the bare ids of a document's keys."""
    return sorted(method["id"].partition("#")[2] for method in document["verificationMethod"])


async def ask(registry: Registry, path: str, accept: str | None = None, **query: Any) -> Answer:
    """Read a path."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    headers = {} if accept is None else {"Accept": accept}
    return await registry.ask("GET", f"{path}?{asked}" if asked else path, headers=headers)
