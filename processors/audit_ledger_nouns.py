"""The ledger's other rows as an auditor folds them: registries, developers, agents, stakes, proposals and votes."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final

from domain.did import identity
from domain.ledger.agent import AgentRegistered
from domain.ledger.developer import DeveloperRegistered
from domain.ledger.proposal import ProposalOpened, ProposalTallied, VoteCast
from domain.ledger.registry import ParameterChanged, RegistryChanged, RegistryOpened, Terms
from domain.ledger.reward import StakesRewarded
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from processors.audit_ledger_money import Fold
from processors.audit_ledger_sheet import Sheet, Where, clean

SWITCHES: Final = ("genesis.enabled", "invite_required")
"""Parameters that are true or false; all others are numbers."""


def _terms(terms: Terms | Mapping[str, Any]) -> str:
    members = asdict(terms) if isinstance(terms, Terms) else terms
    return json.dumps(members, separators=(",", ":"))


def registry_opened(sheet: Sheet, event: RegistryOpened, where: Where) -> None:
    """A registry is there, with its terms."""
    part, pos, _, at = where
    sheet.put(
        "registries", registry_id=event.registry_id, frame_id=event.frame_id, treasury=event.treasury,
        opened_by=event.opened_by, part=part, pos=pos, at=at, terms=_terms(event.terms), staked=0, changed_pos=pos,
        changed_at=at,
    )  # fmt: skip


def registry_changed(sheet: Sheet, event: RegistryChanged | ParameterChanged, where: Where) -> None:
    """A registry has other terms: all of them by an admin, or one of them by a vote."""
    key = f"registries/{event.registry_id}/{event.frame_id}"
    if isinstance(event, RegistryChanged):
        terms = _terms(event.terms)
    else:
        members = json.loads((sheet.find(key) or {})["terms"])
        value = event.value == "true" if event.parameter in SWITCHES else int(event.value)
        terms = _terms({**members, event.parameter.replace(".", "_"): value})
    sheet.update(key, terms=terms, changed_pos=where.pos, changed_at=where.at)


def developer(sheet: Sheet, event: DeveloperRegistered, where: Where) -> None:
    """A developer is in a frame."""
    sheet.put(
        "developers", frame_id=event.frame_id, identity=identity(event.did), did=event.did,
        registry_id=event.registry_id, name=event.name, email=event.email, account=event.account,
        granted=event.grant, registered_by=event.registered_by, part=where.part, pos=where.pos, at=where.at,
    )  # fmt: skip


def agent(sheet: Sheet, event: AgentRegistered, where: Where) -> None:
    """An agent is in a registry, with its card and what it is found by."""
    card = _cleaned(json.loads(event.card, parse_float=_number))
    words = [card.get("name"), card.get("description")]
    handles: list[Any] = []
    skills = card.get("skills")
    for skill in skills if isinstance(skills, list) else ():
        if isinstance(skill, dict):
            tagged = skill.get("tags")
            tags = tagged if isinstance(tagged, list) else []
            words += [skill.get("id"), skill.get("name"), skill.get("description"), *tags]
            handles += [skill.get("id"), *tags]
    sheet.put(
        "agents", agent_id=event.agent_id, frame_id=event.frame_id, registry_id=event.registry_id, did=event.did,
        developer_did=event.developer_did, account=event.account,
        origin_registry_location=event.origin_registry_location, card=written_card(card),
        words="\n".join(word for word in words if isinstance(word, str)),
        skills=sorted({each for each in handles if isinstance(each, str)}), part=where.part, pos=where.pos,
        at=where.at,
    )  # fmt: skip


def written_card(card: Any) -> str:
    """Write a card so that two are the same text where they are the same values."""
    return json.dumps(card, sort_keys=True)


def _number(written: str) -> int | float:
    """Read a number with a fraction or an exponent as Postgres writes it again: whole where it has no fraction."""
    exact = Decimal(written)
    exponent = exact.as_tuple().exponent
    return int(exact) if isinstance(exponent, int) and exponent >= 0 else float(exact) + 0.0


def _cleaned(value: Any) -> Any:
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, dict):
        return {clean(name): _cleaned(each) for name, each in value.items()}
    return clean(value)


def staked(sheet: Sheet, event: StakePlaced, where: Where) -> None:
    """A stake lies, and its registry has so much more."""
    sheet.put(
        "stakes", stake_id=event.stake_id, frame_id=event.frame_id, registry_id=event.registry_id,
        account=event.account, owner=event.owner, amount=event.amount, lock_days=event.lock_days,
        unlocks_at=event.unlocks_at, part=where.part, pos=where.pos, at=where.at, withdrawn_pos=None,
        withdrawn_at=None, earned=0, rewarded_day=None,
    )  # fmt: skip
    sheet.add(f"registries/{event.registry_id}/{event.frame_id}", staked=event.amount)


def unstaked(sheet: Sheet, event: StakeWithdrawn, where: Where) -> None:
    """A stake is taken back, and its registry has so much less."""
    sheet.update(f"stakes/{event.stake_id}", withdrawn_pos=where.pos, withdrawn_at=where.at)
    sheet.add(f"registries/{event.registry_id}/{event.frame_id}", staked=-event.amount)


def rewarded(sheet: Sheet, event: StakesRewarded, _where: Where) -> None:
    """Stakes earn, each for a day."""
    for reward in event.rewards:
        key = f"stakes/{reward.stake_id}"
        sheet.add(key, earned=reward.amount)
        sheet.update(key, rewarded_day=event.day)


def asked(sheet: Sheet, event: ProposalOpened, where: Where) -> None:
    """A proposal is open, and nobody has voted."""
    sheet.put(
        "proposals", proposal_id=event.proposal_id, frame_id=event.frame_id, registry_id=event.registry_id,
        number=event.number, kind=event.kind, title=event.title, text=event.text, parameter=event.parameter,
        value=event.value, ends_at=event.ends_at, electorate=event.electorate, opened_by=event.opened_by,
        part=where.part, pos=where.pos, at=where.at, status="open", yes=0, no=0, abstain=0, tallied_pos=None,
        tallied_at=None,
    )  # fmt: skip


def voted(sheet: Sheet, event: VoteCast, where: Where) -> None:
    """A vote counts in the place of the one that its voter cast before."""
    name, proposal = identity(event.voter), f"proposals/{event.proposal_id}"
    before = sheet.find(f"votes/{event.proposal_id}/{name}")
    if before is not None:
        sheet.add(proposal, **{before["choice"]: -int(before["power"])})
    sheet.add(proposal, **{event.choice: event.power})
    sheet.put(
        "votes", proposal_id=event.proposal_id, identity=name, voter=event.voter, choice=event.choice,
        power=event.power, part=where.part, pos=where.pos, at=where.at,
    )  # fmt: skip


def tallied(sheet: Sheet, event: ProposalTallied, where: Where) -> None:
    """A proposal is over, with its figures."""
    counted = {"status": event.status, "yes": event.yes, "no": event.no, "abstain": event.abstain}
    sheet.update(f"proposals/{event.proposal_id}", **counted, tallied_pos=where.pos, tallied_at=where.at)


FOLDS: Final[Mapping[type, Fold]] = {
    RegistryOpened: registry_opened,
    RegistryChanged: registry_changed,
    ParameterChanged: registry_changed,
    DeveloperRegistered: developer,
    AgentRegistered: agent,
    StakePlaced: staked,
    StakeWithdrawn: unstaked,
    StakesRewarded: rewarded,
    ProposalOpened: asked,
    VoteCast: voted,
    ProposalTallied: tallied,
}
