"""One transfer in each of its phases, as commands and as events."""

from dataclasses import replace

from domain.ledger.transfer import PostTransfer, TransferSettled
from domain.ledger.transit import (
    AbortTransfer,
    AcceptTransfer,
    CommitTransfer,
    RejectTransfer,
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)
from tests.domain.ledger.market import ANNS, BENS, EVES, FRAME, NORTH, SOUTH, SOUTHERN_TREASURY, TREASURY, WORD, moves
from tests.domain.scenario import NOON

SEND = PostTransfer("trf_1", FRAME, ANNS, BENS, FRAME, 10_001, "bread", WORD, 60_000)
SETTLED = TransferSettled(
    "trf_1",
    FRAME,
    NORTH,
    ANNS,
    BENS,
    10_001,
    51,
    "bread",
    WORD,
    None,
    moves((ANNS, "available", -10_052), (BENS, "available", 10_001), (TREASURY, "available", 51)),
)
CROSS = replace(SEND, receiver=EVES)
PREPARED = TransferPrepared(
    "trf_1",
    FRAME,
    NORTH,
    ANNS,
    EVES,
    FRAME,
    10_001,
    "bread",
    WORD,
    None,
    NOON + 60_000,
    moves((ANNS, "available", -10_001), ("transit", "counter", 10_001)),
)
ARRIVING = ("trf_1", FRAME, FRAME, ANNS, EVES, 10_001, "ledger/0/9")
ACCEPT, REJECT = AcceptTransfer(*ARRIVING), RejectTransfer(*ARRIVING)
ACCEPTED = TransferAccepted(
    "trf_1",
    FRAME,
    SOUTH,
    FRAME,
    ANNS,
    EVES,
    10_001,
    51,
    "ledger/0/9",
    moves(("transit", "counter", -10_001), (EVES, "available", 9_950), (SOUTHERN_TREASURY, "available", 51)),
)
REJECTED = TransferRejected("trf_1", FRAME, FRAME, ANNS, EVES, 10_001, "timeout", "ledger/0/9")
COMMIT, ABORT = CommitTransfer("trf_1", FRAME, "ledger/0/10"), AbortTransfer("trf_1", FRAME, "timeout", "ledger/0/10")
COMMITTED = TransferCommitted("trf_1", FRAME, ANNS, EVES, 10_001, "ledger/0/10")
ABORTED = TransferAborted(
    "trf_1",
    FRAME,
    ANNS,
    EVES,
    10_001,
    "timeout",
    "ledger/0/10",
    moves(("transit", "counter", -10_001), (ANNS, "available", 10_001)),
)
