"""Stakes and proposals: what owners lock, and what they decide with it."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from muniment.client.ledger_shapes import Proposal, Stake, Vote
from muniment.client.noun import Noun, given, path_of
from muniment.client.pages import pages


class Stakes(Noun):
    """What owners lock; amounts are micro-AVT."""

    async def create(
        self, account: str, amount: int, lock_days: int = 0, *, idempotency_key: str | None = None
    ) -> Stake:
        """Sign a stake and place it; a lock is 0, 30, 90, 180 or 365 days. Raises InsufficientFunds, NotTheOwner."""
        return await self.submit(self._key.sign_stake(account, amount, lock_days), idempotency_key=idempotency_key)

    async def submit(self, signed: Mapping[str, Any], *, idempotency_key: str | None = None) -> Stake:
        """Place a stake that was signed before."""
        answer = await self._order("/stakes", signed, idempotency_key)
        return Stake.read(answer.json, answer)

    async def unstake(self, stake_id: str, *, idempotency_key: str | None = None) -> Stake:
        """Sign that a stake is taken back, and take it. Raises StakeLocked, NotFound, NotTheOwner."""
        signed = self._key.sign_unstake(stake_id)
        answer = await self._order(path_of("stakes", stake_id, "unstake"), signed, idempotency_key)
        return Stake.read(answer.json, answer)

    async def list(self, owner: str | None = None, *, min_position: str | None = None) -> AsyncIterator[Stake]:
        """Give the stakes of an owner, by default the client's own, newest first."""
        query = {"owner": owner or self._key.did, "min_position": min_position}
        async for found, answer in pages(self._transport, "/stakes", query):
            yield Stake.read(found, answer)


class Proposals(Noun):
    """What a registry's stakers are asked."""

    async def create(
        self,
        registry_id: str,
        title: str,
        ends_at: str,
        *,
        text: str | None = None,
        parameter: str | None = None,
        value: str | None = None,
        idempotency_key: str | None = None,
    ) -> Proposal:
        """Ask until ``ends_at`` (RFC 3339) for a word on a text, or for a change of a parameter where one is named.

        A parameter's value is digits, ``true`` or ``false``. Raises NoVotingPower, OutOfBounds.
        """
        kind = "text" if parameter is None else "parameter"
        body = given(
            registry_id=registry_id,
            kind=kind,
            title=title,
            text=text,
            parameter=parameter,
            value=value,
            ends_at=ends_at,
        )
        answer = await self._post("/proposals", body, idempotency_key)
        return Proposal.read(answer.json, answer)

    async def vote(
        self, proposal_id: str, choice: Literal["yes", "no", "abstain"], *, idempotency_key: str | None = None
    ) -> Vote:
        """Sign a choice and cast it; the last one before the end counts. Raises VotingClosed, NoVotingPower."""
        signed = self._key.sign_vote(proposal_id, choice)
        answer = await self._order(path_of("proposals", proposal_id, "votes"), signed, idempotency_key)
        return Vote.read(answer.json, answer)

    async def list(self, *, min_position: str | None = None, **filters: str | None) -> AsyncIterator[Proposal]:
        """Give the proposals that filters let through, newest first."""
        async for found, answer in pages(self._transport, "/proposals", {"min_position": min_position, **filters}):
            yield Proposal.read(found, answer)
