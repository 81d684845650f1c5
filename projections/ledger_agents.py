"""Agents as they are read: each with its A2A card, found by the card's words and by what it can do."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from domain.ledger.agent import AgentRegistered
from projections.generations import Table
from projections.lines import line
from projections.postgres import Transaction
from projections.rows import Place, appending, text

AGENTS = Table(
    "agents",
    (
        "agent_id", "frame_id", "registry_id", "did", "developer_did", "account", "origin_registry_location", "card",
        "words", "skills", "part", "pos", "at",
    ),
    ("agent_id",),
)  # fmt: skip
WORDS_LIMIT = 100_000
"""Characters of a card that are searched: a text of a million different words has no index entry in Postgres."""
SEARCHED = f"left(words, {WORDS_LIMIT})"
DOCUMENT = f"to_tsvector('simple', {SEARCHED}) || to_tsvector('english', {SEARCHED})"
DEFINITION = f"""
CREATE TABLE {{schema}}.agents (
  agent_id text COLLATE "C" PRIMARY KEY, frame_id text COLLATE "C" NOT NULL, registry_id text COLLATE "C" NOT NULL,
  did text NOT NULL, developer_did text NOT NULL, account text COLLATE "C" NOT NULL,
  origin_registry_location text NOT NULL, card jsonb NOT NULL, words text NOT NULL, skills text[] NOT NULL,
  part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL,
  document tsvector NOT NULL GENERATED ALWAYS AS ({DOCUMENT}) STORED);
CREATE INDEX agents_newest ON {{schema}}.agents (at, part, pos);
CREATE INDEX agents_document ON {{schema}}.agents USING gin (document);
CREATE INDEX agents_skills ON {{schema}}.agents USING gin (skills);
"""


def without_nul(value: Any) -> Any:
    """Give JSON's values as Postgres can hold them."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [without_nul(each) for each in value]
    if isinstance(value, dict):
        return {without_nul(name): without_nul(each) for name, each in value.items()}
    return value


def texts(values: Any) -> list[str]:
    """Give those of some values that are text."""
    return [value for value in values if isinstance(value, str)] if isinstance(values, list | tuple) else []


def skills_of(card: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Give the skills that a card names."""
    skills = card.get("skills")
    return [skill for skill in skills if isinstance(skill, dict)] if isinstance(skills, list) else ()


def words_of(card: Mapping[str, Any]) -> str:
    """Give the text that a card is found by."""
    found = texts([card.get("name"), card.get("description")])
    for skill in skills_of(card):
        found += texts([skill.get("id"), skill.get("name"), skill.get("description")])
        found += texts(skill.get("tags"))
    return "\n".join(found)


def handles_of(card: Mapping[str, Any]) -> list[str]:
    """Give the ids and tags of a card's skills, each once."""
    return sorted(
        {each for skill in skills_of(card) for each in (*texts([skill.get("id")]), *texts(skill.get("tags")))}
    )


def array(values: Iterable[str]) -> str:
    """Write an array of text."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


class Agents:
    """What a batch makes of agents: each is new, since one registers once in a registry."""

    events: tuple[type, ...] = (AgentRegistered,)

    def __init__(self, schema: str) -> None:
        self._new = appending(schema, AGENTS)

    def want(self, event: Any) -> None:
        """Need nothing that was before."""

    async def load(self, transaction: Transaction) -> None:
        """Read nothing."""

    def fold(self, event: Any, place: Place) -> None:
        """Fold an agent."""
        written, card = event.card, json.loads(event.card)
        if "\\u0000" in written:
            card = without_nul(card)
            written = json.dumps(card, ensure_ascii=False)
        part, pos, _, at = place
        row = (
            event.agent_id, event.frame_id, event.registry_id, event.did, event.developer_did, event.account,
            event.origin_registry_location, written, words_of(card), array(handles_of(card)), part, pos, at,
        )  # fmt: skip
        self._new.add(line([text(member) for member in row]))

    async def save(self, transaction: Transaction) -> None:
        """Write the agents."""
        await self._new.end(transaction)
