"""A DID as its operation log makes it: rotation keys, keys in their windows, a handle, guardians."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from domain.decider import Change, Refusal, State
from domain.identity.key import Key, KeyWindow, window_of
from domain.identity.operation import Fault, Operation, SignedOperation, invalid, operation, operation_key, rank_of

DAY_MS: Final = 86_400_000
MAX_DAILY: Final = 1_000
"""How many operations and added keys a DID has in a day of the log: so what an override undoes fits one decision."""


@dataclass(frozen=True, slots=True)
class Guardians:
    """Who may recover a DID together: ``threshold`` of ``dids``; it takes effect ``delay_s`` seconds later."""

    dids: tuple[str, ...]
    threshold: int
    delay_s: int

    @property
    def entry(self) -> tuple[Any, ...]:
        """Give them as a state holds them."""
        return self.dids, self.threshold, self.delay_s


def guardians_of(entry: Sequence[Any] | None) -> Guardians | None:
    """Read guardians as a state holds them."""
    return None if entry is None else Guardians(tuple(entry[0]), entry[1], entry[2])


class Pending(NamedTuple):
    """A guardians' recovery that takes effect at ``effective_at`` (ms), unless it is cancelled before."""

    operation: str
    number: int
    effective_at: int
    rotation_keys: tuple[str, ...]
    keys: tuple[Sequence[Any], ...]


class Identifier(NamedTuple):
    """A DID's entry in the state.

    ``head`` is the hash of its last operation and ``number`` that one's number; ``keys`` are the windows that were not
    over at the last change. No override goes back behind operation ``floor``. ``spent`` counts what was done in
    ``day``, a day of the log.
    """

    head: str
    number: int
    rotation_keys: tuple[str, ...]
    keys: tuple[Sequence[Any], ...]
    handle: str | None
    handle_changed_at: int | None
    guardians: tuple[Any, ...] | None
    pending: Sequence[Any] | None
    floor: int
    day: int
    spent: int

    @property
    def windows(self) -> Sequence[KeyWindow]:
        """Give the windows that were not over at the last change."""
        return [window_of(entry) for entry in self.keys]

    @property
    def recovery(self) -> Pending | None:
        """Give the guardians' recovery that is under way."""
        return None if self.pending is None else Pending(*self.pending)

    def spending(self, units: int, now: int) -> "Identifier":
        """Count what an operation does against its day."""
        day = now // DAY_MS
        return self._replace(day=day, spent=units if day != self.day else self.spent + units)


def identifier_key(did: str) -> str:
    """Give the key of a DID's entry."""
    return f"did/{did}"


def past_key(did: str, key_id: str) -> str:
    """Give the key of the windows of a key's id that are over."""
    return f"past/{did}/{key_id}"


def identifier(state: State, did: str) -> Identifier | None:
    """Find a DID that was created."""
    entry = state.get(identifier_key(did))
    if entry is None:
        return None
    known = Identifier(*entry)
    return known._replace(rotation_keys=tuple(known.rotation_keys))


def windows_of_key(state: State, did: str, key_id: str) -> Sequence[KeyWindow]:
    """Give every window of a key's id, oldest first."""
    known = identifier(state, did)
    over = [window_of(entry) for entry in state.get(past_key(did, key_id)) or ()]
    found = over + [window for window in (known.windows if known else ()) if window.id == key_id]
    return sorted(found, key=lambda window: window.valid_from)


def key_at(state: State, did: str, key_id: str, at: int) -> KeyWindow | None:
    """Find the key of this id that holds at a time (ms); nothing where none does."""
    return next((window for window in windows_of_key(state, did, key_id) if window.holds(at)), None)


def keys_at(state: State, did: str, at: int) -> Sequence[KeyWindow]:
    """Give the keys that hold at a time not before the DID's last change (ms)."""
    known = identifier(state, did)
    return [window for window in (known.windows if known else ()) if window.holds(at)]


def begun_now(state: State, did: str, keys: Sequence[Key], now: int) -> Refusal | None:
    """Refuse a key whose id began to name another in this very millisecond: their windows would have one name."""
    for key in keys:
        if any(window.valid_from == now for window in windows_of_key(state, did, key.id)):
            return invalid(Fault.KEY_IN_USE, f"another key was called {key.id} a moment ago")
    return None


def keys_of(entries: Sequence[Sequence[Any]]) -> tuple[Key, ...]:
    """Read keys as a state holds them."""
    return tuple(Key(entry[0], entry[1], entry[2], tuple(entry[3])) for entry in entries)


def placed(
    state: State, did: str, known: Identifier, changed: Sequence[KeyWindow], at: int
) -> tuple[Identifier, Mapping[str, tuple[Any, ...]]]:
    """Put windows where they belong: those that last stay at hand, those that are over go to the past."""
    windows = {window.name: window for window in (*known.windows, *changed)}
    over: dict[str, dict[tuple[str, int], KeyWindow]] = {}
    for window in windows.values():
        if window.valid_until is not None and window.valid_until <= at:
            past = state.get(past_key(did, window.id)) or ()
            there = over.setdefault(window.id, {old.name: old for old in map(window_of, past)})
            there[window.name] = window
    lasting = tuple(each.entry for each in windows.values() if each.valid_until is None or each.valid_until > at)
    changes = {past_key(did, key_id): tuple(each.entry for each in there.values()) for key_id, there in over.items()}
    return known._replace(keys=lasting), changes


class Stood(NamedTuple):
    """What of a DID an operation may replace, besides keys."""

    rotation_keys: tuple[str, ...]
    handle: str | None
    handle_changed_at: int | None
    guardians: tuple[Any, ...] | None


def stood_after(state: State, did: str, previous: Operation) -> Stood | None:
    """Give what stood after an operation: what follows it keeps that, and the DID itself where nothing does."""
    following = None if previous.next is None else operation(state, did, previous.next)
    source = following or identifier(state, did)
    if source is None:
        return None
    return Stood(tuple(source.rotation_keys), source.handle, source.handle_changed_at, source.guardians)


def advance(
    state: State,
    did: str,
    signed: SignedOperation,
    after: Identifier,
    *,
    windows: Sequence[KeyWindow],
    at: int,
    stood_windows: Mapping[tuple[str, int], KeyWindow | None] = MappingProxyType({}),
) -> Iterable[Change]:
    """Append an operation to its chain; ``after`` is the DID with all that it changes but its keys.

    ``stood_windows`` are windows, by their names, as they stood after ``signed.prev`` where that isn't as they are now;
    None for one that was begun since, and stays as this operation leaves it.
    """
    previous = None if signed.prev is None else operation(state, did, signed.prev)
    stood = None if previous is None else stood_after(state, did, previous)
    number, rank = 0, 0
    if previous is not None and stood is not None and signed.prev is not None:
        number, rank = previous.number + 1, rank_of(stood.rotation_keys, signed.signed_by)
        yield operation_key(did, signed.prev), previous._replace(next=signed.hash)
    known = {window.name: window for each in windows for window in windows_of_key(state, did, each.id)}
    earlier: Mapping[tuple[str, int], KeyWindow | None] = {**known, **stood_windows}
    changed = tuple(form.entry for each in windows if (form := earlier.get(each.name)) is not None)
    added = tuple(each.name for each in windows if each.name not in earlier)
    before = stood or Stood((), None, None, None)
    entry = Operation(
        signed.prev, None, number, at, rank, nullified=False, **before._asdict(), windows=changed, added=added
    )
    yield operation_key(did, signed.hash), entry
    stands, past = placed(state, did, after._replace(head=signed.hash, number=number), windows, at)
    yield identifier_key(did), stands.spending(1 + len(added), at)
    yield from past.items()
