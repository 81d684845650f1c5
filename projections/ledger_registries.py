"""Registries as they are read: each shop with its terms as they are now, and what is staked in it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from domain.ledger.registry import ParameterChanged, Premium, RegistryChanged, RegistryOpened, Terms, changed_terms
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from projections.generations import Table
from projections.postgres import Transaction
from projections.rows import Place, Rows

REGISTRIES = Table(
    "registries",
    (
        "registry_id", "frame_id", "treasury", "opened_by", "part", "pos", "at", "terms", "staked", "changed_pos",
        "changed_at",
    ),
    ("registry_id", "frame_id"),
)  # fmt: skip
DEFINITION = """
CREATE TABLE {schema}.registries (
  registry_id text COLLATE "C" NOT NULL, frame_id text COLLATE "C" NOT NULL, treasury text NOT NULL,
  opened_by text NOT NULL, part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL, terms text NOT NULL,
  staked numeric NOT NULL, changed_pos bigint NOT NULL, changed_at bigint NOT NULL,
  PRIMARY KEY (registry_id, frame_id));
"""


def written_terms(terms: Terms) -> str:
    """Write terms as JSON."""
    return json.dumps(asdict(terms), separators=(",", ":"))


def read_terms(written: str) -> Terms:
    """Read terms."""
    members: Mapping[str, Any] = json.loads(written)
    premiums = tuple(Premium(**each) for each in members["premiums"])
    return Terms(**{**members, "premiums": premiums})


class Registries:
    """What a batch makes of registries."""

    events: tuple[type, ...] = (RegistryOpened, RegistryChanged, ParameterChanged, StakePlaced, StakeWithdrawn)

    def __init__(self, schema: str) -> None:
        self._registries = Rows(schema, REGISTRIES)

    def want(self, event: Any) -> None:
        """Note the registry."""
        self._registries.want(event.registry_id, event.frame_id)

    async def load(self, transaction: Transaction) -> None:
        """Read the registries."""
        await self._registries.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of a registry, or of what is staked in it."""
        if isinstance(event, RegistryOpened):
            self._registries.put({
                "registry_id": event.registry_id, "frame_id": event.frame_id, "treasury": event.treasury,
                "opened_by": event.opened_by, "part": place.part, "pos": place.pos, "at": place.at,
                "terms": written_terms(event.terms), "staked": 0, "changed_pos": place.pos, "changed_at": place.at,
            })  # fmt: skip
            return
        registry = self._registries.changed(event.registry_id, event.frame_id)
        match event:
            case StakePlaced():
                registry["staked"] += event.amount
                return
            case StakeWithdrawn():
                registry["staked"] -= event.amount
                return
            case RegistryChanged():
                terms = event.terms
            case ParameterChanged():
                terms = changed_terms(read_terms(registry["terms"]), event.parameter, event.value)
        registry |= {"terms": written_terms(terms), "changed_pos": place.pos, "changed_at": place.at}

    async def save(self, transaction: Transaction) -> None:
        """Write the registries that changed."""
        await self._registries.save(transaction)
