"""What a request must look like: pydantic's only door, with our rules on unknown, absent and null members."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypeVar

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from api.problems import ProblemError

TEXT_MAX = 512
MAX_ERRORS = 16
WAIT_MS_MAX = 10_000
WAIT_MS_DEFAULT = 2_000
LIMIT_MAX = 100
LIMIT_DEFAULT = 50
NOT_KNOWN = "this member is not known here"

T = TypeVar("T")


class _Present:
    """Marks an optional member: it may be absent, but null is refused."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema  # type: ignore[no-any-return]


Maybe = Annotated[T | None, _Present()]
"""An optional member: ``reason: Maybe[Text] = None``."""


@dataclass(frozen=True, slots=True)
class Form:
    """Marks text that has a form: a pattern for programs, and for people what is expected ("digits, at most 19").

    It is put behind the text's lengths, whose own refusals come first.
    """

    pattern: str
    expected: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        formed = core_schema.custom_error_schema(
            core_schema.str_schema(pattern=self.pattern), "form", custom_error_message=f"this must be {self.expected}"
        )
        return core_schema.chain_schema([handler(source), formed])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern, "description": self.expected}


NO_CONTROL = Form(r"^[^\x00-\x1f\x7f-\x9f]*$", "text without control characters")

Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=TEXT_MAX), NO_CONTROL]
"""1 to 512 characters, no control characters."""


class Shape(BaseModel):
    """A body: no unknown members, no conversions between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Empty(Shape):
    """An empty object."""


def _digits(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("not a whole number in plain digits")
    return value


Digits = BeforeValidator(_digits)
"""Marks a number in a query; to be put behind its bounds."""


class Query(BaseModel):
    """A route's query parameters: no unknown ones, each at most once."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FreshQuery(Query):
    """What every read accepts: a position to have reached, and how long to wait for it."""

    min_position: Maybe[str] = None
    wait_ms: Annotated[int, Field(ge=0, le=WAIT_MS_MAX), Digits] = WAIT_MS_DEFAULT


class PageQuery(FreshQuery):
    """What every list accepts besides."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX), Digits] = LIMIT_DEFAULT
    cursor: Maybe[Annotated[str, Field(min_length=1, max_length=4096)]] = None


class WriteQuery(Query):
    """What every write accepts."""

    dry_run: Annotated[bool, BeforeValidator(lambda value: {"true": True, "false": False}.get(value, "")), Field()] = (
        False
    )


Model = TypeVar("Model", bound=BaseModel)


def pointer_of(path: Sequence[str | int]) -> str:
    """Write a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def fit(model: type[Model], value: object) -> Model:
    """Give a value as its model; raises the problem that names what does not fit by JSON Pointer."""
    try:
        return model.model_validate(value)
    except pydantic.ValidationError as error:
        raise misfit("invalid_request", error) from None


def misfit(code: str, error: pydantic.ValidationError, within: str = "") -> ProblemError:
    """Make the problem of what does not fit a model; ``within`` is the JSON Pointer to what was to fit."""
    found = [
        (within + pointer_of(entry["loc"]), _detail(entry["type"], entry["msg"]))
        for entry in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]
    ]
    pointer, detail = found[0]
    return ProblemError(code, f"{pointer or 'the body'}: {detail}", errors=found)


def _detail(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return NOT_KNOWN
    if kind == "model_type":
        return "this must be an object"
    if kind == "missing":
        return "this member is missing"
    return message.removeprefix("Value error, ")
