"""Records on a registry as a user has it: its first collections, and an erasure that leaves nothing in clear."""

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.client.refusals import Refused
from muniment.client.transport import Transport
from muniment.signing_key import SigningKey
from projections.postgres import Postgres
from tests.end_to_end.registry import Registry, running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

POST = "org.muniment.post"
SECRET = "nobody-is-to-find-this-again"


async def tables(registry: Registry) -> str:
    """Give every row of every table of ours as text."""
    found, postgres = list[str](), Postgres(registry.stack()["postgres"])
    async with postgres.snapshot() as transaction:
        names = await transaction.rows(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname ~ '_g[0-9]+$|^muniment$'"
        )
        for (name,) in names:
            found += [row for (row,) in await transaction.rows(f"SELECT t::text FROM {name} t")]  # noqa: S608  # ours
    await postgres.close()
    return "\n".join(found)


def files(folder: Path) -> bytes:
    """Give all bytes of the files in a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def erased_of(transport: Transport, path: str, **query: Any) -> None:
    """See that a read answers 410."""
    with pytest.raises(Refused) as refused:
        await transport.read(path, query)
    assert (refused.value.status, refused.value.code) == (410, "erased")


async def test_a_person_keeps_posts_and_has_them_erased_and_a_rebuild_brings_nothing_back(tmp_path: Path) -> None:
    ann = SigningKey.generate()
    with running(tmp_path / "data") as registry:
        for name in (POST, "org.muniment.follow", "org.muniment.profile"):
            assert len(registry.get(f"/schemas/{name}")[1]["versions"]) == 1
        transport = Transport(registry.url, ann, timeout_s=60, issuer=None)
        await transport.open()
        for number in range(20):
            body = {"collection": POST, "value": {"text": f"{SECRET} {number}"}}
            kept = (await transport.write("POST", "/records", body)).json
        path = kept["uri"].removeprefix("mun:/")
        assert (await transport.read(f"/records{path}")).json["value"] == {"text": f"{SECRET} 19"}
        listed = (await transport.read("/records", {"did": ann.did, "collection": POST})).json["items"]
        assert [item["value"]["text"] for item in listed] == [f"{SECRET} {number}" for number in reversed(range(20))]
        assert SECRET in await tables(registry)
        await transport.write("POST", f"/dids/{ann.did}/erase", {"confirm": ann.did})
        await erased_of(transport, f"/records{path}")
        await erased_of(transport, "/records", did=ann.did)
        assert SECRET not in await tables(registry)
        assert SECRET.encode() not in files(registry.data / "kafka")
        assert SECRET.encode() not in files(registry.data / "state")
        rebuilt = json.loads(registry.cli("rebuild", "records", "--json"))
        assert rebuilt["difference"] is None
        await erased_of(transport, f"/records{path}")
        assert SECRET not in await tables(registry)
        audited = json.loads(registry.cli("audit", "--json"))
        assert audited["holds"]
        assert audited["sealed"] == {"opened": 0, "erased": 20, "tampered": 0, "unopened": 0, "keys_left": 0}
        alone = json.loads(registry.cli("audit", "--from-log", "--json"))
        assert (alone["holds"], alone["sealed"]["unopened"]) == (True, 20)
        await transport.close()
    with running(tmp_path / "data") as registry:
        transport = Transport(registry.url, ann, timeout_s=60, issuer=None)
        await transport.open()
        assert len(registry.get(f"/schemas/{POST}")[1]["versions"]) == 1, "a start brings what is missing, and no more"
        await erased_of(transport, f"/records{path}")
        with pytest.raises(Refused) as refused:
            await transport.write("POST", "/records", {"collection": POST, "value": {"text": "again"}})
        assert refused.value.code == "erased"
        await transport.close()
