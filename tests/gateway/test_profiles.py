"""Profiles: who somebody is by DID and handle, and counts that are right whatever happens to the records."""

from typing import Any

from tests.gateway.crowd import FOLLOW, POST, PROFILE, Crowd, person

ANN, BEN, EVE = (person(number) for number in range(11, 14))
NAMES = ("followers", "following", "posts")


def counts(profile: Any) -> tuple[int, ...]:
    """Give followers, following and posts."""
    return tuple(profile[name] for name in NAMES)


async def test_somebody_is_shown_by_did_and_handle_with_what_the_record_says(crowd: Crowd) -> None:
    await crowd.show_as(ANN, "Ann", description="paints", avatar="med_1")
    shown = await crowd.profile(ANN.did)
    said = {"display_name": "Ann", "description": "paints", "avatar": "med_1"}
    assert shown == {"did": ANN.did, "handle": None, **said, "followers": 0, "following": 0, "posts": 0}
    ada = await crowd.owned("ada", "ada-l")
    await crowd.follow(ANN, ada.did)
    by_handle = await crowd.profile("ada-l")
    assert by_handle == await crowd.profile(ada.did)
    assert (by_handle["did"], by_handle["handle"], by_handle["display_name"]) == (ada.did, "ada-l", None)
    assert counts(by_handle) == (1, 0, 0)
    for nobody in ("ada-x", "did:mun:" + "a" * 26, "did:key:zNobody", "x", "%00", "ADA-L"):
        assert (await crowd.read(f"/profiles/{nobody}")).code == "not_found", nobody


async def test_counts_are_right_under_repeats_changes_and_deletions(crowd: Crowd) -> None:
    assert counts(await crowd.profile(BEN.did)) == (0, 0, 0)
    first, second = await crowd.follow(ANN, BEN.did), await crowd.follow(ANN, BEN.did)
    await crowd.follow(EVE, BEN.did, "f")
    await crowd.follow(EVE, BEN.did, "f")
    for key in ("a", "b", "a"):
        await crowd.post(BEN, f"in {key}", key)
    assert counts(await crowd.profile(BEN.did)) == (2, 0, 2)
    assert counts(await crowd.profile(ANN.did)) == (0, 1, 0)
    await crowd.forget(ANN, FOLLOW, first)
    await crowd.forget(BEN, POST, "a")
    assert counts(await crowd.profile(BEN.did)) == (2, 0, 1)
    await crowd.forget(ANN, FOLLOW, second)
    await crowd.follow(EVE, ANN.did, "f")
    assert counts(await crowd.profile(BEN.did)) == (0, 0, 1)
    assert [counts(await crowd.profile(who.did)) for who in (ANN, EVE)] == [(1, 0, 0), (0, 1, 0)]
    await crowd.show_as(ANN, "Ann")
    await crowd.show_as(ANN, "Anna")
    assert (await crowd.profile(ANN.did))["display_name"] == "Anna"
    await crowd.forget(ANN, PROFILE, "self")
    assert (await crowd.profile(ANN.did))["display_name"] is None


async def test_a_follow_counts_for_an_address_in_whatever_case_it_is_written(crowd: Crowd) -> None:
    address = "did:pkh:eip155:1:0x" + "aB" * 20
    await crowd.follow(ANN, address)
    assert counts(await crowd.profile(address)) == (1, 0, 0)
    assert (await crowd.profile(address))["did"] == address.lower()


async def test_a_batch_is_in_the_order_that_was_asked_for_without_who_is_not_there(crowd: Crowd) -> None:
    ada = await crowd.owned("ada", "ada-l")
    await crowd.show_as(BEN, "Ben")
    wanted = [
        "ada-l",
        BEN.did,
        "nobody-here",
        ada.did,
        "did:mun:" + "b" * 26,
        "",
        "\0",
        "did:key:zNo",
        ANN.did,
        BEN.did,
    ]
    answer = await crowd.read("/profiles", ids=",".join(wanted))
    assert [each["did"] for each in answer.json["items"]] == [ada.did, BEN.did, ANN.did]
    assert answer.json["items"][1] == await crowd.profile(BEN.did)
    assert "Muniment-As-Of" in answer.headers
    hundred = [f"name-{number}" for number in range(100)]
    assert (await crowd.read("/profiles", ids=",".join(hundred))).json == {"items": []}
    for ids in (",".join([*hundred, "one-more"]), ""):
        assert (await crowd.read("/profiles", ids=ids)).code == "invalid_request"
    assert (await crowd.read("/profiles")).code == "invalid_request"
