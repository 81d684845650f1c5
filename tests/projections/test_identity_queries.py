"""What identity's tables answer: who has a handle, which key holds when, and what is marked as compromised."""

import asyncio
from typing import Any

import pytest

from projections import identity_queries as queries
from projections.compromised_keys import Signed, said_of, unspoiled
from projections.postgres import Postgres
from projections.reads import Reads
from tests.audit.chancery import Chancery, every_kind_of_operation, pen
from tests.projections.test_identity import project

pytestmark = pytest.mark.stack


class Asking:
    """Asks the live generation of identity."""

    def __init__(self, postgres: Postgres) -> None:
        self._reads = Reads(postgres)

    async def __call__(self, query: Any, *about: Any, **more: Any) -> Any:
        found, _ = await self._reads.read("identity", lambda t, g: query(t, g, *about, **more))
        return found


async def played(postgres: Postgres) -> tuple[Chancery, Asking]:
    """Give what happened, projected."""
    chancery = await every_kind_of_operation()
    await project(chancery, postgres)
    return chancery, Asking(postgres)


async def test_a_did_is_found_by_itself_and_by_its_handle_now(postgres: Postgres) -> None:
    chancery, ask = await played(postgres)
    ada = (await ask(queries.dids, ["lovelace"]))["lovelace"]
    assert (ada.handle, ada.rotation_keys, ada.pending) == ("lovelace", (pen(8).multibase,), None)
    assert await ask(queries.did, ada.did) == ada
    assert ada.head == chancery.head(ada.did)
    assert len(ada.guardians) == 3
    assert (ada.guardian_threshold, ada.guardian_delay_s) == (2, 600)
    found = await ask(queries.dids, ["ada", "friend-0", ada.did, "did:mun:" + "a" * 26, "lovelace"])
    assert set(found) == {"friend-0", ada.did, "lovelace"}
    assert await ask(queries.did, "lovelace") is None or (await ask(queries.did, "lovelace")).did == ada.did


async def test_windows_of_keys_come_in_the_order_in_which_they_began(postgres: Postgres) -> None:
    _, ask = await played(postgres)
    ada = (await ask(queries.dids, ["lovelace"]))["lovelace"]
    found = await ask(queries.keys, ada.did)
    assert [each.valid_from for each in found] == sorted(each.valid_from for each in found)
    assert [each.key_id for each in await ask(queries.keys, ada.did, "main")] == ["main", "main"]
    assert {each.key_id for each in found if each.valid_until is None} == {"rescue", "late"}


async def test_what_a_compromised_key_signed_since_then_is_told_by_whose_word(postgres: Postgres) -> None:
    _, ask = await played(postgres)
    ada = (await ask(queries.dids, ["lovelace"]))["lovelace"]
    (tablet,), (evil,) = [await ask(queries.keys, ada.did, name) for name in ("tablet", "evil")]
    since, until = tablet.compromised_since, tablet.valid_until
    assert None not in (since, until)
    word = f"KeyRevoked identity/{tablet.part}/{tablet.changed_pos}"
    signed = {
        Signed(ada.did, "tablet", since - 1): None,
        Signed(ada.did, "tablet", since): word,
        # What was checked while the key held, and came onto the log a moment behind its end.
        Signed(ada.did, "tablet", until + 1): word,
        Signed(ada.did, "evil", evil.valid_from): evil.compromised_by,
        Signed(ada.did, "evil", evil.valid_from - 1): None,
        Signed(ada.did, "main", since): None,
        Signed("did:x", "tablet", since): None,
    }
    assert evil.compromised_by.startswith("DidRecovered identity/")
    assert await ask(said_of, signed) == {each: said_by for each, said_by in signed.items() if said_by is not None}
    assert await ask(said_of, []) == {}
    for each, said_by in signed.items():
        row = f"(SELECT '{each.did}' AS did, '{each.key_id}' AS key_id, {each.at}::bigint AS at) r"
        counts = await ask(lambda t, g, row=row: t.rows(f"SELECT FROM {row} WHERE {unspoiled(g, 'r')}"))
        assert bool(counts) == (said_by is None), each


async def test_an_operation_log_holds_what_was_taken_back_too(postgres: Postgres) -> None:
    _, ask = await played(postgres)
    ada = (await ask(queries.dids, ["lovelace"]))["lovelace"]
    found = await ask(queries.operations, ada.did)
    assert found[0].prev is None
    assert found[-1].hash == ada.head
    assert [each.pos for each in found] == sorted(each.pos for each in found)
    assert sum(each.nullified for each in found) == 2
    assert all((each.nullified_pos is not None) == each.nullified for each in found)
    (effective,) = [each for each in found if each.effective_at is not None]
    assert '"guardian_recover"' in effective.operation
    assert effective.effective_pos is not None
    assert (effective.effective_at >= effective.at + 600_000, effective.effective_pos > effective.pos) == (True, True)
    assert await ask(queries.operations, ada.did, limit=2, after=found[0].pos) == found[1:3]


async def test_a_read_waits_for_a_position_of_identity(postgres: Postgres) -> None:
    chancery, _ = await played(postgres)
    did = chancery.create((pen(60),), (pen(61).key("main"),), "newcomer")
    _, partition, offset = chancery.where(did).split("/")
    wanted = {("identity", int(partition)): int(offset)}
    asked = asyncio.create_task(Reads(postgres).read("identity", lambda t, g: queries.did(t, g, did), wanted, 20.0))
    await asyncio.sleep(0.05)
    await project(chancery, postgres)
    found, seen = await asked
    assert found is not None
    assert found.handle == "newcomer"
    assert seen["identity", int(partition)] >= int(offset)
