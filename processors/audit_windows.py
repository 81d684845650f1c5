"""Windows of keys in an auditor's own books of a DID: what each was, and what an event makes of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from domain.decider import Change
from log.fold import Entries
from processors.audit_names import Fault, require

Name = tuple[str, int]
MAX_LASTING: Final = 20
"""How many keys without an end a DID has at most."""


class Window(NamedTuple):
    """A key from ``began`` until before ``until``, in ms; what it signed from ``since`` on is marked."""

    id: str
    kind: str
    public: str
    purposes: str
    began: int
    until: int | None = None
    since: int | None = None

    @property
    def name(self) -> Name:
        """Give what tells it from every other window of its DID."""
        return self.id, self.began

    def lasts(self, at: int) -> bool:
        """Tell whether it holds at a time."""
        return self.began <= at and (self.until is None or self.until > at)

    def cut(self, at: int) -> "Window":
        """End it, unless it ends sooner."""
        return self._replace(until=at if self.until is None else min(at, self.until))

    def tainted(self, since: int) -> "Window":
        """Mark what it signed, unless that is marked from earlier on."""
        return self._replace(since=since if self.since is None else min(since, self.since))


def begun(keys: Iterable[Mapping[str, Any]], at: int) -> list[Window]:
    """Give the windows of keys as an operation names them, from a time on."""
    return [Window(k["id"], k["type"], k["public_key_multibase"], " ".join(k["purposes"]), at) for k in keys]


def told(windows: Sequence[Any]) -> dict[Name, Window]:
    """Read an event's windows. Raises Fault where two are one."""
    found = [
        Window(
            each.id,
            each.type,
            each.public_key_multibase,
            " ".join(each.purposes),
            each.valid_from,
            each.valid_until,
            each.compromised_since,
        )
        for each in windows
    ]
    by_name = {window.name: window for window in found}
    require(len(by_name) == len(found), "windows", "an event tells a window twice")
    return by_name


class Drawer:
    """All windows of one DID, read as they are needed; ``names`` are the ids of keys that may hold."""

    def __init__(self, state: Entries, did: str, names: Iterable[str]) -> None:
        self._state, self._did, self.names = state, did, set(names)
        self._known: dict[str, dict[Name, Window]] = {}
        self._changed: set[str] = set()

    def of(self, key_id: str) -> dict[Name, Window]:
        """Give the windows of a key's id, oldest first."""
        if key_id not in self._known:
            held = self._state.get(self._place(key_id)) or ()
            windows = [Window(*entry) for entry in held]
            self._known[key_id] = {window.name: window for window in windows}
        return self._known[key_id]

    def _place(self, key_id: str) -> str:
        return f"own/windows/{self._did}/{key_id}"

    def find(self, name: Name) -> Window | None:
        """Give a window as it is."""
        return self.of(name[0]).get(name)

    def lasting(self, at: int) -> list[Window]:
        """Give the windows that hold at a time."""
        return [each for key_id in sorted(self.names) for each in self.of(key_id).values() if each.lasts(at)]

    def one(self, key_id: str, at: int) -> Window | None:
        """Give the window of a key's id that holds at a time."""
        return next((each for each in self.of(key_id).values() if each.lasts(at)), None)

    def take(self, said: Mapping[Name, Window], right: Mapping[Name, Window], at: int) -> list[Sequence[Any]]:
        """Change windows to what they must be, which must be what an event tells; give each as it was and as it is.

        Raises Fault.
        """
        touched: list[Sequence[Any]] = []
        for name in {**said, **right}:
            was = self.find(name)
            must = right.get(name, was)
            tells = said.get(name, was)
            if tells != must or must is None:
                raise Fault("windows", f"the event tells {_shown(tells)}, and it must be {_shown(must)}")
            self.of(name[0])[name] = must
            self._changed.add(name[0])
            self.names.add(name[0])
            if name in said:
                touched.append([None if was is None else [*was], [*must]])
        lasting = self.lasting(at)
        self.names = {window.id for window in lasting}
        endless = sum(window.until is None for window in lasting)
        require(endless <= MAX_LASTING, "windows", f"{self._did} has {endless} keys without an end")
        return touched

    def changes(self) -> Iterator[Change]:
        """Give what changed."""
        for key_id in sorted(self._changed):
            windows = sorted(self._known[key_id].values(), key=lambda window: window.began)
            yield self._place(key_id), tuple(tuple(window) for window in windows)


def _shown(window: Window | None) -> str:
    return "nothing" if window is None else f"{window.id} {window.began} to {window.until} since {window.since}"
