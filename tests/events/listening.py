"""Listening to the event stream without our client: what a plain reader of the two protocols gets."""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp


@dataclass
class Heard:
    """What a connection was sent: events, the end that it was told, and how it began."""

    next_line: Callable[[], Awaitable[dict[str, Any] | None]]
    headers: Any
    events: list[dict[str, Any]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    end: dict[str, Any] | None = None
    code: int | None = None

    async def until(self, events: int) -> list[dict[str, Any]]:
        """Listen until so many events were heard."""
        while len(self.events) < events:
            await self._take()
        return self.events

    async def until_marked(self, marks: int) -> list[str]:
        while len(self.marks) < marks:
            await self._take()
        return self.marks

    async def until_closed(self) -> dict[str, Any] | None:
        """Listen to the end; what says goodbye is nothing where the connection just broke."""
        with contextlib.suppress(EOFError, aiohttp.ClientError, ConnectionError):
            while True:
                await self._take()
        return self.end

    async def _take(self) -> None:
        said = await self.next_line()
        if said is None:
            raise EOFError
        if "reason" in said:
            self.end = said
        elif set(said) <= {"type", "cursor"}:
            self.marks.append(said["cursor"])
        else:
            self.events.append(said)


@contextlib.asynccontextmanager
async def sse(url: str, *, last_id: str | None = None, **query: str) -> AsyncIterator[Heard]:
    """Listen to `GET /events/stream` as the standard says a browser does."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.get(url + "/events/stream", params=query, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"

        async def next_block() -> dict[str, Any] | None:
            fields: dict[str, str] = {}
            while (line := await answer.content.readline()) != b"\n":
                if not line:
                    return None
                name, _, value = line.decode().rstrip("\n").partition(": ")
                fields[name] = value
            if "data" not in fields:
                return {"cursor": fields["id"]}
            said: dict[str, Any] = json.loads(fields["data"])
            assert said["cursor"] == fields["id"]
            assert ("reason" in said) == (fields.get("event") == "end")
            return said

        yield Heard(next_block, answer.headers)


@contextlib.asynccontextmanager
async def websocket(url: str, **query: str) -> AsyncIterator[Heard]:
    """Listen to `/ws/events`."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url + "/ws/events", params=query) as socket:

        async def next_message() -> dict[str, Any] | None:
            message = await socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                heard.code = socket.close_code
                return None
            said: dict[str, Any] = json.loads(message.data)
            return said

        heard = Heard(next_message, socket._response.headers)
        yield heard


LISTEN: dict[str, Any] = {"sse": sse, "websocket": websocket}
