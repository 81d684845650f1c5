"""Who had which role at which position: what a command's authority is checked against, across partitions."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from domain.did import identity
from log.topic import partition_of
from processors.audit_verdict import Difference, Differs


class Claim(NamedTuple):
    """A decision says that its actor was seen to have one of these roles at (partition, offset)."""

    place: str
    actor: str
    roles: Sequence[str]
    partition: int
    offset: int


class Roles:
    """The roles of every signer over the positions of its partition in ``context``; other contexts cite them.

    A claim about a partition that was not heard yet waits until it was. This grows with the changes of signers and with
    the claims that wait, not with facts.
    """

    def __init__(self, context: str, partitions: int) -> None:
        self.context, self._partitions = context, partitions
        self._history: dict[str, tuple[list[int], list[tuple[str, ...]]]] = {}
        self._heard: dict[int, int] = {}
        self._waiting: dict[int, set[Claim]] = {}
        self.genesis: str | None = None

    def heard(self, partition: int, offset: int) -> None:
        """Note that a partition was heard up to a decision."""
        self._heard[partition] = offset

    def set(self, did: str, offset: int, roles: tuple[str, ...]) -> None:
        """Note a signer's roles from a decision of its partition on."""
        offsets, held = self._history.setdefault(identity(did), ([], []))
        offsets.append(offset)
        held.append(roles)

    def first(self, place: str, did: str) -> None:
        """Note who was made the first signer; there is one."""
        if self.genesis is not None:
            raise Differs(Difference(place, "genesis", f"{did} is made the first signer, and {self.genesis} was"))
        self.genesis = did

    def claim(self, place: str, actor: str, roles: Sequence[str], authority: str) -> None:
        """Check what a command cites, now or once its partition is heard. Raises Differs."""
        context, _, rest = authority.partition("/")
        partition, _, offset = rest.partition("/")
        if context != self.context or not (_is_number(partition) and _is_number(offset)):
            raise Differs(Difference(place, "authority", f"{authority!r} is no position"))
        claim = Claim(place, actor, roles, int(partition), int(offset))
        if claim.partition != partition_of(identity(actor), self._partitions):
            raise Differs(Difference(place, "authority", f"{authority} isn't in the partition of {actor}'s roles"))
        own_context, own_partition, own_offset = place.split("/")
        if (own_context, int(own_partition)) == (context, claim.partition) and int(own_offset) <= claim.offset:
            raise Differs(Difference(place, "authority", f"{authority} was not yet decided when this was asked"))
        if self._heard.get(claim.partition, -1) >= claim.offset:
            self._check(claim)
        else:
            self._waiting.setdefault(claim.partition, set()).add(claim)

    def partition_done(self, partition: int) -> None:
        """Check the claims that waited for a partition."""
        for claim in sorted(self._waiting.pop(partition, ()), key=_position):
            self._check(claim)

    def close(self) -> None:
        """Check what is left once all partitions were heard."""
        for partition in sorted(self._waiting):
            self.partition_done(partition)

    def _check(self, claim: Claim) -> None:
        cited = f"{self.context}/{claim.partition}/{claim.offset}"
        if self._heard.get(claim.partition, -1) < claim.offset:
            raise Differs(Difference(claim.place, "authority", f"{cited} is no decision that counts"))
        offsets, held = self._history.get(identity(claim.actor), ([], []))
        index = bisect_right(offsets, claim.offset) - 1
        if index < 0 or set(held[index]).isdisjoint(claim.roles):
            wanted = " or ".join(claim.roles)
            raise Differs(Difference(claim.place, "authority", f"{claim.actor} was not {wanted} at {cited}"))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19


def _position(claim: Claim) -> tuple[int, int]:
    _, partition, offset = claim.place.split("/")
    return int(partition), int(offset)
