"""DID resolution over HTTP: the result with what is known about a version, the document, and why there is none."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from muniment.client import Client, NotFound
from projections.postgres import Postgres
from tests.api.serving import Registry
from tests.api_identity.reading import Noting, ask, key_names, played, reading
from tests.audit.chancery import pen
from tests.audit.economy import moment
from tests.projections.conftest import postgres

__all__ = ["postgres"]
pytestmark = pytest.mark.stack
LD = "application/did+ld+json"
RESULT = "application/did-resolution"
PROFILE = 'application/ld+json;profile="https://w3id.org/did-resolution"'


@pytest.fixture
async def chancery() -> Noting:
    """Give what was decided."""
    return await played()


@pytest.fixture
async def registry(chancery: Noting, postgres: Postgres) -> AsyncIterator[Registry]:
    """Serve it."""
    async with reading(chancery, postgres) as found:
        yield found


async def test_a_result_has_the_document_and_what_is_known_about_its_version(
    chancery: Noting, registry: Registry
) -> None:
    ada, steps = next(iter(chancery.noted.items()))
    path = f"/1.0/identifiers/{ada}"
    answer = await ask(registry, path)
    assert answer.status == 200
    assert answer.headers["Muniment-As-Of"]
    assert answer.json == {
        "didDocument": (await ask(registry, f"/dids/{ada}")).json,
        "didResolutionMetadata": {"contentType": "application/did+json"},
        "didDocumentMetadata": {
            "created": second(steps[0].at),
            "updated": second(steps[-1].at),
            "versionId": chancery.head(ada),
        },
    }
    for number, noted in enumerate(steps):
        if number and noted.head == steps[number - 1].head:
            continue  # a guardians' recovery took effect: no operation of its own says so
        following = next((each.head for each in steps[number + 1 :] if each.head != noted.head), None)
        ends = number + 1 == len(steps) or steps[number + 1].at > noted.at
        when = {"versionTime": quote(moment(noted.at))} if ends else {"versionId": noted.head}
        shown = (await ask(registry, path, **when)).json
        about = shown["didDocumentMetadata"]
        assert (about["versionId"], about.get("nextVersionId")) == (noted.head, following)
        assert about["created"] == second(steps[0].at)
        assert about.get("updated") == (second(noted.at) if number else None)
        assert key_names(shown["didDocument"]) == noted.keys
    ahead = (await ask(registry, path, versionTime="2999-01-01T00:00:00Z")).json
    assert ahead["didDocumentMetadata"] == answer.json["didDocumentMetadata"]


def second(at: int) -> str:
    """Write a time without parts of a second."""
    return moment(at)[:19] + "Z"


async def test_the_accept_header_asks_for_a_result_or_for_the_document_alone(
    chancery: Noting, registry: Registry
) -> None:
    path = f"/1.0/identifiers/{next(iter(chancery.noted))}"
    for accept, told in ((None, "application/json"), (RESULT, RESULT), (PROFILE, PROFILE), (f"{RESULT}, */*", RESULT)):
        answer = await registry.client.get(path, headers={} if accept is None else {"Accept": accept})
        body = await answer.json(content_type=None)
        assert (answer.status, answer.headers["Content-Type"].split("; charset")[0]) == (200, told)
        assert answer.headers["Vary"] == "Accept"
        as_ld = told == PROFILE
        assert ("@context" in body["didDocument"], "@context" in body) == (as_ld, as_ld)
        assert body["didResolutionMetadata"]["contentType"] == (LD if as_ld else "application/did+json")
    for accept in ("application/did+json", LD):
        answer = await ask(registry, path, accept)
        assert answer.headers["Content-Type"].partition(";")[0] == accept
        assert answer.json == (await ask(registry, path.replace("1.0/identifiers", "dids"), accept)).json


async def test_why_there_is_no_document_is_said_in_the_registered_words(chancery: Noting, registry: Registry) -> None:
    ada = next(iter(chancery.noted))
    cases = [
        ("x", 400, "invalidDid"),
        ("did:mun:short", 400, "invalidDid"),
        ("did:mun:" + "a" * 200, 400, "invalidDid"),
        ("did:key:z6Mk", 400, "invalidDid"),
        ("%00", 400, "invalidDid"),
        ("did:mun:" + "a" * 26, 404, "notFound"),
        (f"{ada}?versionId=sha256-none", 404, "notFound"),
        (f"{ada}?versionId=sha256-{'a' * 43}", 404, "notFound"),
        (f"{ada}?versionId=%00", 404, "notFound"),
        (f"{ada}?versionTime=2001-01-01T00:00:00Z", 404, "notFound"),
        ("did:example:123", 501, "methodNotSupported"),
    ]
    for did, status, error in cases:
        for accept in (None, RESULT, LD):
            answer = await registry.client.get(
                f"/1.0/identifiers/{did}", headers={} if accept is None else {"Accept": accept}
            )
            assert answer.status == status, did
            assert await answer.json(content_type=None) == {
                "didDocument": None,
                "didResolutionMetadata": {"error": error},
                "didDocumentMetadata": {},
            }
    refused = await ask(registry, f"/1.0/identifiers/{ada}", "text/html")
    assert (refused.status, refused.json["didResolutionMetadata"]) == (406, {"error": "representationNotSupported"})
    both = await ask(registry, f"/1.0/identifiers/{ada}", versionId="x", versionTime="2001-01-01T00:00:00Z")
    assert both.code == "invalid_request"
    for query in ({"versionTime": "then"}, {"versionId": "x" * 65}, {"versionTag": "1"}):
        assert (await ask(registry, f"/1.0/identifiers/{ada}", **query)).code == "invalid_request"


async def test_a_did_that_says_its_key_itself_resolves_with_nothing_known_about_it(registry: Registry) -> None:
    did = "did:key:" + pen(2, "secp256k1").multibase
    answer = await ask(registry, f"/1.0/identifiers/{did}")
    assert answer.json["didDocumentMetadata"] == {}
    assert answer.json["didDocument"] == (await ask(registry, f"/dids/{did}")).json


async def test_the_client_reads_documents_and_logs(chancery: Noting, registry: Registry) -> None:
    ada, steps = next(iter(chancery.noted.items()))
    async with Client(str(registry.client.make_url("/")).rstrip("/")) as client:
        document = await client.identity.resolve(ada)
        assert (document.id, document.handle) == (ada, "lovelace")
        assert document.as_of
        first = await client.identity.resolve(ada, as_of=moment(steps[0].at))
        assert (first.handle, key_names(first.json)) == ("ada", steps[0].keys)
        assert (await client.identity.resolve("did:key:" + pen(1).multibase)).handle is None
        operations = [each async for each in client.identity.log(ada)]
        assert [each.nullified for each in operations] == [index in {1, 8} for index in range(12)]
        assert await client.identity.head(ada) == chancery.head(ada) == operations[-1].hash
        for missing in (client.identity.resolve("did:mun:" + "a" * 26), client.identity.head("did:mun:" + "a" * 26)):
            with pytest.raises(NotFound):
                await missing
