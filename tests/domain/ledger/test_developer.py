"""Developers and their agents: invites, the grant, and who may register whom."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.ledger.account import account, account_id
from domain.ledger.agent import AgentRegistered, RegisterAgent
from domain.ledger.developer import DeveloperRegistered, InvitesIssued, IssueInvites, RegisterDeveloper
from domain.ledger.frame import TokensMinted
from domain.ledger.posting import supply
from domain.ledger.registry import RegistryChanged
from tests.domain.ledger.market import (
    ADMIN,
    ANN,
    BENS,
    EVE,
    FRAME,
    GRANT,
    HERE,
    NORTH,
    SOUTH,
    TERMS,
    Wrong,
    each_two,
    market,
    moves,
    registered,
    then_the_first_is_told,
    wrong,
)

DAN, ROBOT = "did:key:dan", "did:key:robot"
DANS = account_id(FRAME, NORTH, DAN, "user")
ROBOTS = account_id(FRAME, NORTH, ROBOT, "agent")
CODE, OTHER_CODE = "a" * 64, "b" * 64
REGISTER = RegisterDeveloper(FRAME, NORTH, DAN, "Dan", "dan@example.org", None, None)
GRANTED = moves(("issued", "counter", -GRANT), (DANS, "available", GRANT))
REGISTERED = DeveloperRegistered(FRAME, NORTH, DAN, "Dan", "dan@example.org", None, DANS, GRANT, DAN, None, GRANTED)
INVITED = InvitesIssued(FRAME, NORTH, (CODE, OTHER_CODE), ADMIN, HERE)
CLOSED = RegistryChanged(FRAME, NORTH, replace(TERMS, invite_required=True), ADMIN, HERE)
FULL = 2**63 - 1 - 3 * GRANT
MINTED_FULL = TokensMinted(
    FRAME, BENS, FULL, ADMIN, HERE, moves(("issued", "counter", -FULL), (BENS, "available", FULL))
)
AGENT = RegisterAgent(FRAME, NORTH, "agt_1", ROBOT, '{"name":"Robot"}', "https://here.example")
AGENT_REGISTERED = AgentRegistered(
    FRAME, NORTH, "agt_1", ROBOT, ANN, '{"name":"Robot"}', "https://here.example", ROBOTS
)


def test_a_developer_registers_itself_and_gets_the_grant() -> None:
    scene = market()
    scene.asked_by(DAN).when(REGISTER).then(REGISTERED)
    assert scene.balance(DANS) == (GRANT, 0, 0)
    assert supply(scene.state, FRAME) == (4 * GRANT, 0, 0, 4 * GRANT)
    opened = account(scene.state, DANS)
    assert opened is not None
    assert (opened.owner, opened.kind, opened.registry_id) == (DAN, "user", NORTH)


@pytest.mark.parametrize(
    ("enabled", "terms_grant", "grant"), [(True, GRANT, GRANT), (True, 0, 0), (False, GRANT, 0), (True, 1, 1)]
)
def test_a_grant_is_what_the_terms_say(*, enabled: bool, terms_grant: int, grant: int) -> None:
    terms = replace(TERMS, genesis_enabled=enabled, genesis_grant=terms_grant)
    scene = market(RegistryChanged(FRAME, NORTH, terms, ADMIN, HERE))
    scene.asked_by(DAN).when(REGISTER)
    assert scene.outcome[0].grant == grant
    assert scene.balance(DANS) == (grant, 0, 0)
    assert supply(scene.state, FRAME).issued == 3 * GRANT + grant


def test_the_last_grant_that_fits_is_given() -> None:
    room = moves((BENS, "available", -GRANT), ("issued", "counter", GRANT))
    scene = market(MINTED_FULL, replace(MINTED_FULL, postings=room)).asked_by(DAN)
    scene.when(REGISTER).then(REGISTERED)


def test_an_admin_registers_anyone() -> None:
    scene = market()
    scene.when(replace(REGISTER, authority=HERE)).then(replace(REGISTERED, registered_by=ADMIN, authority=HERE))


def test_nobody_else_registers_another() -> None:
    market().asked_by(ANN).when(REGISTER).then_refused("forbidden")


def test_a_developer_is_in_a_frame_once_whichever_registry_it_asks() -> None:
    for registry_id in (NORTH, SOUTH):
        scene = market(registered(NORTH, DAN, DANS)).asked_by(DAN)
        scene.when(replace(REGISTER, registry_id=registry_id)).then_refused("already_registered", {"did": DAN})
        assert scene.balance(DANS) == (GRANT, 0, 0)


def test_an_address_in_another_case_is_the_same_developer() -> None:
    did = "did:pkh:eip155:1:0xAbC"
    scene = market(registered(NORTH, did.lower(), DANS)).asked_by(did)
    scene.when(replace(REGISTER, did=did)).then_refused("already_registered")


def test_an_admin_issues_invites_of_which_the_log_holds_the_hashes() -> None:
    market().when(IssueInvites(FRAME, NORTH, (CODE, OTHER_CODE), HERE)).then(INVITED)
    market().when(IssueInvites(FRAME, "nowhere", (CODE,), HERE)).then_refused("not_found")


def test_an_invite_lets_one_developer_in() -> None:
    scene = market(CLOSED, INVITED).asked_by(DAN)
    scene.when(REGISTER).then_refused("invite_required")
    scene.when(replace(REGISTER, invite_hash="c" * 64)).then_refused("invite_invalid")
    scene.when(replace(REGISTER, invite_hash=CODE)).then(replace(REGISTERED, invite_hash=CODE))
    another: Any = replace(REGISTER, did="did:key:joe", invite_hash=CODE)
    scene.asked_by("did:key:joe").when(another).then_refused("invite_invalid")
    scene.when(replace(another, invite_hash=OTHER_CODE))
    assert scene.outcome[0].invite_hash == OTHER_CODE


def test_an_invite_is_of_its_registry_only() -> None:
    scene = market(INVITED).asked_by(DAN)
    scene.when(replace(REGISTER, registry_id=SOUTH, invite_hash=CODE)).then_refused("invite_invalid")


def test_an_invite_that_nobody_asked_for_is_checked_and_used_up() -> None:
    scene = market(INVITED).asked_by(DAN)
    scene.when(replace(REGISTER, invite_hash="c" * 64)).then_refused("invite_invalid")
    scene.when(replace(REGISTER, invite_hash=CODE)).then(replace(REGISTERED, invite_hash=CODE))
    assert not any(key.endswith(CODE) for key in scene.state)


def test_a_refused_developer_uses_no_invite_up() -> None:
    scene = market(CLOSED, INVITED).asked_by(ANN)
    scene.when(replace(REGISTER, did=ANN, invite_hash=CODE)).then_refused("already_registered")
    scene.asked_by(DAN).when(replace(REGISTER, invite_hash=CODE)).then(replace(REGISTERED, invite_hash=CODE))


REGISTER_WRONG = (
    wrong("not_found", registry_id="nowhere"),
    wrong("forbidden", did=EVE),
    wrong("invite_invalid", invite_hash=CODE),
    wrong("already_registered", registered(SOUTH, DAN, account_id(FRAME, SOUTH, DAN, "user"), grant=0)),
    wrong("out_of_bounds", MINTED_FULL),
)
UNINVITED_WRONG = (*REGISTER_WRONG[:2], wrong("invite_required", CLOSED), *REGISTER_WRONG[3:])


@pytest.mark.parametrize("rows", each_two(REGISTER_WRONG) + each_two(UNINVITED_WRONG))
def test_of_two_things_wrong_with_a_developer_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market().asked_by(DAN), REGISTER, rows)


def test_a_developer_registers_an_agent_with_an_account_of_its_own() -> None:
    scene = market()
    scene.asked_by(ANN).when(AGENT).then(AGENT_REGISTERED)
    assert scene.balance(ROBOTS) == (0, 0, 0)
    opened = account(scene.state, ROBOTS)
    assert opened is not None
    assert (opened.owner, opened.kind) == (ROBOT, "agent")


def test_a_developer_of_one_registry_registers_agents_in_any_of_its_frame() -> None:
    scene = market().asked_by(EVE)
    scene.when(AGENT).then(replace(AGENT_REGISTERED, developer_did=EVE))


def test_the_same_agent_is_in_two_registries_with_two_accounts() -> None:
    scene = market(AGENT_REGISTERED).asked_by(ANN)
    scene.when(replace(AGENT, registry_id=SOUTH))
    assert scene.outcome[0].account == account_id(FRAME, SOUTH, ROBOT, "agent")


AGENT_WRONG = (
    wrong("not_found", registry_id="nowhere"),
    wrong("developer_not_registered"),
    wrong("already_registered", AGENT_REGISTERED),
)


@pytest.mark.parametrize("rows", each_two(AGENT_WRONG))
def test_of_two_things_wrong_with_an_agent_the_first_is_told(rows: Sequence[Wrong]) -> None:
    stranger = any(row.code == "developer_not_registered" for row in rows)
    then_the_first_is_told(market().asked_by(DAN if stranger else ANN), AGENT, rows)


def test_a_developer_of_another_frame_is_none_here() -> None:
    market().asked_by(ANN).when(replace(AGENT, frame_id="other")).then_refused("not_found")
