"""Accounts as they are read: what each has now in its three parts, and when it was frozen and let go."""

from typing import Any

from domain.ledger.account import AccountFrozen, AccountUnfrozen
from domain.ledger.agent import AgentRegistered
from domain.ledger.developer import DeveloperRegistered
from domain.ledger.registry import RegistryOpened
from projections.generations import Table
from projections.lines import line
from projections.postgres import Transaction
from projections.rows import Place, Rows, appending, text

ACCOUNTS = Table(
    "accounts",
    (
        "account_id", "frame_id", "registry_id", "owner", "kind", "available", "staked", "held", "frozen", "part",
        "pos", "at",
    ),
    ("account_id",),
)  # fmt: skip
VARYING = {"available": "numeric", "staked": "numeric", "held": "numeric", "frozen": "boolean"}
FREEZES = Table("account_freezes", ("account", "part", "pos", "at", "frozen", "actor"), ("account", "pos"))
DEFINITION = """
CREATE TABLE {schema}.accounts (
  account_id text COLLATE "C" PRIMARY KEY, frame_id text COLLATE "C" NOT NULL, registry_id text COLLATE "C" NOT NULL,
  owner text NOT NULL, kind text NOT NULL, available numeric NOT NULL, staked numeric NOT NULL, held numeric NOT NULL,
  frozen boolean NOT NULL, part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL) WITH (fillfactor = 80);
CREATE TABLE {schema}.account_freezes (
  account text COLLATE "C" NOT NULL, part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL,
  frozen boolean NOT NULL, actor text NOT NULL, PRIMARY KEY (account, pos));
"""


def opened(event: DeveloperRegistered | AgentRegistered | RegistryOpened) -> tuple[str, str, str]:
    """Give of an event that opens an account: the account, its owner and its kind."""
    match event:
        case DeveloperRegistered():
            return event.account, event.did, "user"
        case AgentRegistered():
            return event.account, event.did, "agent"
        case RegistryOpened():
            return event.treasury, event.opened_by, "treasury"


class Accounts:
    """What a batch makes of accounts; postings change their balances in ``rows``."""

    events: tuple[type, ...] = (DeveloperRegistered, AgentRegistered, RegistryOpened, AccountFrozen, AccountUnfrozen)

    def __init__(self, schema: str) -> None:
        self.rows = Rows(schema, ACCOUNTS, VARYING)
        self._freezes = appending(schema, FREEZES)

    def want(self, event: Any) -> None:
        """Note an account that is frozen or let go."""
        if isinstance(event, AccountFrozen | AccountUnfrozen):
            self.rows.want(event.account)

    async def load(self, transaction: Transaction) -> None:
        """Read the accounts."""
        await self.rows.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold an account that is opened, frozen or let go."""
        part, pos, _, at = place
        if isinstance(event, AccountFrozen | AccountUnfrozen):
            frozen = isinstance(event, AccountFrozen)
            actor = event.frozen_by if isinstance(event, AccountFrozen) else event.unfrozen_by
            self.rows.changed(event.account)["frozen"] = frozen
            self._freezes.add(line([text(member) for member in (event.account, part, pos, at, frozen, actor)]))
            return
        account, owner, kind = opened(event)
        self.rows.put({
            "account_id": account, "frame_id": event.frame_id, "registry_id": event.registry_id, "owner": owner,
            "kind": kind, "available": 0, "staked": 0, "held": 0, "frozen": False, "part": part, "pos": pos, "at": at,
        })  # fmt: skip

    async def save(self, transaction: Transaction) -> None:
        """Write the accounts that changed."""
        await self.rows.save(transaction)
        await self._freezes.end(transaction)
