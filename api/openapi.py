"""The description of every route as OpenAPI 3.1, generated from the route table and the models of its rows."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from api.problems import MEDIA_TYPE, PROBLEMS
from api.route import Route, Who

VERSION = "0.1.0"
PATH_PART = re.compile(r"\{(\w+)\}")
ALWAYS = ("rate_limited", "internal", "invalid_request")
WITH_BODY = ("malformed_json", "payload_too_large", "unsupported_media_type")
FOR_WHO = {
    Who.PUBLIC: (),
    Who.SESSION: ("unauthenticated", "not_caught_up"),
    Who.ADMIN: ("unauthenticated", "forbidden", "not_caught_up"),
    Who.PUBLISHER: ("unauthenticated", "forbidden", "not_caught_up"),
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Repeated with the same request, the first outcome is answered again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async`: answer 202 with the command's location.",
    "schema": {"type": "string"},
}


class Document(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")


class PointedError(BaseModel):
    """One place in a request that is not as it must be, as a JSON Pointer."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    request_id: str | None = None
    errors: list[PointedError] | None = None


def document(table: Sequence[Route], server: str) -> dict[str, Any]:
    """Describe a route table as a server at this URL offers it."""
    bodies = {route.request_model for route in table if route.request_model is not None}
    answers = {model for route in table for model in route.responses.values() if model is not None} | {Problem}
    wanted: list[tuple[type[BaseModel], Any]] = [
        *((model, "validation") for model in sorted(bodies, key=lambda model: model.__name__)),
        *((model, "serialization") for model in sorted(answers, key=lambda model: model.__name__)),
    ]
    refs, definitions = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    schemas = definitions.get("$defs", {})
    schemas["Problem"]["properties"]["code"]["enum"] = list(PROBLEMS)
    by_model: dict[Any, Any] = {key[0]: value for key, value in refs.items()}
    paths: dict[str, Any] = {}
    for route in table:
        operation = _operation(route, by_model)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    described: dict[str, Any] = _without_null_defaults(
        {
            "openapi": "3.1.0",
            "servers": [{"url": server}],
            "info": {
                "title": "Muniment",
                "version": VERSION,
                "description": "An event-sourced registry of signed facts.",
            },
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            },
        }
    )
    return described


def _operation(route: Route, refs: dict[Any, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in PATH_PART.findall(route.path)
    ]
    schema = route.query_model.model_json_schema(ref_template="#/components/schemas/{model}")
    required = schema.get("required", [])
    for name, member in schema.get("properties", {}).items():
        parameters.append({"name": name, "in": "query", "required": name in required, "schema": member})
    for name, said in route.header_parameters.items():
        parameters.append({"name": name, "in": "header", "description": said, "schema": {"type": "string"}})
    if "dry_run" in schema.get("properties", {}):
        parameters += [IDEMPOTENCY_KEY, PREFER]
    operation: dict[str, Any] = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "parameters": parameters,
        "responses": _responses(route, refs),
    }
    if route.request_model is not None:
        content = {route.media_type: {"schema": refs[route.request_model]}}
        operation["requestBody"] = {"required": not route.optional_body, "content": content}
    if route.who is not Who.PUBLIC:
        operation["security"] = [{"session": []}]
        operation["description"] = f"For whoever has a session{_roles(route.who)}."
    return operation


def operation_id(route: Route) -> str:
    """Name a route: its method and path as one word."""
    words = re.sub(r"[^a-zA-Z0-9]+", "_", route.path).strip("_")
    return f"{route.method.lower()}_{words}"


def _roles(who: Who) -> str:
    return {Who.ADMIN: " as an admin", Who.PUBLISHER: " as a publisher or admin"}.get(who, "")


def _responses(route: Route, refs: dict[Any, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in route.responses.items():
        answer: dict[str, Any] = {"description": route.summary}
        if model is not None:
            answer["content"] = {route.response_type or "application/json": {"schema": refs[model]}}
        elif route.response_type is not None:
            answer["content"] = {route.response_type: {"schema": {"type": "string"}}}
        responses[str(status)] = answer
    if "dry_run" in route.query_model.model_fields:
        pending = {"type": "object", "required": ["id", "type", "status"]}
        _or_else(responses, "202", "Sent, and not waited for", pending)
        # A dry run answers 200 with what would have happened.
        dry = {"type": "object", "required": ["dry_run", "type", "status", "result"]}
        _or_else(responses, "200", "What would have happened", dry)
    body = WITH_BODY if route.request_model is not None or route.raw_body else ()
    codes = dict.fromkeys((*ALWAYS, *body, *FOR_WHO[route.who], *route.problems))
    for code in sorted(codes, key=lambda code: (PROBLEMS[code].status, code)):
        kind = PROBLEMS[code]
        answer = responses.setdefault(
            str(kind.status),
            {"description": "", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        )
        answer.setdefault("content", {}).setdefault(MEDIA_TYPE, {"schema": {"$ref": "#/components/schemas/Problem"}})
        answer["description"] = "; ".join(filter(None, (answer["description"], f"{code}: {kind.title}")))
    return responses


def _or_else(responses: dict[str, Any], status: str, said: str, schema: dict[str, Any]) -> None:
    """Say of a status that its body may be this, besides what the route itself answers under it."""
    known = responses.setdefault(status, {"description": said, "content": {}})
    own = known["content"].get("application/json", {}).get("schema")
    known["content"] = {"application/json": {"schema": schema if own is None else {"anyOf": [own, schema]}}}


def _without_null_defaults(value: Any) -> Any:
    """Drop the nulls that stand for absence: a member is absent, never null."""
    if isinstance(value, dict):
        return {
            name: _without_null_defaults(member)
            for name, member in value.items()
            if not (name == "default" and member is None)
        }
    return [_without_null_defaults(entry) for entry in value] if isinstance(value, list) else value
