"""Payments as they are read: what is held for whom, and what became of it."""

from typing import Any

from domain.ledger.payment import PaymentCancelled, PaymentClaimed, PaymentExpired, PaymentHeld
from projections.generations import Table
from projections.postgres import Transaction
from projections.rows import Place, Rows

PAYMENTS = Table(
    "payments",
    (
        "payment_id", "frame_id", "registry_id", "sender", "receiver", "receiver_frame", "receiver_owner", "amount",
        "fee", "expires_at", "part", "pos", "at", "status", "status_pos", "status_at", "ended_by", "transfer_id",
    ),
    ("payment_id",),
)  # fmt: skip
DEFINITION = """
CREATE TABLE {schema}.payments (
  payment_id text COLLATE "C" PRIMARY KEY, frame_id text COLLATE "C" NOT NULL, registry_id text COLLATE "C" NOT NULL,
  sender text COLLATE "C" NOT NULL, receiver text COLLATE "C" NOT NULL, receiver_frame text COLLATE "C" NOT NULL,
  receiver_owner text NOT NULL, amount bigint NOT NULL, fee bigint NOT NULL, expires_at bigint NOT NULL,
  part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL, status text COLLATE "C" NOT NULL,
  status_pos bigint NOT NULL, status_at bigint NOT NULL, ended_by text, transfer_id text COLLATE "C");
"""


class Payments:
    """What a batch makes of payments; a release of money looks up in ``rows`` for whom it was held."""

    events: tuple[type, ...] = (PaymentHeld, PaymentClaimed, PaymentCancelled, PaymentExpired)

    def __init__(self, schema: str) -> None:
        self.rows = Rows(schema, PAYMENTS)

    def want(self, event: Any) -> None:
        """Note a payment that was held before."""
        if not isinstance(event, PaymentHeld):
            self.rows.want(event.payment_id)

    async def load(self, transaction: Transaction) -> None:
        """Read the payments."""
        await self.rows.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of a payment."""
        now = {"status_pos": place.pos, "status_at": place.at}
        if isinstance(event, PaymentHeld):
            self.rows.put({
                "payment_id": event.payment_id, "frame_id": event.frame_id, "registry_id": event.registry_id,
                "sender": event.sender, "receiver": event.receiver, "receiver_frame": event.receiver_frame,
                "receiver_owner": event.receiver_owner, "amount": event.amount, "fee": event.fee,
                "expires_at": event.expires_at, "part": place.part, "pos": place.pos, "at": place.at,
                "status": "held", **now, "ended_by": None, "transfer_id": None,
            })  # fmt: skip
            return
        payment = self.rows.changed(event.payment_id)
        match event:
            case PaymentClaimed():
                payment |= {"status": "claimed", "ended_by": event.claimed_by, "transfer_id": event.transfer_id, **now}
            case PaymentCancelled():
                payment |= {"status": "cancelled", "ended_by": event.cancelled_by, **now}
            case PaymentExpired():
                payment |= {"status": "expired", **now}

    async def save(self, transaction: Transaction) -> None:
        """Write the payments that changed."""
        await self.rows.save(transaction)
