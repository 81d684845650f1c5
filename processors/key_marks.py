"""Facts against the windows of their issuers' keys: whose key was in other hands when it signed is asked to be marked.

It holds, by key:

- ``window/<did>/<key>/<ms>``: a window of a registered DID's key by its begin: since when it is compromised (ms), and
  which event said so last;
- ``fact/<id>``: a fact that such a key signed, and by whose word it is marked; ``signed/<did>/<key>/<ms>/<id>``: those
  of a key in the order of the log's time;
- ``look/fact/<id>`` and ``look/key/<did>/<key>/<ms>``: what is to be compared, a fact or all of a window on.

Two contexts have no order among them: a fact is compared when it is read, and again when its key's window changes. What
differs is asked for until it is as it must be, so a crash anywhere is resumed by asking again.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from domain.catalog import BY_CLASS
from domain.decider import Change
from domain.facts.fact import FactIssued
from domain.facts.mark import ClearFactKey, FactKeyCleared, FactKeyCompromised, MarkFactKey
from log.fold import Overlay
from log.store import MemoryStore, Store
from processors.agenda_entries import number
from processors.asking import keep_asking
from processors.context_agenda import ContextAgenda
from processors.lately import Lately
from processors.reactor_commands import Ask, ReactorCommands

CONTEXTS: Final = ("facts", "identity")
COMPARED_AT_ONCE: Final = 10_000
"""After so many facts of one window others have their turn; the next look goes on behind them."""


class Signed(NamedTuple):
    """A fact that a registered DID's key signed: since when the log has it (ms), and in which partition.

    ``compromised_by`` is by whose word it is marked.
    """

    did: str
    key_id: str
    at: int
    partition: int
    compromised_by: str | None = None


class Held(NamedTuple):
    """Since when a window's key is compromised (ms), by the word of which event that stands, or was taken back."""

    since: int | None
    said_by: str


def offset_of(word: str) -> int:
    """Give the offset of an event of identity that is told by its name and position; one DID's are in one partition."""
    return int(word.rpartition("/")[2])


def changes(overlay: Overlay, event: Any, at: int, where: str) -> Iterator[Change]:
    """Give what an event changes of what there is to compare."""
    match event:
        case FactIssued(issuer_did=did, key_id=str() as key_id) if did.startswith("did:mun:"):
            yield f"fact/{event.fact_id}", Signed(did, key_id, at, int(where.split("/")[1]))
            yield f"signed/{did}/{key_id}/{number(at)}/{event.fact_id}", ()
            yield f"look/fact/{event.fact_id}", ()
        case FactKeyCompromised() | FactKeyCleared():
            key = f"fact/{event.fact_id}"
            said_by = event.compromised_by if isinstance(event, FactKeyCompromised) else None
            yield key, Signed(*overlay[key])._replace(compromised_by=said_by)
            yield f"look/fact/{event.fact_id}", ()
        case _:
            for window in getattr(event, "windows", ()):
                name = f"{event.did}/{window.id}/{number(window.valid_from)}"
                known = overlay.get(f"window/{name}")
                if known is None or known[0] != window.compromised_since:
                    said_by = f"{BY_CLASS[type(event)].name} {where}"
                    yield f"window/{name}", Held(window.compromised_since, said_by)
                    if known is not None or window.compromised_since is not None:
                        yield f"look/key/{name}", ()


class KeyMarksAgenda(ContextAgenda):
    """Follows facts and identity into a store of its own."""

    def __init__(self, store: Store | MemoryStore) -> None:
        super().__init__(store, changes)


class KeyMarks:
    """Asks for the marks that differ, while this reactor leads."""

    def __init__(self, agenda: KeyMarksAgenda, commands: ReactorCommands, leads: Callable[[], bool]) -> None:
        self._agenda, self._store, self._commands, self._leads = agenda, agenda.store, commands, leads
        self._lately = Lately()

    async def run(self) -> None:
        """Compare until cancelled; the log being away is waited out."""
        await keep_asking(self._agenda, self._lately, self._leads, self.ask)

    async def ask(self) -> int:
        """Ask for what differs and wasn't asked for lately; give how many that were. Raises LogUnavailable."""
        self._look_through_windows()
        chosen = self._lately.choose(self._differing())
        if chosen:
            await self._commands.append(chosen)
        return len(chosen)

    def _differing(self) -> list[Ask]:
        asks, settled = list[Ask](), list[Change]()
        for key, _ in self._store.scan("look/fact/"):
            ask = self._compared(key.removeprefix("look/fact/"))
            if ask is None:
                settled.append((key, None))
            else:
                asks.append(ask)
            if len(settled) + len(asks) >= COMPARED_AT_ONCE:
                break
        self._store.write(settled, {})
        return asks

    def _look_through_windows(self) -> None:
        """Compare what a window's key signed; facts that differ are looked at by themselves from then on."""
        for key, _ in list(self._store.scan("look/key/")):
            name = key.removeprefix("look/key/")
            of_key = name.rpartition("/")[0]
            differing, count, last = list[Change](), 0, ""
            for signed, _ in self._store.scan(f"signed/{of_key}/", f"signed/{name}"):
                count, last = count + 1, signed
                fact_id = signed.rpartition("/")[2]
                if self._compared(fact_id) is not None:
                    differing.append((f"look/fact/{fact_id}", ()))
                if count == COMPARED_AT_ONCE:
                    following = last.removeprefix("signed/").rpartition("/")[0]
                    differing.append((f"look/key/{following}", ()))
                    break
            self._store.write([(key, None), *differing], {})

    def _compared(self, fact_id: str) -> Ask | None:
        """Give what a fact's mark needs to be as its key's window says; nothing where it is so."""
        entry = self._store.get(f"fact/{fact_id}")
        if entry is None:
            return None
        fact = Signed(*entry)
        window = self._window(fact)
        if window is None:
            return None
        compromised = window.since is not None and fact.at >= window.since
        if compromised == (fact.compromised_by is not None):
            return None
        if compromised:
            content, payload = f"mark:{fact_id}:{window.said_by}", MarkFactKey(fact_id, window.said_by)
            return Ask(fact.did, content, payload, fact.partition)
        if fact.compromised_by is None or offset_of(window.said_by) <= offset_of(fact.compromised_by):
            return None  # the word by which it was marked isn't folded yet
        content, taken_back = f"clear:{fact_id}:{window.said_by}", ClearFactKey(fact_id, window.said_by)
        return Ask(fact.did, content, taken_back, fact.partition)

    def _window(self, fact: Signed) -> Held | None:
        """Find the last window of a fact's key that had begun when the log had the fact."""
        found: Held | None = None
        for key, entry in self._store.scan(f"window/{fact.did}/{fact.key_id}/"):
            if int(key.rpartition("/")[2]) > fact.at:
                break
            found = Held(*entry)
        return found
