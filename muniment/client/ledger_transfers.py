"""Transfers, as an account's owner signs them, sends them and waits for them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

from muniment.client.batches import batches, outcomes
from muniment.client.ledger_refusals import StillInTransit
from muniment.client.ledger_shapes import Transfer, TransferItem
from muniment.client.noun import Noun, path_of

FIRST_LOOK_S: Final = 0.05
LONGEST_LOOK_S: Final = 1.0
TRANSIT_TIMEOUT_S: Final = 120.0
"""Longer than a transfer across registries is left to be accepted, which is 60 s by default."""


class Transfers(Noun):
    """Money from one account to another; amounts are micro-AVT."""

    def sign(self, sender: str, receiver: str, amount: int, memo: str | None = None) -> dict[str, object]:
        """Sign a transfer without sending it, under a new nonce. Raises InvalidAmount."""
        return self._key.sign_transfer(sender, receiver, amount, memo)

    async def send(
        self,
        sender: str,
        receiver: str,
        amount: int,
        memo: str | None = None,
        *,
        wait: bool = False,
        idempotency_key: str | None = None,
    ) -> Transfer:
        """Sign a transfer and send it; with ``wait`` one across registries is waited for, committed or aborted.

        Raises InsufficientFunds, UnknownAccount, NotTheOwner, AccountFrozen, StillInTransit, and Refused in general.
        """
        signed = self.sign(sender, receiver, amount, memo)
        return await self.submit(signed, wait=wait, idempotency_key=idempotency_key)

    async def submit(
        self, signed: Mapping[str, Any], *, wait: bool = False, idempotency_key: str | None = None
    ) -> Transfer:
        """Send a transfer that was signed before; the same one again moves nothing again, and is ``repeated``."""
        answer = await self._order("/transfers", signed, idempotency_key)
        sent = Transfer.read(answer.json, answer)
        return await self.ended(sent) if wait else sent

    async def tip(
        self,
        sender: str,
        receiver: str,
        amount: int,
        record: str,
        *,
        wait: bool = False,
        idempotency_key: str | None = None,
    ) -> Transfer:
        """Sign a transfer for a record, whose uri is its memo, and send it; raises as ``send`` does."""
        answer = await self._order("/payments/tip", self.sign(sender, receiver, amount, record), idempotency_key)
        sent = Transfer.read(answer.json, answer)
        return await self.ended(sent) if wait else sent

    async def get(self, transfer_id: str, *, min_position: str | None = None) -> Transfer:
        """Show a transfer as it stands. Raises NotFound."""
        answer = await self._transport.read(path_of("transfers", transfer_id), {"min_position": min_position})
        return Transfer.read(answer.json, answer)

    async def ended(self, transfer: Transfer, *, timeout_s: float = TRANSIT_TIMEOUT_S) -> Transfer:
        """Wait until a transfer is settled, committed or aborted. Raises StillInTransit after ``timeout_s``."""
        deadline, pause_s = time.monotonic() + timeout_s, FIRST_LOOK_S
        while not transfer.ended:
            if time.monotonic() + pause_s >= deadline:
                raise StillInTransit(transfer.id, transfer.status)
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_LOOK_S, pause_s * 2)
            transfer = await self.get(transfer.id)
        return transfer

    async def send_many(self, signed: Iterable[Mapping[str, Any]]) -> AsyncIterator[TransferItem]:
        """Send any number of signed transfers in batches, one after the other, and give what became of each in order.

        A batch that can't be sent raises; what was given until then is decided, and sending all again repeats nothing.
        """
        for batch in batches(signed):
            answer = await self._order("/transfers/batch", {"transfers": list(batch)}, None)
            for outcome in outcomes(answer, len(batch), "transfer", Transfer):
                yield TransferItem(*outcome)
