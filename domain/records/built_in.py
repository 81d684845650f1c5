"""The collections that a registry begins with: posts, follows and profiles."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JsonObject

POST: Final = "org.muniment.post"
FOLLOW: Final = "org.muniment.follow"
PROFILE: Final = "org.muniment.profile"
SELF: Final = "self"
"""The key of an owner's one profile."""
TEXT_MAX: Final = 3_000
NAME_MAX: Final = 128
MEDIA_ID: Final[JsonObject] = {"type": "string", "minLength": 1, "maxLength": 128}


def closed(required: list[str], **properties: JsonObject) -> JsonObject:
    """Write an object of these members and no other, which can get more without breaking with what there is."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {**properties},
        "required": [*required],
        "additionalProperties": False,
    }


BUILT_IN: Final[Mapping[str, JsonObject]] = {
    POST: closed(
        ["text"],
        text={"type": "string", "maxLength": TEXT_MAX},
        created_at={"type": "string", "format": "date-time"},
        media={"type": "array", "items": MEDIA_ID, "maxItems": 32, "uniqueItems": True},
    ),
    FOLLOW: closed(
        ["subject"], subject={"type": "string", "pattern": "^did:[a-z0-9]+:[A-Za-z0-9._:%-]+$", "maxLength": 512}
    ),
    PROFILE: closed(
        ["display_name"],
        display_name={"type": "string", "minLength": 1, "maxLength": NAME_MAX},
        description={"type": "string", "maxLength": TEXT_MAX},
        avatar=MEDIA_ID,
    ),
}
"""By name, the first schema of each."""
