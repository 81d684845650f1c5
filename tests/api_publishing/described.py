"""Every answer that a test is given, held against the route's description: its status, its code, its body's shape."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs

from api.route import DESCRIPTION
from tests.api.serving import Answer, Registry

PART = re.compile(r"\{\w+\}")


class Described:
    """Asks a registry, and finds fault with what OpenAPI doesn't tell."""

    def __init__(self, registry: Registry) -> None:
        self._ask, self._document = registry.ask, registry.client.app[DESCRIPTION]
        self._routes = [
            (re.compile(PART.sub("[^/]+", path)), item)
            for path, item in self._document["paths"].items()
            if path.startswith("/v1/")
        ]
        self._validator = cache(self._made)

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """Ask, as Registry does."""
        answer = await self._ask(method, path, body, **more)
        told = next((item for form, item in self._routes if form.fullmatch(path.partition("?")[0])), None)
        if told is not None:
            self._check(told[method.lower()], answer)
        return answer

    def _check(self, operation: Mapping[str, Any], answer: Answer) -> None:
        name = operation["operationId"]
        told = operation["responses"].get(str(answer.status))
        assert told is not None, f"{name} doesn't tell of {answer.status}: {answer.text}"
        if answer.code is not None:
            assert f"{answer.code}: " in told["description"], f"{name} doesn't tell of {answer.code}: {answer.text}"
        media_type = answer.headers["Content-Type"].partition(";")[0]
        self._validator(name, str(answer.status), media_type).validate(answer.json)

    def _made(self, name: str, status: str, media_type: str) -> Any:
        operations = (each for _, item in self._routes for each in item.values())
        operation = next(each for each in operations if each["operationId"] == name)
        schema = operation["responses"][status]["content"][media_type]["schema"]
        return jsonschema_rs.validator_for({**schema, "components": self._document["components"]})
