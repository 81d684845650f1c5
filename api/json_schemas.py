"""JSON Schemas and values held against them; jsonschema-rs has its only door here."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import jsonschema_rs

from api.country_codes import COUNTRY_CODES
from api.shapes import MAX_ERRORS, pointer_of
from api.times import is_time
from log import strict_json

Validator: TypeAlias = jsonschema_rs.Validator
ValidationError: TypeAlias = jsonschema_rs.ValidationError

URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
DETAIL_MAX: Final = 200
COMPILED_MAX: Final = 256
"""So many collections' schemas are kept compiled."""
PATTERN_BYTES: Final = 1 << 20
"""How large the automaton of a pattern may get."""


class InvalidSchema(ValueError):
    """What isn't a JSON Schema 2020-12 that values can be held against; ``pointer`` is into it."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer, self.detail = pointer, detail


def _is_country(text: str) -> bool:
    return text in COUNTRY_CODES


def _is_uri(text: str) -> bool:
    return URI.fullmatch(text) is not None and text.count("#") <= 1


FORMATS: Final = {"date-time": is_time, "iso-3166-1-alpha-2": _is_country, "uri": _is_uri}
"""A date-time is RFC 3339's, a URI is absolute (RFC 3986) and ASCII."""


def own_validator(schema: Mapping[str, Any]) -> Validator:
    """Compile a schema of ours."""
    return jsonschema_rs.validator_for(dict(schema), formats=FORMATS, validate_formats=True)


def given_validator(schema: Any) -> Validator:
    """Compile a schema that somebody sent: nothing is fetched for it, and no pattern takes more than linear time.

    Raises InvalidSchema.
    """
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        raise InvalidSchema(pointer_of(error.instance_path), error.message[:DETAIL_MAX]) from None
    except (jsonschema_rs.ReferencingError, ValueError):
        raise InvalidSchema("", "this is no JSON Schema 2020-12") from None
    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            formats=FORMATS,
            validate_formats=True,
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=PATTERN_BYTES),
        )
    except jsonschema_rs.ValidationError as error:
        raise InvalidSchema(pointer_of(error.instance_path), error.message[:DETAIL_MAX]) from None
    except (jsonschema_rs.ReferencingError, ValueError):
        raise InvalidSchema("", "values can't be held against this schema") from None


@lru_cache(maxsize=COMPILED_MAX)
def validator_of(text: str) -> Validator:
    """Compile a schema that was taken, by its text. Raises InvalidSchema."""
    return given_validator(strict_json.parse_own(text))


def first_errors(validator: Validator, value: Any) -> list[ValidationError]:
    """Give the first of what is wrong with a value; nothing where it is valid."""
    if validator.is_valid(value):
        return []
    errors = []
    for error in validator.iter_errors(value):
        errors.append(error)
        if len(errors) == MAX_ERRORS:
            break
    return errors
