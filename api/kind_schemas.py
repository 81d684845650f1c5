"""Bodies of facts against the schemas of their kinds."""

from collections.abc import Mapping
from functools import reduce
from operator import getitem
from typing import Any

from api.json_schemas import DETAIL_MAX, ValidationError, first_errors, own_validator
from api.problems import ProblemError
from api.shapes import pointer_of
from domain.facts.kinds import KINDS

VALIDATORS = {kind.name: own_validator(kind.body_schema) for kind in KINDS.values()}


def check_body(kind: str, body: Mapping[str, Any]) -> None:
    """Check a fact's body; raises ``invalid_request`` that names each place by JSON Pointer from the request's top."""
    found = first_errors(VALIDATORS[kind], body)
    if found:
        errors = [(pointer_of(("body", *error.instance_path)), _detail(kind, error)) for error in found]
        raise ProblemError("invalid_request", f"{errors[0][0]}: {errors[0][1]}", errors=errors)


def _detail(kind: str, error: ValidationError) -> str:
    """Say what is wrong; of a pattern, what its description expects."""
    *place, keyword = error.schema_path
    if keyword != "pattern":
        return error.message[:DETAIL_MAX]
    formed: Any = reduce(getitem, place, KINDS[kind].body_schema)  # type: ignore[arg-type]  # objects and lists
    return f"this must be {formed['description']}"
