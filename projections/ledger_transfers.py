"""Transfers as they are read: each with its status, which never goes back in whatever order partitions are read.

A transfer across registries is told by its two sides: the sending side begins and ends it, the receiving side says
once whether it arrived. Each side writes columns of its own, and the later phase of the two is the status.
"""

from typing import Any

from domain.ledger.account import Mandate
from domain.ledger.transfer import TransferSettled
from domain.ledger.transit import (
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)
from projections.generations import Table
from projections.lines import line
from projections.postgres import Transaction
from projections.rows import Place, Rows, appending, blank

TRANSFERS = Table(
    "transfers",
    (
        "transfer_id", "frame_id", "registry_id", "sender", "receiver", "receiver_frame", "receiver_registry",
        "amount", "fee", "memo", "payment_id", "timeout_at", "status", "reason", "part", "pos", "at", "arrived_part",
        "arrived_pos", "arrived_at", "ended_pos", "ended_at", "signed_by", "key_id",
    ),
    ("transfer_id",),
)  # fmt: skip
DEFINITION = """
CREATE TABLE {schema}.transfers (
  transfer_id text COLLATE "C" PRIMARY KEY, frame_id text COLLATE "C" NOT NULL, registry_id text COLLATE "C",
  sender text COLLATE "C" NOT NULL, receiver text COLLATE "C" NOT NULL, receiver_frame text COLLATE "C" NOT NULL,
  receiver_registry text COLLATE "C", amount bigint NOT NULL, fee bigint, memo text, payment_id text COLLATE "C",
  timeout_at bigint, status text COLLATE "C" NOT NULL, reason text, part integer, pos bigint, at bigint,
  arrived_part integer, arrived_pos bigint, arrived_at bigint, ended_pos bigint, ended_at bigint,
  signed_by text COLLATE "C", key_id text COLLATE "C");
"""
PHASES = {"prepared": 1, "accepted": 2, "rejected": 2, "committed": 3, "aborted": 3}


class Transfers:
    """What a batch makes of transfers; one inside a registry is new and final at once."""

    events: tuple[type, ...] = (
        TransferSettled,
        TransferPrepared,
        TransferAccepted,
        TransferRejected,
        TransferCommitted,
        TransferAborted,
    )

    def __init__(self, schema: str) -> None:
        self._settled = appending(schema, TRANSFERS)
        self._rows = Rows(schema, TRANSFERS)

    def want(self, event: Any) -> None:
        """Note a transfer whose other side may be known."""
        if not isinstance(event, TransferSettled):
            self._rows.want(event.transfer_id)

    async def load(self, transaction: Transaction) -> None:
        """Read the transfers that are under way."""
        await self._rows.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of a transfer."""
        if isinstance(event, TransferSettled):
            self._settled.add(
                line((
                    event.transfer_id, event.frame_id, event.registry_id, event.sender, event.receiver, event.frame_id,
                    event.registry_id, str(event.amount), str(event.fee), event.memo, event.payment_id, None,
                    "settled", None, str(place.part), str(place.pos), str(place.at), None, None, None, None, None,
                    *signer(event.mandate),
                ))
            )  # fmt: skip
            return
        if self._rows.find(event.transfer_id) is None:
            self._rows.put(blank(TRANSFERS, transfer_id=event.transfer_id, status="prepared"))
        row = self._rows.changed(event.transfer_id)
        if isinstance(event, TransferAccepted | TransferRejected):
            arrive(row, event, place)
            return
        match event:
            case TransferPrepared():
                row |= {
                    "frame_id": event.frame_id, "registry_id": event.registry_id, "sender": event.sender,
                    "receiver": event.receiver, "receiver_frame": event.receiver_frame, "amount": event.amount,
                    "memo": event.memo, "payment_id": event.payment_id, "timeout_at": event.timeout_at,
                    "part": place.part, "pos": place.pos, "at": place.at,
                    **dict(zip(("signed_by", "key_id"), signer(event.mandate), strict=True)),
                }  # fmt: skip
            case TransferCommitted():
                row |= {"status": "committed", "ended_pos": place.pos, "ended_at": place.at}
            case TransferAborted():
                row |= {"status": "aborted", "ended_pos": place.pos, "ended_at": place.at, "reason": event.reason}

    async def save(self, transaction: Transaction) -> None:
        """Write the transfers that are new or changed."""
        await self._settled.end(transaction)
        await self._rows.save(transaction)


def signer(mandate: Mandate | None) -> tuple[str | None, str | None]:
    """Give whose registered key signed, and which, for it to be judged by; a DID that says its key itself has none."""
    return (None, None) if mandate is None or mandate.key_id is None else (mandate.signed_by, mandate.key_id)


def arrive(row: dict[str, Any], event: TransferAccepted | TransferRejected, place: Place) -> None:
    """Fold what the receiving side decided; what the sending side says of the transfer stays."""
    row |= {"arrived_part": place.part, "arrived_pos": place.pos, "arrived_at": place.at}
    if row["pos"] is None:
        row |= {"frame_id": event.sender_frame, "sender": event.sender, "receiver": event.receiver}
        row |= {"receiver_frame": event.frame_id, "amount": event.amount}
    if isinstance(event, TransferAccepted):
        status = "accepted"
        row |= {"fee": event.fee, "receiver_registry": event.registry_id}
    else:
        status = "rejected"
        row["reason"] = row["reason"] or event.reason
    if PHASES[row["status"]] < PHASES[status]:
        row["status"] = status
