"""Frames, registries and invites, as an admin handles them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from muniment.amounts import written_amount
from muniment.client.ledger_shapes import Frame, Invites, Money, Registry, Supply
from muniment.client.noun import Noun, given, path_of
from muniment.client.pages import pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a registry charges, grants and asks; those that aren't named stay as they are, or are the default's.

    Rates are basis points, ``genesis_grant`` is micro-AVT, ``premiums_bps`` has by days of lock what is added.
    """

    fee_bps: int | None = None
    step_bps: int | None = None
    velocity_threshold_bps: int | None = None
    genesis_enabled: bool | None = None
    genesis_grant: int | None = None
    invite_required: bool | None = None
    base_apy_bps: int | None = None
    premiums_bps: Mapping[int, int] | None = None
    mint_rewards: bool | None = None
    quorum_bps: int | None = None
    threshold_bps: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the members of the body that are named."""
        grant = None if self.genesis_grant is None else written_amount(self.genesis_grant)
        premiums = None if self.premiums_bps is None else {str(days): bps for days, bps in self.premiums_bps.items()}
        genesis = given(enabled=self.genesis_enabled, grant=grant)
        staking = given(base_apy_bps=self.base_apy_bps, premiums_bps=premiums, mint_rewards=self.mint_rewards)
        governance = given(quorum_bps=self.quorum_bps, threshold_bps=self.threshold_bps)
        return given(
            fee_bps=self.fee_bps,
            step_bps=self.step_bps,
            velocity_threshold_bps=self.velocity_threshold_bps,
            invite_required=self.invite_required,
            genesis=genesis or None,
            staking=staking or None,
            governance=governance or None,
        )


class Frames(Noun):
    """Economies, each with its own tokens."""

    async def create(
        self, frame_id: str, mode: str = "sovereign", minting: str = "disabled", *, idempotency_key: str | None = None
    ) -> Frame:
        """Open a frame, as an admin. Raises OutOfBounds where a federated one would mint."""
        answer = await self._post("/frames", {"frame_id": frame_id, "mode": mode, "minting": minting}, idempotency_key)
        return Frame.read(answer.json, answer)

    async def list(self, *, min_position: str | None = None) -> AsyncIterator[Frame]:
        """Give every frame."""
        async for found, answer in pages(self._transport, "/frames", {"min_position": min_position}):
            yield Frame.read(found, answer)

    async def get(self, frame_id: str, *, min_position: str | None = None) -> Frame:
        """Show a frame. Raises NotFound."""
        answer = await self._transport.read(path_of("frames", frame_id), {"min_position": min_position})
        return Frame.read(answer.json, answer)

    async def supply(self, frame_id: str, *, min_position: str | None = None) -> Supply:
        """Show a frame's tokens, and whether they add up. Raises NotFound."""
        answer = await self._transport.read(path_of("frames", frame_id, "supply"), {"min_position": min_position})
        return Supply.read(answer.json, answer)

    async def mint(self, frame_id: str, account: str, amount: int, *, idempotency_key: str | None = None) -> Money:
        """Bring micro-AVT into an account, as an admin. Raises MintingDisabled, UnknownAccount."""
        return await self._money(frame_id, "mint", account, amount, idempotency_key)

    async def burn(self, frame_id: str, account: str, amount: int, *, idempotency_key: str | None = None) -> Money:
        """End micro-AVT of an account, as an admin. Raises MintingDisabled, UnknownAccount, InsufficientFunds."""
        return await self._money(frame_id, "burn", account, amount, idempotency_key)

    async def _money(self, frame_id: str, verb: str, account: str, amount: int, idempotency_key: str | None) -> Money:
        body = {"account": account, "amount": written_amount(amount)}
        answer = await self._post(path_of("frames", frame_id, verb), body, idempotency_key)
        return Money.read(answer.json, answer)


class Registries(Noun):
    """Operators' shops in a frame."""

    async def create(
        self, frame_id: str, registry_id: str, terms: Terms | None = None, *, idempotency_key: str | None = None
    ) -> Registry:
        """Open a registry in a frame, as an admin. Raises OutOfBounds."""
        body = {"registry_id": registry_id, **(terms or Terms()).to_json()}
        answer = await self._post(path_of("frames", frame_id, "registries"), body, idempotency_key)
        return Registry.read(answer.json, answer)

    async def change(self, registry_id: str, terms: Terms, *, idempotency_key: str | None = None) -> Registry:
        """Change some of a registry's terms, as an admin. Raises OutOfBounds, NotFound."""
        answer = await self._transport.write(
            "PATCH", path_of("registries", registry_id), terms.to_json(), idempotency_key=idempotency_key
        )
        return Registry.read(answer.json, answer)


class InviteCodes(Noun):
    """What lets developers into a registry that asks for an invite."""

    async def create(self, registry_id: str, count: int = 1, *, idempotency_key: str | None = None) -> Invites:
        """Make codes, as an admin; only this answer has them."""
        answer = await self._post(path_of("registries", registry_id, "invites"), {"count": count}, idempotency_key)
        return Invites.read(answer.json, answer)
