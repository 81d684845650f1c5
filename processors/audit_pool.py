"""An auditor's own fold of the pool: what each output is, and that nothing of what came in was lost."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from domain.decider import Change
from log.fold import Entries
from processors.audit_names import Fault, require

FREE: Final = "available"
RESERVED: Final = "reserved"
SPENT: Final = "spent"
PENDING: Final = "pending"
FIGURES: Final = "own/pool"


class Coin(NamedTuple):
    """An output of the pool; ``batch_id`` is the batch that has it reserved or spent it."""

    satoshis: int
    status: str
    batch_id: str | None

    @property
    def worth(self) -> int:
        """Give what the pool holds by it, in satoshis."""
        return 0 if self.status == SPENT else self.satoshis


class Figures(NamedTuple):
    """What came into the pool for good, what its outputs hold, and the fees that were paid, in satoshis."""

    funded: int = 0
    held: int = 0
    fees: int = 0


def coin_key(outpoint: str) -> str:
    """Give the key of an output's entry."""
    return f"own/output/{outpoint}"


def find(state: Entries, outpoint: str) -> Coin | None:
    """Find an output."""
    entry = state.get(coin_key(outpoint))
    return None if entry is None else Coin(*entry)


def coin(state: Entries, outpoint: str) -> Coin:
    """Give an output that must be there. Raises Fault."""
    found = find(state, outpoint)
    if found is None:
        raise Fault("output", f"{outpoint} is no output of the pool")
    return found


def move(state: Entries, coins: Mapping[str, Coin], *, funded: int = 0, fees: int = 0) -> Iterator[Change]:
    """Let outputs be what they are from now on; what they hold and the fees are what came in. Raises Fault."""
    before = Figures(*(state.get(FIGURES) or ()))
    held = before.held
    for outpoint, now in coins.items():
        known = find(state, outpoint)
        held += now.worth - (0 if known is None else known.worth)
        yield coin_key(outpoint), now
    after = Figures(before.funded + funded, held, before.fees + fees)
    whole = after.held + after.fees == after.funded and min(after) >= 0
    require(whole, "balance", f"the pool holds {after.held}, paid {after.fees}, and {after.funded} came in")
    yield FIGURES, after


def funded(state: Entries, event: Any, _command: Any, _at: int) -> Iterator[Change]:
    """An output that wasn't the pool's is. Raises Fault."""
    require(find(state, event.outpoint) is None, "output", f"{event.outpoint} was the pool's before")
    require(event.satoshis > 0, "output", f"{event.outpoint} has nothing")
    yield from move(state, {event.outpoint: Coin(event.satoshis, FREE, None)}, funded=event.satoshis)
