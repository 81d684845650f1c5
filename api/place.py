"""Where an event was decided, and what an answer shows of it."""

from typing import NamedTuple, TypeAlias

from domain.json_value import JsonObject


class Place(NamedTuple):
    """When and where an event was decided, by which command; an imagined one lies nowhere, at offset -1."""

    at: int
    partition: int
    offset: int
    command_id: str = ""


Shown: TypeAlias = tuple[int, JsonObject]
"""The status and the body of an answer."""
