"""Stakes as they are read: what is locked until when, and what it has earned."""

from typing import Any

from domain.ledger.reward import StakesRewarded
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from projections.generations import Table
from projections.postgres import Transaction
from projections.rows import Place, Rows

STAKES = Table(
    "stakes",
    (
        "stake_id", "frame_id", "registry_id", "account", "owner", "amount", "lock_days", "unlocks_at", "part", "pos",
        "at", "withdrawn_pos", "withdrawn_at", "earned", "rewarded_day",
    ),
    ("stake_id",),
)  # fmt: skip
OWNER = "(CASE WHEN owner LIKE 'did:pkh:%' THEN lower(owner COLLATE \"C\") ELSE owner END)"
"""The owner as it is compared: a did:pkh without case."""
DEFINITION = f"""
CREATE TABLE {{schema}}.stakes (
  stake_id text COLLATE "C" PRIMARY KEY, frame_id text COLLATE "C" NOT NULL, registry_id text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL, owner text COLLATE "C" NOT NULL, amount bigint NOT NULL,
  lock_days integer NOT NULL, unlocks_at bigint NOT NULL, part integer NOT NULL, pos bigint NOT NULL,
  at bigint NOT NULL, withdrawn_pos bigint, withdrawn_at bigint, earned numeric NOT NULL, rewarded_day bigint);
CREATE INDEX stakes_owner ON {{schema}}.stakes ({OWNER}, at, part, pos);
CREATE INDEX stakes_registry ON {{schema}}.stakes (registry_id, stake_id) WHERE withdrawn_pos IS NULL;
"""


class Stakes:
    """What a batch makes of stakes."""

    events: tuple[type, ...] = (StakePlaced, StakeWithdrawn, StakesRewarded)

    def __init__(self, schema: str) -> None:
        self._stakes = Rows(schema, STAKES)

    def want(self, event: Any) -> None:
        """Note the stakes that were placed before."""
        match event:
            case StakeWithdrawn():
                self._stakes.want(event.stake_id)
            case StakesRewarded():
                for reward in event.rewards:
                    self._stakes.want(reward.stake_id)

    async def load(self, transaction: Transaction) -> None:
        """Read the stakes."""
        await self._stakes.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of stakes."""
        match event:
            case StakePlaced():
                self._stakes.put({
                    "stake_id": event.stake_id, "frame_id": event.frame_id, "registry_id": event.registry_id,
                    "account": event.account, "owner": event.owner, "amount": event.amount,
                    "lock_days": event.lock_days, "unlocks_at": event.unlocks_at, "part": place.part,
                    "pos": place.pos, "at": place.at, "withdrawn_pos": None, "withdrawn_at": None, "earned": 0,
                    "rewarded_day": None,
                })  # fmt: skip
            case StakeWithdrawn():
                stake = self._stakes.changed(event.stake_id)
                stake |= {"withdrawn_pos": place.pos, "withdrawn_at": place.at}
            case StakesRewarded():
                for reward in event.rewards:
                    stake = self._stakes.changed(reward.stake_id)
                    stake |= {"earned": stake["earned"] + reward.amount, "rewarded_day": event.day}

    async def save(self, transaction: Transaction) -> None:
        """Write the stakes that changed."""
        await self._stakes.save(transaction)
