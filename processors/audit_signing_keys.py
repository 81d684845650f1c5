"""Keys of registered DIDs that sign in any context: each must have held where it says that it was seen to."""

from typing import Final, NamedTuple

from log.message import Signature
from log.statements import session_heading
from processors.audit_citations import Citations
from processors.audit_names import Fault, require
from processors.audit_verdict import Difference

LATE_MS: Final = 60_000
"""How long after its key's end a command may still come onto the log: what was checked then waits for the broker."""


class SigningKey(NamedTuple):
    """A key as a signature names it: its DID, id, text (multibase) and purpose, and where it was seen to hold."""

    did: str
    key_id: str
    public: str
    purpose: str
    seen_at: str


class FactMark(NamedTuple):
    """A decision at a place says of a fact, signed by a DID's key at the log's time (ms), that its key was compromised.

    Or, where ``marks`` is false, that it was not; ``said_by`` is the event of identity and its position.
    """

    place: str
    did: str
    key_id: str
    at: int
    said_by: str
    marks: bool


class SigningKeys:
    """Which keys signed, the last that each did, and what is said of the keys of facts.

    This grows with keys, the positions at which they were seen, and the marks of facts.
    """

    def __init__(self) -> None:
        self._used: dict[SigningKey, tuple[str, int]] = {}
        self._marks: list[FactMark] = []

    def note_mark(self, mark: FactMark) -> None:
        """Note what is said of a fact's key."""
        self._marks.append(mark)

    def note(self, key: SigningKey, place: str, at: int) -> None:
        """Note that a key signed what was decided at a place, at the log's time (ms)."""
        known = self._used.get(key)
        if known is None or known[1] < at:
            self._used[key] = (place, at)

    def check(self, citations: Citations) -> Difference | None:
        """Find the first that had no right to sign, by all that identity says."""
        for key, (place, at) in self._used.items():
            try:
                _check(key, at, citations)
            except Fault as fault:
                return Difference(place, fault.rule, fault.detail)
        for mark in self._marks:
            windows = [each for each in citations.words(mark.said_by, mark.did, mark.key_id) if each.began <= mark.at]
            since = max(windows, key=lambda window: window.began).since if windows else None
            if not windows or (since is not None and mark.at >= since) != mark.marks:
                what = "compromised" if mark.marks else "cleared"
                detail = f"{mark.said_by} doesn't say that {mark.key_id} of {mark.did} was {what} at {mark.at}"
                return Difference(mark.place, "key", detail)
        return None


def _check(key: SigningKey, at: int, citations: Citations) -> None:
    seen = citations.windows_seen(key.did, key.key_id, key.seen_at)
    held = [each for each in seen if each.public == key.public and key.purpose in each.purposes.split()]
    require(bool(held), "key_id", f"{key.did} had no such key {key.key_id} for {key.purpose} at {key.seen_at}")
    timely = any(each.until is None or each.until > at - LATE_MS for each in held)
    require(timely, "key_id", f"the key {key.key_id} of {key.did} signed long after its end")


def signing_key(held: Signature | None) -> SigningKey | None:
    """Give the registered key that a signature names; nothing for a DID that says its key itself."""
    if held is None or held.public_key is None or held.key_id is None or held.key_seen_at is None:
        return None
    opens_session = held.signed_bytes.startswith(session_heading.encode() + b"\n")
    purpose = "authentication" if opens_session else "assertion"
    return SigningKey(held.did, held.key_id, held.public_key, purpose, held.key_seen_at)
