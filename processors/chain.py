"""A chain takes transactions and says which block has them; no answer of it is taken for more than it says."""

from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

Family: TypeAlias = Literal["bsv", "btc"]
FAMILIES: Final[tuple[Family, ...]] = ("bsv", "btc")
"""Chains whose signatures have FORKID, and those whose signatures don't."""


class ChainUnavailable(ConnectionError):
    """The chain could not be asked, or gave no answer that can be read in time: of what was sent, nothing is known."""


class Refused(Exception):
    """The chain does not take a transaction; ``spent`` names outpoints of its inputs that another one spent."""

    def __init__(self, reason: str, spent: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason, self.spent = reason, spent


class Block(NamedTuple):
    """A block of the chain; ``hash`` is 64 hex digits in the order that people read, ``header`` its 80 bytes."""

    height: int
    hash: str
    header: bytes


class Inclusion(NamedTuple):
    """The block that has a transaction, and the Merkle path to it (BRC-74, binary)."""

    block: Block
    bump: bytes


class Seen(NamedTuple):
    """A transaction as the chain has it: its bytes where the chain gives them, its block where it is in one."""

    raw: bytes | None
    inclusion: Inclusion | None


class Chain(Protocol):
    """Where transactions go. Every method raises ChainUnavailable, and ends within its implementation's timeout."""

    async def broadcast(self, raw: bytes) -> None:
        """Give a transaction to the chain; the same bytes again are taken again, in a block or not. Raises Refused."""
        ...

    async def transaction(self, txid: str) -> Seen | None:
        """Find a transaction in a block of the chain, or waiting for one; none where the chain doesn't know it."""
        ...

    async def tip(self) -> Block:
        """Give the newest block."""
        ...

    async def block(self, height: int) -> Block | None:
        """Give the chain's block of a height, none above the newest."""
        ...
