"""Bad input of every kind against every route: never a 500, never our inside, and what is refused changes nothing."""

import base64
import contextlib
import json
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import aiohttp
import jsonschema_rs
import psycopg
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from api.application import routes
from api.pages import write_cursor
from api.route import Route, Who
from muniment import SigningKey
from tests.end_to_end.raw_http import ANSWER_S, Answer, answers, check, request, send
from tests.end_to_end.registry import Registry, running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLES = 10
EXAMPLES_REFUSED = 4
"""Whoever a route isn't for is refused after its shape, which those whom it is for ask wrongly in every way."""
JSON = {"Content_Type": "application/json"}
LOGOUT = "/auth/logout"
TOLD_BY_OTHERS = frozenset({"/registry-hook", "/v1/arc/callback"})
"""Who calls these shows a secret, which is looked at before the body."""
CALLERS = ("nobody", "a curator", "the operator")


@dataclass(frozen=True)
class Scene:
    """A registry with one of each thing, who asks it, and what its OpenAPI document says."""

    registry: Registry
    keys: Mapping[str, SigningKey]
    tokens: Mapping[str, str]
    document: Mapping[str, Any]
    schema: Any
    """The document as it generates requests: read once, since each reading of it is kept."""
    playlist: str
    fact: str
    webhook: str

    def headers(self, caller: str) -> dict[str, str]:
        token = self.tokens.get(caller)
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def headers_of_its_own(self, caller: str) -> dict[str, str]:
        """Give the headers of another session, for what may end it."""
        key = self.keys.get(caller)
        return {} if key is None else {"Authorization": f"Bearer {session(self.registry, key)}"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running(tmp_path_factory.mktemp("bad-input") / "data") as registry:
        operator = SigningKey.load(registry.data / "operator.json")
        curator = SigningKey.generate()
        registry.cli("signers", "add", curator.did, "curator")
        path = registry.data.parent / "curator.json"
        curator.save(path)
        playlist = {"id": "pl", "slug": "s", "title": "t", "created": "2025-10-13T03:00:00.000Z", "items": []}
        registry.started("playlists", "post", "-", input_text=json.dumps(playlist))
        fact = json.loads(registry.cli("facts", "star", "pl", "--as", str(path), "--json"))
        webhook = json.loads(registry.cli("webhooks", "add", "https://hooks.example.test/", "--json"))
        keys = {"a curator": curator, "the operator": operator}
        tokens = {name: session(registry, key) for name, key in keys.items()}
        document = registry.get("/openapi.json")[1]
        schema = schemathesis.openapi.from_dict(dict(document))
        yield Scene(registry, keys, tokens, document, schema, "pl", fact["id"], webhook["id"])


def ask(scene: Scene, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    """Send one whole request and give its answer, once it was checked."""
    (answer,) = send(scene.registry.url, request(method, path, body, **headers), patience_s=0.001)
    told = (str(scene.registry.stack()["kafka"]),) if path.startswith("/health") and "Authorization" in headers else ()
    return check(answer, scene.registry.url, f"{method} {path[:120]} {(body or b'')[:120]!r}", told=told)


def session(registry: Registry, key: SigningKey) -> str:
    """Sign in and give the token."""
    nonce = requests.post(registry.url + "/auth/nonce", json={"did": key.did}, timeout=20).json()
    statement = key.sign_session(nonce["issuer"], key.did, nonce["nonce"])
    answer = requests.post(registry.url + "/auth/session", json=statement, timeout=20)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def decided(registry: Registry) -> str:
    """Give the position of the last decision that is shown, as a read that waits for nothing has it."""
    with requests.get(registry.url + "/signers", timeout=20) as answer:
        return answer.headers["Muniment-As-Of"]


def test_an_answer_that_is_whole_is_told_from_one_that_is_cut_off() -> None:
    whole = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
    assert [answer.status for answer in answers(whole * 2)] == [204, 204]
    with pytest.raises(ValueError, match="cut off"):
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")


ANSWERED = [route for route in routes() if not route.streams]
"""Routes whose answers end; what is asked of those that stream is in `tests/events`."""


def operation_name(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", ANSWERED, ids=operation_name)
def test_every_route_answers_generated_input_as_it_says_it_does(scene: Scene, route: Route, caller: str) -> None:
    operation = scene.schema[route.path][route.method]
    before = decided(scene.registry)
    valid = validators(scene, route)

    # To an operator health names the broker.
    told = (str(scene.registry.stack()["kafka"]),) if caller == "the operator" else ()
    session_headers = scene.headers_of_its_own(caller) if route.path == LOGOUT else scene.headers(caller)

    def try_one(case: Any) -> None:
        # A generated name or credential must not stand in the way of the session that is meant.
        headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
        case.headers = headers
        answer = case.call(base_url=scene.registry.url, headers=session_headers, timeout=30)
        about = f"{caller}: {case.as_curl_command()[:600]}"
        names = {name: ", ".join(values) for name, values in answer.headers.items()}
        # A refusal names the collection that was asked for, which may end as a file of ours does.
        named = case.body.get("collection") if isinstance(case.body, dict) else None
        known = (*told, named) if isinstance(named, str) and len(named) > 2 else told
        found = check(Answer(answer.status_code, names, answer.content), scene.registry.url, about, told=known)
        check_described(valid, found, about)

    examples = EXAMPLES if is_for(route, caller) else EXAMPLES_REFUSED
    run(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), try_one, examples)
    # A route with neither parameters nor a described body can't be asked wrongly.
    with contextlib.suppress(Unsatisfiable):
        run(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), try_one, examples)
    if caller == "nobody" and (route.who is not Who.PUBLIC or route.path in {"/auth/nonce", "/facts"}):
        assert decided(scene.registry) == before


def is_for(route: Route, caller: str) -> bool:
    """Tell whether a route answers a caller at all."""
    return route.who is Who.PUBLIC or caller == "the operator" or (route.who is Who.SESSION and caller != "nobody")


def run(strategy: Any, try_one: Any, examples: int) -> None:
    """Ask a bounded number of times, the same ones each time."""
    bounded = settings(
        max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    bounded(given(strategy)(try_one))()


def validators(scene: Scene, route: Route) -> dict[str, Any]:
    """Make what checks each status that a route's description names."""
    described = scene.document["paths"][route.path][route.method.lower()]["responses"]
    found = {}
    for status, answer in described.items():
        for media_type, content in answer.get("content", {}).items():
            whole = {**content["schema"], "components": scene.document["components"]}
            found[f"{status} {media_type}"] = jsonschema_rs.validator_for(whole) if "json" in media_type else None
        if not answer.get("content"):
            found[f"{status} "] = None
    return found


def check_described(valid: Mapping[str, Any], answer: Answer, about: str) -> None:
    """See that a status, its media type and its body are what the description says."""
    media_type = answer.headers.get("content-type", "").split(";")[0] if answer.body else ""
    key = f"{answer.status} {media_type}"
    assert key in valid or answer.status == 405, f"{about}: {key} is not described: {answer.body[:300]!r}"
    validator = valid.get(key)
    if validator is not None:
        errors = [error.message for error in validator.iter_errors(answer.json)]
        assert not errors, f"{about}: {errors[:3]} in {answer.body[:300]!r}"


PIECE = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
START = b"POST /facts HTTP/1.1\r\nHost: x\r\n"
CHUNKED = request("POST", "/facts", Transfer_Encoding="chunked", **JSON)
BYTES: Mapping[str, tuple[tuple[bytes, ...], set[int]]] = {
    "a body without a length that never ends": ((CHUNKED, *[PIECE] * 40), {413}),
    "a body that is too large and says so": ((request("POST", "/facts", b"x" * (1 << 21), **JSON),), {413}),
    "a length that no number holds": ((START + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",), {400}),
    "a length below nothing": ((START + b"Content-Length: -1\r\n\r\n",), {400}),
    "two lengths": ((START + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",), {400}),
    "a length and chunks": ((request("POST", "/facts", b"{}", Transfer_Encoding="chunked", **JSON),), {400}),
    "more headers than anyone needs": ((request("GET", "/health", **{f"X_{n}": "y" for n in range(9_000)}),), {400}),
    "a header without an end": ((request("GET", "/health", X="y" * 1_000_000),), {400}),
    "a target without an end": ((request("GET", "/facts?ref=" + "a" * 1_000_000),), {400}),
    "a method of nobody": ((request("BREW", "/facts"),), {400}),
    "a method in small letters": ((request("get", "/facts"),), {400}),
    "a null byte in a method": ((request("G\x00T", "/facts"),), {400}),
    "a null byte in a header": ((request("GET", "/health", X="a\x00b"),), {400}),
    "a line's end in a header": ((b"GET /health HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",), {400}),
    "no host": ((b"GET /health HTTP/1.1\r\n\r\n",), {400}),
    "HTTP/2": ((b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",), {400}),
    "TLS": ((bytes.fromhex("16030100a5010000a10303") + bytes(160),), {400}),
    "an expectation of nobody": ((request("POST", "/auth/nonce", b"{}", Expect="200-maybe", **JSON),), {400}),
    "HTTP/1.0": ((b"GET /health HTTP/1.0\r\n\r\n",), {200}),
    "a token of any bytes": ((request("GET", "/webhooks", Authorization="Bearer \xff\xfe.\xff.\xff"),), {401}),
    "a token without an end": ((request("GET", "/webhooks", Authorization="Bearer " + "a." * 4_000),), {401}),
    "another scheme": ((request("GET", "/webhooks", Authorization="Basic YTpi"),), {401}),
    "a request id of any bytes": ((request("GET", "/health", X_Request_ID="\xff\x80"),), {200}),
    "a server that is another": ((request("GET", "http://elsewhere/nothing"),), {404}),
    "a way out": ((request("GET", "/..%2f..%2fetc/passwd"),), {404}),
}  # fmt: skip
"""What is sent, and how it may be answered."""


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_good_request_are_answered_with_a_problem(scene: Scene, name: str) -> None:
    pieces, statuses = BYTES[name]
    found = send(scene.registry.url, *pieces)
    assert found, "no answer came"
    for answer in found:
        assert check(answer, scene.registry.url, name).status in statuses
    assert scene.registry.get("/health")[0] == 200


NEVER_WHOLE: Mapping[str, tuple[bytes, ...]] = {
    "chunks of no length": (CHUNKED, b"zz\r\nhello\r\n"),
    "chunks below nothing": (CHUNKED, b"-5\r\nhello\r\n"),
    "a chunk longer than it says": (CHUNKED, b"5\r\nhello!!\r\n"),
    "a chunk whose head has no end": (CHUNKED, b"5;" + b"x" * 99_999),
    "half a body": (START + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",),
    "half a head": (START,),
    "nothing": (),
}


def test_whoever_never_sends_a_whole_request_is_let_go_of_in_time(scene: Scene) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(len(NEVER_WHOLE)) as clients:
        sent = {name: clients.submit(send, scene.registry.url, *pieces) for name, pieces in NEVER_WHOLE.items()}
        found = {name: future.result() for name, future in sent.items()}
    assert time.monotonic() - began < ANSWER_S
    for name, given_back in found.items():
        for answer in given_back:
            assert check(answer, scene.registry.url, name).status == 400
    assert [answer.status for answer in found["half a body"]] == [400]


def test_a_request_that_stops_in_the_middle_costs_nobody_anything(scene: Scene) -> None:
    whole = request("POST", "/facts", b"{}" * 50, **JSON)
    for end in (1, 20, whole.index(b"\r\n\r\n") + 2, len(whole) - 1):
        for answer in send(scene.registry.url, whole[:end], half_close=True):
            check(answer, scene.registry.url)
    slowly = [whole[at : at + 40] for at in range(0, len(whole), 40)]
    (answer,) = send(scene.registry.url, *slowly, pause_s=0.05)
    assert check(answer, scene.registry.url).status == 400


def test_requests_behind_each_other_are_answered_in_their_order(scene: Scene) -> None:
    asked = [("/health", 200), ("/facts/x", 404), ("/facts?limit=0", 400), ("/playlists/pl", 200), ("/nothing", 404)]
    found = send(scene.registry.url, b"".join(request("GET", path) for path, _ in asked))
    assert [check(answer, scene.registry.url).status for answer in found] == [status for _, status in asked]
    # What stands behind a body is the next request, or none: never a part of this one.
    hidden = request("POST", "/auth/nonce", b'{"did":"x"}', **JSON) + request("GET", "/nothing")
    assert [answer.status for answer in send(scene.registry.url, hidden)] == [400, 404]


BODIES: Mapping[str, bytes] = {
    "no JSON": b"{",
    "nothing": b"",
    "bytes that are no UTF-8": b'{"did": "\xff\xfe"}',
    "a byte order mark": b'\xef\xbb\xbf{"did": "x"}',
    "UTF-16": '{"did": "x"}'.encode("utf-16"),
    "nesting without an end": b'{"did": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "nesting of 65": b'{"did": ' + b"[" * 65 + b"]" * 65 + b"}",
    "a member twice": b'{"did": "x", "did": "y"}',
    "a member twice, one written as an escape": b'{"did": "x", "\\u0064id": "y"}',
    "a number of a hundred thousand digits": b'{"did": 1' + b"0" * 100_000 + b"}",
    "a number beyond 2^53": b'{"did": 9007199254740993}',
    "infinity": b'{"did": 1e999}',
    "not a number": b'{"did": NaN}',
    "half a surrogate pair": b'{"did": "\\ud800"}',
    "a null byte": b'{"did": "a\\u0000b"}',
    "null": b'{"did": null}',
    "an unknown member": b'{"did": "x", "__proto__": {}}',
    "a list": b"[]",
    "a very long text": b'{"did": "' + b"a" * 900_000 + b'"}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_strict_json_of_the_routes_shape_is_refused(scene: Scene, name: str) -> None:
    for route in routes():
        if route.method != "POST" or route.path in TOLD_BY_OTHERS:
            continue
        path = route.path.replace("{id}", scene.fact if "/facts" in route.path else scene.webhook)
        path = path.replace("{did}", "did:key:nobody")
        signed_in = scene.headers_of_its_own if path == LOGOUT else scene.headers
        found = ask(scene, "POST", path, BODIES[name], **JSON, **signed_in("the operator"))
        if path.endswith(("/release", "/finalize", LOGOUT, "/refresh", "/mine")) and name == "nothing":
            continue
        assert found.status == 400, f"{path} {name}: {found}"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": "application/json; charset=utf-16"},
        {**JSON, "Content_Encoding": "gzip"},
    ],
    ids=str,
)
def test_a_body_of_another_type_is_refused(scene: Scene, headers: dict[str, str]) -> None:
    for path in ("/facts", "/auth/nonce", "/signers", "/webhooks", "/registry-hook"):
        assert ask(scene, "POST", path, b"{}", **headers).status in {415, 401}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PROPFIND"])
def test_methods_that_a_route_does_not_know_are_refused(scene: Scene, method: str) -> None:
    for path in {route.path for route in routes()}:
        if any(route.method == method for route in routes() if route.path == path):
            continue
        found = ask(scene, method, path.replace("{id}", "x").replace("{did}", "x"))
        assert found.status in {404, 405}
        assert found.status != 405 or "allow" in found.headers


TEXTS = (
    "%00", "a%00b", "%ff%fe", "%ED%A0%80", "%0d%0aX:%20y", "%1b%5b2J", "%C2%85", "%E2%80%AE", "%F4%90%80%80",
    "a" * 6_000, "9" * 5_000, "-1", "1e9", "0x10", "%D9%A3", "%27%20OR%201=1--", "%22;DROP%20TABLE%20facts", "{{7*7}}",
    "../../x", "%2e%2e%2f", "%25s%25n", "null", "true", "[]", "{}", "A" * 4_096, "%zz", "%",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:24])
def test_no_text_in_any_parameter_does_harm(scene: Scene, text: str) -> None:
    token = {"Authorization": f"Bearer {scene.tokens['the operator']}"}
    for route in ANSWERED:
        if route.method not in {"GET", "DELETE"}:
            continue
        paths = [route.path.replace("{id}", text).replace("{did}", text)]
        plain = route.path.replace("{id}", scene.fact).replace("{did}", "did:key:z6MkNobody")
        if route.method == "GET":
            paths += [f"{plain}?{name}={text}" for name in route.query_model.model_fields]
            paths += [f"{plain}?{text}=1"]
        for path in paths:
            if path == route.path and "{" in path:
                continue
            ask(scene, route.method, path, **token)
    for path in ("/facts/{}/revoke", "/facts/{}/quarantine", "/facts/{}/release", "/webhooks/{}/replay"):
        bodies = {"quarantine": {"reason": "r"}, "replay": {"from": urllib.parse.unquote(text, errors="replace")}}
        body = json.dumps(bodies.get(path.rsplit("/", 1)[1], {})).encode()
        assert ask(scene, "POST", path.replace("{}", text), body, **JSON, **token).status < 500


NUMBERS = [-(1 << 52), -1, 0, (1 << 31), (1 << 52)]


async def test_a_cursor_that_somebody_made_reads_nothing_that_it_should_not_and_breaks_nothing(scene: Scene) -> None:
    """A cursor is bound to its list by a hash that anyone can compute: what it says is still only input."""
    times = [[n, n, n, [n] * 8, [n] * 8] for n in NUMBERS]
    deliveries = {"of": "deliveries", "id": scene.webhook, "status": None}
    playlists = {"of": "playlists", "star": None, "sort": "created", "order": "desc"}
    made: list[tuple[str, Any, list[Any]]] = [
        ("/signers", {"of": "signers", "role": None}, [["\0", [0]], ["did:key:x", NUMBERS], ["x" * 900, []]]),
        ("/webhooks", {"of": "webhooks"}, [["\0", [0]], ["whk_x", NUMBERS], ["x", []], ["x", [1] * 500]]),
        (f"/webhooks/{scene.webhook}/deliveries", deliveries, [[n] for n in NUMBERS]),
        (f"/facts/{scene.fact}/history", {"of": "history", "id": scene.fact}, [[n] for n in NUMBERS]),
        ("/facts", {"of": "facts"}, [*times, [0, 0, 0, [], []], [0, 0, 0, [0], [0, 0]]]),
        ("/facts", {"of": "facts"}, [[True, 0, 0, [0], [0]], [0, 0, 0, ["a"], [None]], [0, 0, 0, [1.5], [0]]]),
        ("/playlists", playlists, [[n, "\0"] for n in NUMBERS] + [[0, "x" * 900], [0, ""]]),
    ]
    headers = {**scene.headers("the operator")}
    async with aiohttp.ClientSession(scene.registry.url, headers=headers) as client:
        for path, filters, contents in made:
            for content in contents:
                query = {"cursor": write_cursor(filters, content), "wait_ms": "0"}
                async with client.get(path, params=query) as answer:
                    names = {name.lower(): value for name, value in answer.headers.items()}
                    check(Answer(answer.status, names, await answer.read()), scene.registry.url, f"{path} {content}")
        for since in ("x" * 5_000, base64.urlsafe_b64encode(b"\0" * 40).decode(), "0" * 10, "-0"):
            async with client.get("/facts", params={"since": since}) as answer:
                assert answer.status == 400, await answer.text()


def test_afterwards_the_log_and_every_projection_hold_and_the_process_still_runs_that_ran_before(scene: Scene) -> None:
    logs = [json.loads(line) for line in (scene.registry.data / "logs" / "api.log").read_text().splitlines() if line]
    failed = [line for line in logs if line.get("event") == "request_failed"]
    assert not failed, failed[0]
    with psycopg.connect(scene.registry.stack()["postgres"]) as database:
        assert database.execute("SELECT count(*) FROM muniment.generations").fetchone() is not None
    scene.registry.cli("audit")
