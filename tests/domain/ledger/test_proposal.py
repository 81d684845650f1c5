"""Proposals: who may ask and vote, when, and what passes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.ledger.proposal import (
    CastVote,
    OpenProposal,
    ProposalOpened,
    ProposalTallied,
    TallyProposal,
    VoteCast,
)
from domain.ledger.registry import ParameterChanged, RegistryChanged, registry, terms_of
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from tests.domain.ledger.market import (
    ADMIN,
    ANN,
    ANNS,
    BEN,
    BENS,
    EVE,
    FRAME,
    HERE,
    NORTH,
    SOUTH,
    TERMS,
    WORD,
    Market,
    Wrong,
    each_two,
    market,
    moves,
    then_the_first_is_told,
    wrong,
    wrong_word,
)
from tests.domain.ledger.transfers import SETTLED
from tests.domain.scenario import NOON

DAY_MS = 86_400_000
ENDS = NOON + 5_000
ASKED: tuple[str, str, str, str, str, int] = ("parameter", "Dearer", "Why not?", "fee_bps", "75", ENDS)
OPEN = OpenProposal("prp_1", FRAME, NORTH, *ASKED)
OPENED = ProposalOpened("prp_1", FRAME, NORTH, 1, *ASKED, 1_000, ANN)
TEXT = replace(OPENED, kind="text", parameter=None, value=None)
VOTE = CastVote("prp_1", FRAME, "yes", replace(WORD, nonce="nonce-of-a-vote0"))
CAST = VoteCast("prp_1", FRAME, ANN, "yes", 600, VOTE.mandate)
TALLY = TallyProposal("prp_1", FRAME)
TALLIED = ProposalTallied("prp_1", FRAME, NORTH, "passed", 600, 0, 0, 1_000)
CHANGED = ParameterChanged(FRAME, NORTH, "prp_1", "fee_bps", "75")


def placed(who: str, account: str, amount: int, name: str = "stk") -> StakePlaced:
    """Write that a stake was placed."""
    word = replace(WORD, signed_by=who, nonce=f"nonce-{name}-{amount:08}")
    rows = moves((account, "available", -amount), (account, "staked", amount))
    return StakePlaced(f"{name}_{who}", FRAME, NORTH, account, who, amount, 0, 0, word, rows)


def staked(*events: Any) -> Market:
    """Begin where Ann staked 600 and Ben 400 of all."""
    return market(placed(ANN, ANNS, 600), placed(BEN, BENS, 400), *events)


def vote(who: str, choice: str, power: int) -> VoteCast:
    """Write that somebody voted."""
    return VoteCast("prp_1", FRAME, who, choice, power, replace(WORD, signed_by=who, nonce=f"nonce-{choice:>010}"))


def test_one_who_has_a_stake_asks_all_who_have() -> None:
    staked().asked_by(ANN).when(OPEN).then(OPENED)


def test_proposals_of_a_registry_are_numbered() -> None:
    again = replace(OPEN, proposal_id="prp_2")
    staked(OPENED).asked_by(BEN).when(again).then(replace(OPENED, proposal_id="prp_2", number=2, opened_by=BEN))


def test_a_text_changes_nothing() -> None:
    text = replace(OPEN, kind="text", parameter=None, value=None)
    staked().asked_by(ANN).when(text).then(TEXT)
    staked(TEXT, CAST).at(ENDS).when(TALLY).then(TALLIED)


@pytest.mark.parametrize(
    ("ahead_ms", "may"), [(4_999, False), (5_000, True), (90 * DAY_MS, True), (90 * DAY_MS + 1, False)]
)
def test_a_vote_is_open_from_5_seconds_to_90_days(ahead_ms: int, *, may: bool) -> None:
    scene = staked().asked_by(ANN)
    scene.when(replace(OPEN, ends_at=NOON + ahead_ms))
    if may:
        scene.then(replace(OPENED, ends_at=NOON + ahead_ms))
    else:
        scene.then_refused("out_of_bounds", {"bound": "ends_at"})


@pytest.mark.parametrize(
    ("parameter", "value", "code"),
    [
        ("fee_bps", "50", None),
        ("fee_bps", "500", None),
        ("fee_bps", "49", "out_of_bounds"),
        ("fee_bps", "501", "out_of_bounds"),
        ("fee_bps", "-50", "invalid_request"),
        ("fee_bps", "5e2", "invalid_request"),
        ("fee_bps", "\u0665\u0660", "invalid_request"),
        ("fee_bps", "", "invalid_request"),
        ("fee_bps", "0" * 20, "invalid_request"),
        ("step_bps", "500", None),
        ("step_bps", "501", "out_of_bounds"),
        ("base_apy_bps", "1500", None),
        ("base_apy_bps", "1501", "out_of_bounds"),
        ("genesis.grant", "100000000000", None),
        ("genesis.grant", "100000000001", "out_of_bounds"),
        ("genesis.enabled", "false", None),
        ("genesis.enabled", "0", "invalid_request"),
        ("invite_required", "true", None),
        ("invite_required", "True", "invalid_request"),
        ("quorum_bps", "10000", None),
        ("quorum_bps", "10001", "out_of_bounds"),
        ("threshold_bps", "0", None),
        ("threshold_bps", "10001", "out_of_bounds"),
        ("treasury", "mine", "invalid_request"),
        ("velocity_threshold_bps", "1", "invalid_request"),
    ],
)
def test_a_parameter_is_one_of_those_above_inside_its_bounds(parameter: str, value: str, code: str | None) -> None:
    scene = staked().asked_by(ANN)
    scene.when(replace(OPEN, parameter=parameter, value=value))
    if code is None:
        scene.then(replace(OPENED, parameter=parameter, value=value))
    else:
        scene.then_refused(code)


def test_a_vote_has_the_power_of_the_proposals_position() -> None:
    scene = staked(OPENED, placed(ANN, ANNS, 7, "stk2"))
    scene.when(VOTE).then(CAST)
    rows = moves((BENS, "staked", -400), (BENS, "available", 400))
    gone = StakeWithdrawn("stk_did:key:ben", FRAME, NORTH, BENS, BEN, 400, replace(WORD, signed_by=BEN), rows)
    bens = replace(VOTE, mandate=replace(VOTE.mandate, signed_by=BEN))
    scene.given(gone).when(bens).then(replace(CAST, voter=BEN, power=400, mandate=bens.mandate))


def test_a_stake_placed_after_a_proposal_has_no_power_over_it() -> None:
    scene = market(placed(ANN, ANNS, 600), OPENED, placed(BEN, BENS, 400))
    scene.when(replace(VOTE, mandate=replace(VOTE.mandate, signed_by=BEN))).then_refused("no_voting_power")


def test_a_stake_in_another_registry_has_no_power_here() -> None:
    scene = market(replace(placed(EVE, ANNS, 600), registry_id=SOUTH), OPENED)
    scene.when(replace(VOTE, mandate=replace(VOTE.mandate, signed_by=EVE))).then_refused("no_voting_power")


def test_the_last_vote_of_a_did_before_the_end_counts_and_no_other() -> None:
    scene = staked(OPENED, vote(ANN, "no", 600), vote(ANN, "abstain", 600), vote(BEN, "no", 400), CAST)
    scene.at(ENDS).when(TALLY).then(replace(TALLIED, no=400), CHANGED)


def test_an_address_in_another_case_votes_once() -> None:
    did = "did:pkh:eip155:1:0xAbC"
    scene = market(placed(did, ANNS, 600), replace(OPENED, electorate=600))
    scene.given(vote(did, "no", 600))
    scene.when(replace(VOTE, mandate=replace(VOTE.mandate, signed_by=did.lower())))
    assert scene.outcome[0].power == 600
    scene.at(ENDS).when(TALLY)
    assert (scene.outcome[0].yes, scene.outcome[0].no) == (600, 0)


def test_a_vote_is_closed_when_the_logs_time_reaches_its_end() -> None:
    late = replace(VOTE, mandate=replace(VOTE.mandate, deadline=ENDS + 1_000))
    staked(OPENED).at(ENDS - 1).when(late).then(replace(CAST, mandate=late.mandate))
    staked(OPENED).at(ENDS - 1).when(TALLY).then_refused("voting_open")
    staked(OPENED).at(ENDS).when(late).then_refused("voting_closed")
    staked(OPENED).at(ENDS).when(TALLY).then(replace(TALLIED, status="rejected", yes=0))


def test_votes_are_counted_once() -> None:
    scene = staked(OPENED, CAST).at(ENDS)
    scene.when(TALLY).then(TALLIED, CHANGED)
    scene.when(TALLY).then_refused("voting_closed")


def test_a_passed_change_takes_effect() -> None:
    scene = staked(OPENED, CAST).at(ENDS)
    scene.when(TALLY)
    known = registry(scene.state, NORTH)
    assert known is not None
    assert terms_of(known) == replace(TERMS, fee_bps=75)


COUNTS = (
    # quorum, threshold, yes, no, abstain, of an electorate of, passes
    (2_000, 5_000, 200, 0, 0, 1_000, True),
    (2_000, 5_000, 199, 0, 0, 1_000, False),
    (2_000, 5_000, 1, 0, 199, 1_000, True),
    (2_000, 5_000, 0, 0, 1_000, 1_000, False),
    (2_000, 5_000, 500, 500, 0, 1_000, False),
    (2_000, 5_000, 501, 499, 0, 1_000, True),
    (2_000, 5_000, 0, 300, 0, 1_000, False),
    (2_000, 5_000, 0, 0, 0, 1_000, False),
    (2_000, 5_000, 200, 0, 0, 1_001, False),
    (0, 5_000, 1, 0, 0, 1_000, True),
    (0, 0, 1, 999, 0, 1_000, True),
    (0, 0, 0, 0, 0, 1_000, False),
    (10_000, 5_000, 999, 0, 0, 1_000, False),
    (10_000, 5_000, 999, 0, 1, 1_000, True),
    (2_000, 10_000, 1_000, 0, 0, 1_000, False),
    (2_000, 9_999, 1_000, 0, 0, 1_000, True),
    (2_000, 6_666, 2, 1, 0, 3, True),
    (2_000, 6_667, 2, 1, 0, 3, False),
)


@pytest.mark.parametrize(("quorum", "threshold", "yes", "no", "abstain", "electorate", "passes"), COUNTS)
def test_it_passes_by_turnout_and_by_strictly_more_than_the_threshold(
    *, quorum: int, threshold: int, yes: int, no: int, abstain: int, electorate: int, passes: bool
) -> None:
    terms = RegistryChanged(FRAME, NORTH, replace(TERMS, quorum_bps=quorum, threshold_bps=threshold), ADMIN, HERE)
    cast = [
        vote(f"did:key:{choice}", choice, power)
        for choice, power in (("yes", yes), ("no", no), ("abstain", abstain))
        if power
    ]
    scene = staked(terms, replace(OPENED, electorate=electorate), *cast)
    status = "passed" if passes else "rejected"
    tallied = ProposalTallied("prp_1", FRAME, NORTH, status, yes, no, abstain, electorate)
    scene.at(ENDS).when(TALLY).then(tallied, *[CHANGED] * passes)


OPEN_WRONG = (
    wrong("not_found", registry_id="nowhere"),
    wrong("out_of_bounds", ends_at=NOON),
    wrong("invalid_request", value="a lot"),
    wrong("no_voting_power"),
)
VOTE_WRONG = (
    wrong("not_found", proposal_id="prp_none"),
    wrong_word("deadline_passed", deadline=NOON),
    wrong_word("nonce_used", replace(SETTLED, mandate=VOTE.mandate, postings=())),
    wrong("invalid_request", choice="perhaps"),
    wrong("voting_closed", TALLIED),
    wrong_word("no_voting_power", signed_by=EVE),
)
TALLY_WRONG = (wrong("not_found", frame_id="other"), wrong("voting_closed", TALLIED), wrong("voting_open"))


@pytest.mark.parametrize("rows", each_two(OPEN_WRONG))
def test_of_two_things_wrong_with_a_proposal_the_first_is_told(rows: Sequence[Wrong]) -> None:
    powerless = any(row.code == "no_voting_power" for row in rows)
    then_the_first_is_told(staked().asked_by(EVE if powerless else ANN), OPEN, rows)


@pytest.mark.parametrize("rows", each_two(VOTE_WRONG))
def test_of_two_things_wrong_with_a_vote_the_first_is_told(rows: Sequence[Wrong]) -> None:
    eves_nonce = replace(SETTLED, mandate=replace(VOTE.mandate, signed_by=EVE), postings=())
    used = any(row.code == "nonce_used" for row in rows)
    then_the_first_is_told(staked(OPENED, *[eves_nonce] * used), VOTE, rows)


@pytest.mark.parametrize("rows", each_two(TALLY_WRONG))
def test_of_two_things_wrong_with_a_tally_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(staked(OPENED), TALLY, rows)
