"""The ledger, as a client holds, moves, stakes and follows its tokens; every amount is an integer of micro-AVT."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from domain.ledger.account import account_id
from muniment.client.ledger_accounts import Accounts
from muniment.client.ledger_agents import Agents, Developers
from muniment.client.ledger_frames import Frames, InviteCodes, Registries, Terms
from muniment.client.ledger_payments import Payments
from muniment.client.ledger_shapes import LedgerEvent, Supply
from muniment.client.ledger_stakes import Proposals, Stakes
from muniment.client.ledger_transfers import Transfers
from muniment.client.pages import POLL_S, feed, read_items
from muniment.client.transport import Transport

__all__ = ["Ledger", "Terms", "account_id"]


class Ledger:
    """One registry's ledger, noun by noun."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.frames = Frames(transport)
        self.registries = Registries(transport)
        self.invites = InviteCodes(transport)
        self.developers = Developers(transport)
        self.agents = Agents(transport)
        self.accounts = Accounts(transport)
        self.transfers = Transfers(transport)
        self.payments = Payments(transport)
        self.stakes = Stakes(transport)
        self.proposals = Proposals(transport)

    async def supply(self, frame_id: str, *, min_position: str | None = None) -> Supply:
        """Show a frame's tokens, and whether they add up. Raises NotFound."""
        return await self.frames.supply(frame_id, min_position=min_position)

    async def audited_supply(self) -> Sequence[Supply]:
        """Give what the supply auditor last found in each frame."""
        answer = await self._transport.read("/audit/supply", fresh=False)
        return [Supply.read(found, answer) for found in read_items(answer)]

    async def events(
        self, frame_id: str, since: str = "0", *, follow: bool = False, poll_s: float = POLL_S, page_size: int = 100
    ) -> AsyncIterator[LedgerEvent]:
        """Give a frame's events in the log's order, from a cursor on; with ``follow`` for ever. For operators.

        ``since`` is ``0`` for the start, or the ``resume`` of the last event that was dealt with.
        """
        query = {"frame": frame_id, "limit": page_size}
        async for found, answer, resume in feed(
            self._transport, "/ledger/events", query, since, follow=follow, poll_s=poll_s
        ):
            yield replace(LedgerEvent.read(found, answer), resume=resume)
