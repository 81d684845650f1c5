"""Payments, as a payer holds an amount for one payee, and the payee claims it."""

from collections.abc import Mapping
from typing import Any

from muniment.client.ledger_shapes import Payment
from muniment.client.noun import Noun, path_of


class Payments(Noun):
    """What is held for one payee each; amounts are micro-AVT."""

    def sign(self, sender: str, receiver: str, amount: int, expires_at: str | None = None) -> dict[str, object]:
        """Sign a payment without sending it, under a new nonce. Raises InvalidAmount."""
        return self._key.sign_payment(sender, receiver, amount, expires_at)

    async def create(
        self,
        sender: str,
        receiver: str,
        amount: int,
        expires_at: str | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Payment:
        """Sign a payment and hold it for its payee until ``expires_at`` (RFC 3339; by default 60 s, at most 1 h)."""
        return await self.submit(self.sign(sender, receiver, amount, expires_at), idempotency_key=idempotency_key)

    async def submit(self, signed: Mapping[str, Any], *, idempotency_key: str | None = None) -> Payment:
        """Hold a payment that was signed before."""
        answer = await self._order("/payments", signed, idempotency_key)
        return Payment.read(answer.json, answer)

    async def claim(self, payment_id: str, *, idempotency_key: str | None = None) -> Payment:
        """Take a payment as its payee: it becomes the transfer ``transfer_id``.

        Raises PaymentExpired, NotThePayee, AlreadyClaimed.
        """
        return await self._change(payment_id, "claim", idempotency_key)

    async def cancel(self, payment_id: str, *, idempotency_key: str | None = None) -> Payment:
        """Take a payment back as its payer. Raises PaymentExpired, NotTheOwner, AlreadyClaimed."""
        return await self._change(payment_id, "cancel", idempotency_key)

    async def get(self, payment_id: str, *, min_position: str | None = None) -> Payment:
        """Show a payment as it stands. Raises NotFound."""
        answer = await self._transport.read(path_of("payments", payment_id), {"min_position": min_position})
        return Payment.read(answer.json, answer)

    async def _change(self, payment_id: str, verb: str, idempotency_key: str | None) -> Payment:
        answer = await self._post(path_of("payments", payment_id, verb), {}, idempotency_key)
        return Payment.read(answer.json, answer)
