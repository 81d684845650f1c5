"""An auditor's own books of a DID: its chain of operations, what stands, and the event that is before them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from domain.decider import Change
from log.fold import Entries
from processors.audit_names import Fault
from processors.audit_windows import Drawer


class Stand(NamedTuple):
    """What stands of a DID beside its keys: rotation keys and guardians' DIDs are joined by spaces."""

    rotation: str
    handle: str | None = None
    named_at: int | None = None
    guardians: str | None = None
    threshold: int = 0
    delay_s: int = 0


class Pending(NamedTuple):
    """A guardians' recovery that may yet be cancelled, until ``effective_at``."""

    operation: str
    effective_at: int
    rotation: str
    keys: Sequence[Mapping[str, Any]]


class Chain(NamedTuple):
    """A DID: its head and that one's number, behind which number no fork goes, what stands, and what is pending."""

    head: str
    number: int
    floor: int
    keys: str
    stand: Sequence[Any]
    pending: Sequence[Any] | None


class Link(NamedTuple):
    """An operation of a DID: what stood after it, and each window that it touched as it was and as it became."""

    prev: str | None
    number: int
    at: int
    rank: int
    nullified: bool
    stood: Sequence[Any]
    touched: Sequence[Sequence[Any]]


class Turn:
    """One event of one DID before the books."""

    def __init__(self, state: Entries, event: Any, at: int) -> None:
        self.did: str = event.did
        self._state, self.event, self.at = state, event, at
        entry = state.get(f"own/did/{self.did}")
        self.chain = None if entry is None else Chain(*entry)
        self.drawer = Drawer(state, self.did, () if self.chain is None else self.chain.keys.split())
        self.links: dict[str, Link] = {}

    @property
    def known(self) -> Chain:
        """Give the DID, which must have been created. Raises Fault."""
        if self.chain is None:
            raise Fault("did", f"{self.did} was never created")
        return self.chain

    @property
    def stand(self) -> Stand:
        """Give what stands."""
        return Stand(*self.known.stand)

    @property
    def pending(self) -> Pending | None:
        """Give the guardians' recovery that is under way."""
        return None if self.known.pending is None else Pending(*self.known.pending)

    def link(self, name: str) -> Link | None:
        """Find an operation."""
        if name in self.links:
            return self.links[name]
        entry = self._state.get(f"own/operation/{self.did}/{name}")
        return None if entry is None else Link(*entry)

    def behind(self, fork: str) -> list[tuple[str, Link]]:
        """Give the operations from the one after ``fork`` to the head, walking back from there. Raises Fault."""
        found: list[tuple[str, Link]] = []
        name: str | None = self.known.head
        while name != fork:
            link = None if name is None else self.link(name)
            if name is None or link is None:
                raise Fault("fork", f"{fork} isn't in the chain that ends in {self.known.head}")
            found.append((name, link))
            name = link.prev
        return found[::-1]

    def changes(self, chain: Chain) -> Iterator[Change]:
        """Give what the event changes in the books."""
        plain = chain._replace(
            keys=" ".join(sorted(self.drawer.names)),
            stand=tuple(chain.stand),
            pending=None if chain.pending is None else tuple(chain.pending),
        )
        yield f"own/did/{self.did}", tuple(plain)
        yield from self.drawer.changes()
        for name, link in self.links.items():
            yield f"own/operation/{self.did}/{name}", tuple(link._replace(stood=tuple(link.stood)))


def linked(turn: Turn, name: str | None) -> Link:
    """Give an operation that must be there. Raises Fault."""
    link = None if name is None else turn.link(name)
    if link is None:
        raise Fault("prev", f"{name} is no operation of {turn.did}")
    return link
