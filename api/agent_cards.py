"""A2A agent cards, protocol 0.3 and 1.0: the members that one must have (https://a2a-protocol.org, Agent Card)."""

from typing import Annotated, Any, Final

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from api.shapes import misfit

CARD_TEXT_MAX: Final = 16_384
Text = Annotated[str, Field(min_length=1, max_length=CARD_TEXT_MAX)]


class Part(BaseModel):
    """A part of a card: what it says beyond what is known here is kept."""

    model_config = ConfigDict(extra="allow", strict=True)


class Skill(Part):
    """What an agent can do."""

    id: Text
    name: Text
    description: Text
    tags: Annotated[list[Text], Field(max_length=256)]


class Interface(Part):
    """Where and how an agent is reached, in protocol 1.0."""

    url: Text
    protocolBinding: Text  # noqa: N815  # A2A's own name


class Card(Part):
    """What cards of both protocols have."""

    name: Text
    description: Text
    version: Text
    capabilities: dict[str, Any]
    defaultInputModes: Annotated[list[Text], Field(max_length=256)]  # noqa: N815  # A2A's own name
    defaultOutputModes: Annotated[list[Text], Field(max_length=256)]  # noqa: N815  # A2A's own name
    skills: Annotated[list[Skill], Field(max_length=256)]


class Card03(Card):
    """A card of protocol 0.3: one main URL."""

    url: Text


class Card10(Card):
    """A card of protocol 1.0: a list of interfaces."""

    supportedInterfaces: Annotated[list[Interface], Field(min_length=1, max_length=64)]  # noqa: N815  # A2A's own name


def check_card(card: dict[str, Any]) -> None:
    """Refuse what is no agent card; raises ``invalid_card`` with a pointer to each member at fault."""
    model = Card10 if "supportedInterfaces" in card else Card03
    try:
        model.model_validate(card)
    except pydantic.ValidationError as error:
        raise misfit("invalid_card", error, "/card") from None
