"""Owners' keys: made once, wrapped, found again, destroyed for good."""

import asyncio

import pytest

from projections.postgres import Postgres
from projections.vault_keys import OwnerIsErased, VaultKeys, WrongVaultKey
from tests.conftest import Services

pytestmark = pytest.mark.stack
KEY = bytes(range(32))
ANN, BEN = "did:key:zAnn", "did:key:zBen"


async def stored(postgres: Postgres) -> dict[str, bytes | None]:
    """Give what the table holds."""
    async with postgres.snapshot() as transaction:
        return dict(await transaction.rows("SELECT did, wrapped FROM muniment.vault_keys"))


async def test_a_key_is_made_once_and_found_again(postgres: Postgres) -> None:
    keys = VaultKeys(postgres, KEY)
    assert await keys.find([ANN]) == {}, "there is no table yet"
    made = await keys.make(ANN)
    assert len(made) == 32
    assert await keys.make(ANN) == made
    assert await keys.make(BEN) != made
    assert await VaultKeys(postgres, KEY).find([ANN, "did:key:zNobody"]) == {ANN: made}


async def test_processes_that_make_a_key_at_once_get_the_same(services: Services, postgres: Postgres) -> None:
    others = [Postgres(services.postgres) for _ in range(4)]
    made = await asyncio.gather(*(VaultKeys(each, KEY).make(ANN) for each in others for _ in range(6)))
    assert len(set(made)) == 1
    for each in others:
        await each.close()


async def test_a_key_never_lies_there_as_it_is(postgres: Postgres) -> None:
    made = await VaultKeys(postgres, KEY).make(ANN)
    wrapped = (await stored(postgres))[ANN]
    assert wrapped is not None
    assert made not in bytes(wrapped)


async def test_an_ethereum_address_has_one_key_in_any_case(postgres: Postgres) -> None:
    keys, did = VaultKeys(postgres, KEY), "did:pkh:eip155:1:0x" + "aB" * 20
    assert await keys.make(did) == await keys.make(did.lower())
    await keys.destroy(did.upper().replace("DID:PKH:EIP155:1:0X", "did:pkh:eip155:1:0x"))
    with pytest.raises(OwnerIsErased):
        await keys.make(did)


async def test_a_destroyed_key_is_gone_and_no_other_is_made(postgres: Postgres) -> None:
    keys = VaultKeys(postgres, KEY)
    await keys.make(ANN)
    ben = await keys.make(BEN)
    await keys.destroy(ANN)
    await keys.destroy(ANN)
    with pytest.raises(OwnerIsErased):
        await keys.make(ANN)
    assert await keys.find([ANN, BEN]) == {BEN: ben}
    assert (await stored(postgres))[ANN] is None


async def test_who_never_had_a_key_can_be_erased_too(postgres: Postgres) -> None:
    keys = VaultKeys(postgres, KEY)
    await keys.destroy(ANN)
    with pytest.raises(OwnerIsErased):
        await keys.make(ANN)


async def test_a_race_of_making_and_destroying_ends_without_a_key(services: Services, postgres: Postgres) -> None:
    keys, other = VaultKeys(postgres, KEY), Postgres(services.postgres)
    for number in range(10):
        did = f"did:key:z{number}"
        making = [keys.make(did) for _ in range(3)]
        await asyncio.gather(*making, VaultKeys(other, KEY).destroy(did), return_exceptions=True)
        assert (await stored(postgres))[did] is None
    await other.close()


async def test_with_another_key_of_the_deployment_nothing_is_made_of_any(postgres: Postgres) -> None:
    await VaultKeys(postgres, KEY).make(ANN)
    wrong = VaultKeys(postgres, bytes(32))
    with pytest.raises(WrongVaultKey):
        await wrong.make(ANN)
    with pytest.raises(WrongVaultKey):
        await wrong.find([ANN])


async def test_a_key_is_its_owners_alone_wherever_its_row_is_put(postgres: Postgres) -> None:
    keys = VaultKeys(postgres, KEY)
    await keys.make(ANN)
    async with postgres.transaction() as transaction:
        await transaction.run("UPDATE muniment.vault_keys SET did = %s", BEN)
    with pytest.raises(WrongVaultKey):
        await keys.find([BEN])
