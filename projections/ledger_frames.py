"""Frames as they are read: each economy with its supply, and what is on its way from it.

``departed``, ``returned`` and ``landed`` are of the transfers that left this frame: prepared, aborted, and accepted
wherever that was. An arrival may be read before its departure, and a sender may be a frame that isn't hosted here: such
a frame has a row without a mode, so that transit and what is in flight always sum to zero over all rows.
"""

from typing import Any

from domain.ledger.developer import DeveloperRegistered
from domain.ledger.frame import FrameOpened, TokensBurned, TokensMinted, VelocityMeasured
from domain.ledger.posting import COUNTER, DESTROYED, ISSUED, TRANSIT
from domain.ledger.reward import StakesRewarded
from domain.ledger.transit import TransferAborted, TransferAccepted, TransferPrepared
from projections.generations import Table
from projections.postgres import Transaction
from projections.rows import Place, Rows, blank

FRAMES = Table(
    "frames",
    (
        "frame_id", "mode", "minting", "opened_by", "part", "pos", "at", "issued", "destroyed", "transit_net",
        "circulating", "departed", "returned", "landed", "velocity_bps", "velocity_at",
    ),
    ("frame_id",),
)  # fmt: skip
DEFINITION = """
CREATE TABLE {schema}.frames (
  frame_id text COLLATE "C" PRIMARY KEY, mode text, minting text, opened_by text, part integer, pos bigint, at bigint,
  issued numeric NOT NULL, destroyed numeric NOT NULL, transit_net numeric NOT NULL, circulating numeric NOT NULL,
  departed numeric NOT NULL, returned numeric NOT NULL, landed numeric NOT NULL,
  velocity_bps numeric NOT NULL, velocity_at bigint);
"""
FIGURES = ("issued", "destroyed", "transit_net", "circulating", "departed", "returned", "landed", "velocity_bps")


class Frames:
    """What a batch makes of frames."""

    events: tuple[type, ...] = (
        FrameOpened,
        VelocityMeasured,
        DeveloperRegistered,
        TokensMinted,
        TokensBurned,
        StakesRewarded,
        TransferPrepared,
        TransferAccepted,
        TransferAborted,
    )

    def __init__(self, schema: str) -> None:
        self._frames = Rows(schema, FRAMES)

    def want(self, event: Any) -> None:
        """Note the frame, and the one that an arrival came from."""
        self._frames.want(event.frame_id)
        if isinstance(event, TransferAccepted):
            self._frames.want(event.sender_frame)

    async def load(self, transaction: Transaction) -> None:
        """Read the frames."""
        await self._frames.load(transaction)

    def _seen(self, frame_id: str) -> dict[str, Any]:
        """Give a frame's row, which may not be opened yet as far as this was read."""
        if self._frames.find(frame_id) is None:
            self._frames.put(blank(FRAMES, frame_id=frame_id, **dict.fromkeys(FIGURES, 0)))
        return self._frames.changed(frame_id)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of a frame or of its supply."""
        frame = self._seen(event.frame_id)
        match event:
            case FrameOpened():
                frame |= {"mode": event.mode, "minting": event.minting, "opened_by": event.opened_by}
                frame |= {"part": place.part, "pos": place.pos, "at": place.at}
                return
            case VelocityMeasured():
                frame |= {"velocity_bps": event.velocity_bps, "velocity_at": place.at}
                return
            case TransferPrepared():
                frame["departed"] += event.amount
            case TransferAborted():
                frame["returned"] += event.amount
            case TransferAccepted():
                self._seen(event.sender_frame)["landed"] += event.amount
        for posting in event.postings:
            if posting.part != COUNTER:
                frame["circulating"] += posting.amount
            elif posting.account == ISSUED:
                frame["issued"] -= posting.amount
            elif posting.account == DESTROYED:
                frame["destroyed"] += posting.amount
            elif posting.account == TRANSIT:
                frame["transit_net"] -= posting.amount

    async def save(self, transaction: Transaction) -> None:
        """Write the frames that changed."""
        await self._frames.save(transaction)
