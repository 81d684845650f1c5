"""What a request must look like: pydantic's only door, with our rules on unknown, absent and null members."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias, TypeVar

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from api.problems import ProblemError

NO_CONTROL = r"^[^\x00-\x1f\x7f-\x9f]*$"
TEXT_MAX = 512
MAX_ERRORS = 16
WAIT_MS_MAX = 10_000
WAIT_MS_DEFAULT = 2_000
LIMIT_MAX = 100
LIMIT_DEFAULT = 50

T = TypeVar("T")


class _Present:
    """Marks an optional member: it may be absent, but null is refused."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema  # type: ignore[no-any-return]


Maybe = Annotated[T | None, _Present()]
"""An optional member: ``reason: Maybe[Text] = None``."""

Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=TEXT_MAX, pattern=NO_CONTROL)]
"""1 to 512 characters, no control characters."""


class Shape(BaseModel):
    """A body: no unknown members, no conversions between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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
        found = [
            (pointer_of(entry["loc"]), _detail(entry["type"], entry["msg"]))
            for entry in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]
        ]
        pointer, detail = found[0]
        raise ProblemError("invalid_request", f"{pointer or 'the body'}: {detail}", errors=found) from None


def _detail(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "this member is not known here"
    if kind == "model_type":
        return "this must be an object"
    if kind == "missing":
        return "this member is missing"
    return message.removeprefix("Value error, ")
