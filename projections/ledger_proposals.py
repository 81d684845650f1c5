"""Proposals as they are read: what is asked, how it stands, and each DID's last vote."""

from typing import Any

from domain.did import identity
from domain.ledger.proposal import ProposalOpened, ProposalTallied, VoteCast
from projections.generations import Table
from projections.postgres import Transaction
from projections.rows import Place, Rows

PROPOSALS = Table(
    "proposals",
    (
        "proposal_id", "frame_id", "registry_id", "number", "kind", "title", "text", "parameter", "value", "ends_at",
        "electorate", "opened_by", "part", "pos", "at", "status", "yes", "no", "abstain", "tallied_pos", "tallied_at",
    ),
    ("proposal_id",),
)  # fmt: skip
VOTES = Table(
    "votes",
    ("proposal_id", "identity", "voter", "choice", "power", "part", "pos", "at"),
    ("proposal_id", "identity"),
)
DEFINITION = """
CREATE TABLE {schema}.proposals (
  proposal_id text COLLATE "C" PRIMARY KEY, frame_id text COLLATE "C" NOT NULL, registry_id text COLLATE "C" NOT NULL,
  number bigint NOT NULL, kind text NOT NULL, title text NOT NULL, text text, parameter text, value text,
  ends_at bigint NOT NULL, electorate numeric NOT NULL, opened_by text NOT NULL, part integer NOT NULL,
  pos bigint NOT NULL, at bigint NOT NULL, status text COLLATE "C" NOT NULL, yes numeric NOT NULL, no numeric NOT NULL,
  abstain numeric NOT NULL, tallied_pos bigint, tallied_at bigint);
CREATE INDEX proposals_newest ON {schema}.proposals (at, part, pos);
CREATE INDEX proposals_registry ON {schema}.proposals (registry_id, at, part, pos);
CREATE TABLE {schema}.votes (
  proposal_id text COLLATE "C" NOT NULL, identity text COLLATE "C" NOT NULL, voter text NOT NULL, choice text NOT NULL,
  power numeric NOT NULL, part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (proposal_id, identity));
"""


class Proposals:
    """What a batch makes of proposals and of the votes on them."""

    events: tuple[type, ...] = (ProposalOpened, VoteCast, ProposalTallied)

    def __init__(self, schema: str) -> None:
        self._proposals, self._votes = Rows(schema, PROPOSALS), Rows(schema, VOTES)

    def want(self, event: Any) -> None:
        """Note a proposal that was opened before, and the vote that another may replace."""
        if not isinstance(event, ProposalOpened):
            self._proposals.want(event.proposal_id)
        if isinstance(event, VoteCast):
            self._votes.want(event.proposal_id, identity(event.voter))

    async def load(self, transaction: Transaction) -> None:
        """Read the proposals and the votes."""
        await self._proposals.load(transaction)
        await self._votes.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of a proposal."""
        match event:
            case ProposalOpened():
                self._proposals.put({
                    "proposal_id": event.proposal_id, "frame_id": event.frame_id, "registry_id": event.registry_id,
                    "number": event.number, "kind": event.kind, "title": event.title, "text": event.text,
                    "parameter": event.parameter, "value": event.value, "ends_at": event.ends_at,
                    "electorate": event.electorate, "opened_by": event.opened_by, "part": place.part,
                    "pos": place.pos, "at": place.at, "status": "open", "yes": 0, "no": 0, "abstain": 0,
                    "tallied_pos": None, "tallied_at": None,
                })  # fmt: skip
            case VoteCast():
                self._vote(event, place)
            case ProposalTallied():
                proposal = self._proposals.changed(event.proposal_id)
                proposal |= {"status": event.status, "yes": event.yes, "no": event.no, "abstain": event.abstain}
                proposal |= {"tallied_pos": place.pos, "tallied_at": place.at}

    def _vote(self, event: VoteCast, place: Place) -> None:
        """Count a vote in the place of the one before it."""
        name, proposal = identity(event.voter), self._proposals.changed(event.proposal_id)
        before = self._votes.find(event.proposal_id, name)
        if before is not None:
            proposal[before["choice"]] -= before["power"]
        proposal[event.choice] += event.power
        self._votes.put({
            "proposal_id": event.proposal_id, "identity": name, "voter": event.voter, "choice": event.choice,
            "power": event.power, "part": place.part, "pos": place.pos, "at": place.at,
        })  # fmt: skip

    async def save(self, transaction: Transaction) -> None:
        """Write the proposals and the votes that changed."""
        await self._proposals.save(transaction)
        await self._votes.save(transaction)
