"""Bodies of facts against the schemas of their kinds; jsonschema-rs has its only door here."""

import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from api.country_codes import COUNTRY_CODES
from api.problems import ProblemError
from api.shapes import MAX_ERRORS, pointer_of
from api.times import is_time
from domain.facts.kinds import KINDS

URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")


def _is_country(text: str) -> bool:
    return text in COUNTRY_CODES


def _is_uri(text: str) -> bool:
    return URI.fullmatch(text) is not None and text.count("#") <= 1


FORMATS = {"date-time": is_time, "iso-3166-1-alpha-2": _is_country, "uri": _is_uri}
"""A date-time is RFC 3339's, a URI is absolute (RFC 3986) and ASCII."""

VALIDATORS = {
    kind.name: jsonschema_rs.validator_for(dict(kind.body_schema), formats=FORMATS, validate_formats=True)
    for kind in KINDS.values()
}


def check_body(kind: str, body: Mapping[str, Any]) -> None:
    """Check a fact's body; raises ``invalid_request`` that names each place by JSON Pointer from the request's top."""
    validator = VALIDATORS[kind]
    if validator.is_valid(body):
        return
    errors = []
    for error in validator.iter_errors(body):
        errors.append((pointer_of(("body", *error.instance_path)), error.message[:200]))
        if len(errors) == MAX_ERRORS:
            break
    raise ProblemError("invalid_request", f"{errors[0][0]}: {errors[0][1]}", errors=errors)
