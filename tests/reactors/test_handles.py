"""The process manager of handles and recoveries: wherever a reactor ends, the next one brings it to the same end."""

from collections.abc import Sequence

import pytest

from domain.identity.completion import GuardianRecoveryCompleted
from domain.identity.creation import DidCreated
from domain.identity.handle import HandleConfirmed, HandleReleased
from domain.identity.naming import ClaimLapsed
from log.log import LogUnavailable
from log.store import MemoryStore
from processors.audit_identity_reading import IdentityAudit
from processors.audit_source import LogSource
from processors.reactor_commands import Ask
from tests.audit.economy import first
from tests.reactors.identity_rig import CLAIM_MS, HIGH, Clerk, Office


@pytest.fixture
async def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    """Give an identity in which there is something to do for every part of the process manager."""
    return await Office().set_clock(monkeypatch).with_all_to_do()


def standing(office: Office) -> dict[str, tuple[str, str] | None]:
    """Give whose each handle is, and how."""
    called = {did: name for name, did in office.dids.items()}
    found: dict[str, tuple[str, str] | None] = {}
    for handle in ("ada", "bob", "carol", "caroline", "eve", "evelyn"):
        known = office.handle(handle)
        found[handle] = None if known is None else (called[known.did], known.status)
    return found


async def done(office: Office) -> None:
    """See that all is as it must be in the end, and that an audit agrees."""
    assert standing(office) == {
        "ada": ("ada", "confirmed"),
        "bob": None,
        "carol": ("carol", "held"),
        "caroline": ("carol", "confirmed"),
        "eve": ("eve", "confirmed"),
        "evelyn": ("eve", "held")
        if any(each.handle == "evelyn" for each in office.happened(HandleConfirmed))
        else None,
    }
    assert [each.did for each in office.happened(GuardianRecoveryCompleted)] == [office.dids["dave"]]
    assert office.known(office.dids["dave"]).pending is None
    assert await IdentityAudit(LogSource(office.log)).run() is None


async def test_all_is_done_once(office: Office) -> None:
    clerk = Clerk(office)
    await clerk.work()
    assert standing(office)["bob"] == ("bob", "claimed"), "its time is not over"
    assert office.happened(ClaimLapsed) == []
    office.now += CLAIM_MS
    await clerk.work()
    await done(office)
    assert {each.handle for each in office.happened(HandleConfirmed)} == {"ada", "carol", "caroline", "eve"}
    assert sorted(each.handle for each in office.happened(HandleReleased)) == ["bob", "carol", "evelyn"]
    assert {each.handle for each in office.happened(ClaimLapsed)} == {"bob", "evelyn"}
    events = len(office.events())
    assert await Clerk(office).turn() == 0, "another reactor finds nothing to do"
    assert await clerk.turn() == 0
    assert len(office.events()) == events


class Dies(Exception):
    """A reactor ends here."""


def dying_after(clerk: Clerk, count: int) -> None:
    """Let a reactor append so many commands, and end."""
    append, left = clerk.commands.append, count

    async def dies(asks: Sequence[Ask]) -> None:
        nonlocal left
        now, left = asks[:left], left - len(asks)
        await append(now)
        if left < 0:
            raise Dies

    clerk.commands.append = dies  # type: ignore[method-assign]


@pytest.mark.parametrize("decided", [False, True], ids=["nothing decided", "decided"])
@pytest.mark.parametrize("kept", [False, True], ids=["from the log", "from its store"])
async def test_a_reactor_that_ends_anywhere_is_followed_by_one_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, *, kept: bool, decided: bool
) -> None:
    died, count = True, 0
    while died:
        office = await Office().set_clock(monkeypatch).with_all_to_do()
        store, died = MemoryStore(), False
        clerk = Clerk(office, store)
        dying_after(clerk, count)
        try:
            await clerk.work()
            office.now += CLAIM_MS
            await clerk.work()
        except Dies:
            died = True
        if decided:
            office.settle()
        office.now += CLAIM_MS
        await Clerk(office, store if kept else None).work()
        await done(office)
        count += 1
    assert count > 7, "it ended at each of its commands"


async def test_two_reactors_that_know_different_things_come_to_the_same(office: Office) -> None:
    behind, ahead = await Clerk(office).catch_up(), Clerk(office)
    await ahead.work()
    # One that leads no more and doesn't know asks by what it knew.
    for clerk in (behind, ahead, behind):
        office.now += CLAIM_MS
        await clerk.handles.ask()
        await clerk.handles.lapse()
        office.settle()
    await ahead.work()
    await behind.work()
    await done(office)


async def test_a_reactor_waits_until_it_knows_of_a_did_what_its_handle_cites(office: Office) -> None:
    await Clerk(office).work()
    clerk = await Clerk(office).catch_up()
    store, eve = clerk.agenda.store, office.dids["eve"]
    (_, where), (told_at, _) = store.get(f"named/{eve}") or (), store.get("told/eve") or ()
    place, _, offset = where.rpartition("/")
    left = [(f"named/{eve}", (None, where)), ("open/eve", ())]
    # The handle's stream was read further than its DID's: nothing is done by what is older than what that cites.
    store.write([*left, ("told/eve", (told_at, f"{place}/{int(offset) + 1}"))], {})
    assert await clerk.handles.ask() == 0
    store.write([*left, ("told/eve", (told_at, where))], {})
    assert await clerk.handles.ask() == 1


async def test_a_claim_that_is_made_again_is_not_released_by_the_end_of_the_first(office: Office) -> None:
    clerk, bob = Clerk(office), office.dids["bob"]
    office.now += CLAIM_MS
    await clerk.turn()
    office.settle()
    assert office.claim("bob", bob) is not None, "its DID may claim it anew before it is released"
    await clerk.work()
    assert standing(office)["bob"] == ("bob", "claimed")
    first(office.renamed(bob, "bob"))
    await clerk.work()
    assert standing(office)["bob"] == ("bob", "confirmed")


async def test_what_could_not_be_appended_is_asked_for_again_at_once(office: Office) -> None:
    clerk = await Clerk(office).catch_up()
    append = clerk.commands.append

    async def away(_asks: Sequence[Ask]) -> None:
        raise LogUnavailable

    clerk.commands.append = away  # type: ignore[method-assign]
    with pytest.raises(LogUnavailable):
        await clerk.handles.ask()
    clerk.commands.append = append  # type: ignore[method-assign]
    clerk.handles._lately.forget()
    assert await clerk.handles.ask() > 0


async def test_a_handle_that_was_released_is_confirmed_again_for_a_did_that_went_back(office: Office) -> None:
    clerk, carol = Clerk(office), office.dids["carol"]
    await clerk.work()
    assert (standing(office)["carol"], standing(office)["caroline"]) == (("carol", "held"), ("carol", "confirmed"))
    genesis = next(each.signed.hash for each in office.happened(DidCreated) if each.did == carol)
    first(office.recover(carol, HIGH, (HIGH,), (), genesis))
    await clerk.work()
    assert (standing(office)["carol"], standing(office)["caroline"]) == (("carol", "confirmed"), ("carol", "held"))
    assert await IdentityAudit(LogSource(office.log)).run() is None
