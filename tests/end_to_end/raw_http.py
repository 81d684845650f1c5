"""HTTP as bytes on a socket: what no client library would send, and what came back."""

import json
import re
import socket
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from api.problems import MEDIA_TYPE, PROBLEMS

ANSWER_S = 20.0
INTERNALS = re.compile(
    rb"Traceback|File \"|\.py\b|psycopg|aiokafka|asyncpg|postgres(ql)?://|muniment\.facts\.|SELECT |INSERT |"
    rb"127\.0\.0\.1:|site-packages|pydantic",
    re.IGNORECASE,
)
"""What would tell of our inside."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(
    url: str, *pieces: bytes, pause_s: float = 0.0, half_close: bool = False, patience_s: float = 0.3
) -> list[Answer]:
    """Send bytes as they are and give every answer, until the server closes or says nothing more for so long."""
    host = urlsplit(url)
    with socket.create_connection((host.hostname, host.port), timeout=ANSWER_S) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            # It was refused before it was all sent, which is how it should be; the answer may still be there.
            pass
        return answers(_read(connection, patience_s))


def _read(connection: socket.socket, patience_s: float) -> bytes:
    """Read until the end, or until an answer is whole and no other follows."""
    found = bytearray()
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        connection.settimeout(patience_s if found and _is_whole(bytes(found)) else ANSWER_S)
        try:
            piece = connection.recv(1 << 16)
        except (TimeoutError, ConnectionResetError):
            break
        if not piece:
            break
        found += piece
    return bytes(found)


def _is_whole(raw: bytes) -> bool:
    try:
        return bool(answers(raw))
    except ValueError:
        return False


def answers(raw: bytes) -> list[Answer]:
    """Read answers one behind the other; each has its length, or goes on to the end. Raises ValueError."""
    found = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", len(rest)))
        if len(rest) < length:
            raise ValueError("an answer is cut off")
        found.append(Answer(int(first.split(" ")[1]), headers, rest[:length]))
        raw = rest[length:]
    return found


def request(method: str, target: str, body: bytes | None = None, **headers: str) -> bytes:
    """Write a request; a header's name has ``_`` for ``-``, its value any bytes that latin-1 has."""
    lines = [f"{method} {target} HTTP/1.1", "Host: registry"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


RESOLUTION: Final = "/1.0/identifiers/"
UNRESOLVED: Final = {
    400: "invalidDid",
    404: "notFound",
    406: "representationNotSupported",
    501: "methodNotSupported",
}
"""W3C DID Resolution: the errors of a resolution, by the status that HTTP has for each."""


def check(answer: Answer, url: str, about: object = "", *, told: tuple[str, ...] = ()) -> Answer:
    """See that an answer is a result, or a refusal in our own words that tells nothing of our inside but ``told``."""
    shown = answer.body + repr(answer.headers).encode()
    for known in (urlsplit(url).netloc, *told):
        shown = shown.replace(known.encode(), b"known")
    assert not (leak := INTERNALS.search(shown)), f"{about}: {leak} in {answer.body[:300]!r}"
    if RESOLUTION in str(about) and "didResolutionMetadata" in answer.body.decode(errors="replace"):
        return check_resolution(answer, about)
    assert answer.status < 500 or answer.status in {503, 504}, f"{about}: {answer.status} {answer.body[:300]!r}"
    if answer.status >= 400:
        check_problem(answer, about)
    return answer


def check_resolution(answer: Answer, about: object) -> Answer:
    """See that a DID resolution result has a document, or says why it has none by W3C's word for this status."""
    result = answer.json
    error = result["didResolutionMetadata"].get("error")
    assert error == UNRESOLVED.get(answer.status), f"{about}: {answer}"
    assert (result["didDocument"] is None) == (error is not None), f"{about}: {answer}"
    assert answer.status == 200 or error is not None, f"{about}: {answer}"
    return answer


def check_problem(answer: Answer, about: object = "") -> None:
    """See that a refusal is a problem of RFC 9457 with a code of the table, in the table's own words."""
    assert answer.headers.get("content-type", "").split(";")[0] == MEDIA_TYPE, f"{about}: {answer}"
    problem = answer.json
    kind = PROBLEMS[problem["code"]]
    assert (problem["status"], problem["title"]) == (answer.status, kind.title), f"{about}: {problem}"
    assert (problem["status"], problem["retryable"]) == (kind.status, kind.retryable), f"{about}: {problem}"
    assert isinstance(problem["detail"], str), f"{about}: {problem}"
    assert problem["type"].endswith(problem["code"]), f"{about}: {problem}"
    assert problem["request_id"], f"{about}: {problem}"
    for error in problem.get("errors", ()):
        assert set(error) == {"pointer", "detail"}, f"{about}: {problem}"
        assert error["pointer"] == "" or error["pointer"].startswith("/"), f"{about}: {problem}"
