"""An auditor's own books of DIDs: what each operation may do to what is, written from the specification alone.

Every operation keeps what stood after it and what became of the windows that it touched, so that a fork can be judged.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from domain.decider import Change
from domain.identity.completion import GuardianRecoveryCompleted
from domain.identity.creation import DidCreated
from domain.identity.guardian import GuardianRecoveryBegun, GuardiansSet, RecoveryCancelled
from domain.identity.naming import HandleSet
from domain.identity.recovery import DidRecovered
from domain.identity.rotation import KeyRevoked, KeysRotated
from log.fold import Entries
from processors.audit_did_books import Chain, Link, Pending, Stand, Turn, linked
from processors.audit_names import Fault, require
from processors.audit_operations import DEFAULT_S, Said, check_approval, plain, read
from processors.audit_statements import is_time, millis_of, same_did
from processors.audit_windows import Name, Window, begun, told

OVERRIDE_MS: Final = 72 * 3_600_000
HANDLE_EVERY_MS: Final = 30 * 86_400_000
CLOCKS_MS: Final = 300_000
"""How far ahead of the log's time the clock of whoever revokes a key may be."""
LOWEST: Final = 99
"""The rank of what guardians did: every rotation key is higher."""
TYPES: Final[Mapping[type, str]] = {
    DidCreated: "create",
    KeysRotated: "rotate",
    KeyRevoked: "revoke",
    DidRecovered: "recover",
    GuardiansSet: "set_guardians",
    GuardianRecoveryBegun: "guardian_recover",
    RecoveryCancelled: "cancel",
    HandleSet: "set_handle",
}
"""By event the type of the operation that it holds."""


def changes(state: Entries, event: Any, at: int) -> Iterator[Change]:
    """Check an event of a DID's operation log and give what it changes. Raises Fault."""
    turn = Turn(state, event, at)
    if isinstance(event, GuardianRecoveryCompleted):
        yield from _complete(turn, event)
        return
    signed, said = event.signed, read(event.did, event.signed)
    kind = TYPES[type(event)]
    require(said["type"] == kind, "operation", f"a {said['type']} is told as a {kind}")
    require(turn.link(signed.hash) is None, "operation", f"{signed.hash} was there before")
    if isinstance(event, DidCreated):
        yield from _create(turn, event, said)
        return
    pending = turn.pending
    require(pending is None or pending.effective_at > at, "recovery", "a recovery that was due had not taken effect")
    if not isinstance(event, DidRecovered):
        head = turn.known.head
        require(signed.prev == head, "prev", f"the operation follows {signed.prev}, and the head is {head}")
    standing: Stand = HEARS[type(event)](turn, event, said)
    number, rank = turn.known.number + 1, LOWEST
    pending = _pending_after(turn, event)
    if isinstance(event, DidRecovered):
        fork = linked(turn, signed.prev)
        number, rank = fork.number + 1, Stand(*fork.stood).rotation.split().index(signed.signed_by)
    elif not isinstance(event, GuardianRecoveryBegun):
        rank = turn.stand.rotation.split().index(signed.signed_by)
    touched = turn.drawer.take(told(getattr(event, "windows", ())), _right(turn, event, said), at)
    if isinstance(event, DidRecovered):
        touched = _since_fork(turn, event, touched)
    turn.links[signed.hash] = Link(signed.prev, number, at, rank, nullified=False, stood=standing, touched=touched)
    yield from turn.changes(turn.known._replace(head=signed.hash, number=number, stand=standing, pending=pending))


def _create(turn: Turn, event: DidCreated, said: Said) -> Iterator[Change]:
    require(turn.chain is None, "did", f"{turn.did} was created before")
    _same("rotation_keys", event.rotation_keys, said["rotation_keys"])
    require(event.handle == said.get("handle"), "operation", f"the handle is {event.handle}, and wasn't signed")
    windows = {window.name: window for window in begun(said["keys"], turn.at)}
    touched = turn.drawer.take(told(event.windows), windows, turn.at)
    named_at = None if event.handle is None else turn.at
    standing = Stand(" ".join(event.rotation_keys), event.handle, named_at)
    rank = event.rotation_keys.index(event.signed.signed_by)
    turn.links[event.signed.hash] = Link(None, 0, turn.at, rank, nullified=False, stood=standing, touched=touched)
    yield from turn.changes(Chain(event.signed.hash, 0, 0, "", standing, None))


def _complete(turn: Turn, event: GuardianRecoveryCompleted) -> Iterator[Change]:
    """A guardians' recovery takes effect: every key ends, and the keys that it names begin."""
    known, pending = turn.known, turn.pending
    if pending is None or pending.operation != event.operation:
        raise Fault("recovery", f"{event.operation} takes effect and wasn't under way")
    require(pending.effective_at <= turn.at, "recovery", f"{event.operation} takes effect before its time")
    _same("rotation_keys", event.rotation_keys, pending.rotation.split())
    right = {window.name: window.cut(turn.at) for window in turn.drawer.lasting(turn.at)}
    right |= {window.name: window for window in begun(pending.keys, turn.at)}
    turn.drawer.take(told(event.windows), right, turn.at)
    standing = turn.stand._replace(rotation=pending.rotation)
    turn.links[known.head] = linked(turn, known.head)._replace(stood=standing)
    yield from turn.changes(known._replace(floor=known.number, stand=standing, pending=None))


def _same(name: str, told_here: Sequence[Any], signed: Sequence[Any]) -> None:
    require(list(told_here) == list(signed), "operation", f"{name} aren't those that were signed")


def _by_rotation_key(turn: Turn, event: Any, stand: Stand) -> None:
    by = event.signed.signed_by
    require(by in stand.rotation.split(), "rotation_key", f"{by} was no rotation key of {turn.did}")


def _kept(turn: Turn, event: Any, said: Said) -> Stand:
    """A change of keys leaves all else as it was."""
    _by_rotation_key(turn, event, turn.stand)
    if isinstance(event, KeyRevoked):
        require(
            (event.key_id, event.reason) == (said["key_id"], said["reason"]), "operation", "another key was revoked"
        )
        _check_since(said.get("since"), event.since, turn.at)
    return turn.stand


def _check_since(signed: str | None, since: int, at: int) -> None:
    if signed is None:
        holds = since == at
    elif millis_of(signed) > at:
        holds = since == at and millis_of(signed) <= at + CLOCKS_MS
    else:
        holds = is_time(signed, since)
    require(holds, "since", f"a key is revoked since {since}, and {signed} was signed")


def _named(turn: Turn, event: HandleSet, said: Said) -> Stand:
    _by_rotation_key(turn, event, turn.stand)
    before = turn.stand
    require(event.handle == said["handle"], "operation", f"the handle is {event.handle}, and wasn't signed")
    require(event.former == before.handle, "handle", f"the handle was {before.handle}, and not {event.former}")
    require(event.handle != before.handle, "handle", f"{turn.did} had {event.handle} already")
    soon = before.named_at is not None and turn.at < before.named_at + HANDLE_EVERY_MS
    require(not soon, "handle", "the handle changed less than 30 days ago")
    return before._replace(handle=event.handle, named_at=turn.at)


def _guarded(turn: Turn, event: GuardiansSet, said: Said) -> Stand:
    _by_rotation_key(turn, event, turn.stand)
    named = event.guardians
    _same("guardians", named.dids, said["dids"])
    figures = (said["threshold"], said.get("delay_s", DEFAULT_S))
    require((named.threshold, named.delay_s) == figures, "operation", "threshold and delay aren't those signed")
    require(named.threshold <= len(named.dids), "guardians", "more guardians must approve than there are")
    return turn.stand._replace(guardians=" ".join(named.dids), threshold=named.threshold, delay_s=named.delay_s)


def _rescued(turn: Turn, event: GuardianRecoveryBegun, said: Said) -> Stand:
    stand = turn.stand
    if stand.guardians is None or turn.pending is not None:
        raise Fault("recovery", f"{turn.did} has no guardians, or a recovery is under way")
    _same("rotation_keys", event.rotation_keys, said["rotation_keys"])
    _same("keys", [plain(key) for key in event.keys], said["keys"])
    _same(
        "approvals",
        [(each.did, each.key_id, each.signature) for each in event.approvals],
        [(each["did"], each.get("key_id", ""), each["signature"]) for each in said["approvals"]],
    )
    approving: list[str] = []
    for approval in event.approvals:
        guardian = next((did for did in stand.guardians.split() if same_did(did, approval.did)), None)
        if guardian is None:
            raise Fault("approval", f"{approval.did} is no guardian of {turn.did}")
        check_approval(approval, said)
        approving.append(guardian)
    enough = len(set(approving)) >= stand.threshold
    require(enough, "approval", f"{len(set(approving))} guardians approved, and {stand.threshold} must")
    due = turn.at + stand.delay_s * 1000
    # Without a delay it takes effect in the next millisecond, so that nothing else is decided with it.
    right = event.effective_at == due or (stand.delay_s == 0 and event.effective_at == due + 1)
    require(right, "recovery", f"it takes effect at {event.effective_at}, and {due} is right")
    return stand


def _cancelled(turn: Turn, event: RecoveryCancelled, said: Said) -> Stand:
    _by_rotation_key(turn, event, turn.stand)
    pending = turn.pending
    require(event.operation == said["operation"], "operation", "another operation was cancelled than was signed")
    right = pending is not None and pending.operation == event.operation
    require(right, "recovery", f"{event.operation} was cancelled and wasn't under way")
    turn.links[event.operation] = linked(turn, event.operation)._replace(nullified=True)
    return turn.stand


def _recovered(turn: Turn, event: DidRecovered, said: Said) -> Stand:
    """Everything after the operation that is gone back to is nullified, by a higher key and within 72 hours."""
    _same("rotation_keys", event.rotation_keys, said["rotation_keys"])
    prev = str(event.signed.prev)
    fork, lost = linked(turn, prev), turn.behind(prev)
    stood = Stand(*fork.stood)
    _by_rotation_key(turn, event, stood)
    require(not fork.nullified, "fork", f"{prev} was nullified")
    if lost:
        first = lost[0][1]
        rank = stood.rotation.split().index(event.signed.signed_by)
        require(rank < first.rank, "fork", "an operation is taken back by no higher key than the one that signed it")
        require(turn.at - first.at <= OVERRIDE_MS, "fork", "an operation is taken back after 72 hours")
        require(fork.number >= turn.known.floor, "fork", "a guardians' recovery that took effect is taken back")
    _same("nullified", event.nullified, [name for name, _ in lost])
    for name, link in lost:
        turn.links[name] = link._replace(nullified=True)
    guardians = None if event.guardians is None else " ".join(event.guardians.dids)
    figures = (0, 0) if event.guardians is None else (event.guardians.threshold, event.guardians.delay_s)
    told_here = (event.handle, guardians, *figures)
    stands = (stood.handle, stood.guardians, stood.threshold, stood.delay_s)
    require(told_here == stands, "fork", "handle and guardians aren't those that stood then")
    return stood._replace(rotation=" ".join(event.rotation_keys))


def _pending_after(turn: Turn, event: Any) -> Pending | None:
    match event:
        case GuardianRecoveryBegun():
            keys = [plain(key) for key in event.keys]
            return Pending(event.signed.hash, event.effective_at, " ".join(event.rotation_keys), keys)
        case RecoveryCancelled():
            return None
    pending = turn.pending
    taken_back = isinstance(event, DidRecovered) and pending is not None and pending.operation in event.nullified
    return None if taken_back else pending


def _right(turn: Turn, event: Any, said: Said) -> dict[Name, Window]:
    """Give the windows that an operation changes, as they must be then. Raises Fault."""
    at, drawer = turn.at, turn.drawer
    right: dict[Name, Window] = {}
    if isinstance(event, KeysRotated):
        for key_id in said.get("end", ()):
            window = drawer.one(key_id, at)
            if window is None:
                raise Fault("windows", f"{key_id} ends and didn't hold")
            right[window.name] = window.cut(at + 1000 * said.get("overlap_s", DEFAULT_S))
        opened = begun(said.get("add", ()), at)
        require(all(drawer.one(each.id, at) is None for each in opened), "windows", "a key's id is in use")
        right |= {window.name: window for window in opened}
    elif isinstance(event, KeyRevoked):
        window = max(drawer.of(event.key_id).values(), key=lambda each: each.began, default=None)
        tainted = event.reason == "compromised"
        if window is None or not (tainted or window.lasts(at)):
            raise Fault("windows", f"{event.key_id} is revoked and didn't hold")
        right[window.name] = window.cut(at).tainted(event.since) if tainted else window.cut(at)
    elif isinstance(event, DidRecovered):
        right = {window.name: window.cut(at) for window in drawer.lasting(at)}
        right |= _undone(turn, event) | {window.name: window for window in begun(said["keys"], at)}
    return right


def _before(turn: Turn, event: DidRecovered) -> dict[Name, Window | None]:
    """Give windows that lost operations touched as they stood at the fork; None for one that began after it."""
    first: dict[Name, Window | None] = {}
    for name in event.nullified:
        for was, became in linked(turn, name).touched:
            first.setdefault(Window(*became).name, None if was is None else Window(*was))
    return first


def _since_fork(turn: Turn, event: DidRecovered, touched: list[Sequence[Any]]) -> list[Sequence[Any]]:
    """Give what a recovery touched, told from the fork on: what lost operations began is over for good."""
    first = _before(turn, event)
    found: list[Sequence[Any]] = []
    for was, became in touched:
        name = Window(*became).name
        if name not in first:
            found.append([was, became])
        elif (stood := first[name]) is not None:
            found.append([[*stood], became])
    return found


def _undone(turn: Turn, event: DidRecovered) -> dict[Name, Window]:
    """Windows that lost operations touched: as they were before, or never right where such an operation began them."""
    found: dict[Name, Window] = {}
    for window_name, earlier in _before(turn, event).items():
        now = turn.drawer.find(window_name)
        if earlier is not None:
            found[window_name] = earlier.cut(turn.at)
        elif now is not None:
            found[window_name] = now.cut(turn.at).tainted(now.began)
    return found


HEARS: Final[Mapping[type, Callable[[Turn, Any, Said], Stand]]] = {
    KeysRotated: _kept,
    KeyRevoked: _kept,
    DidRecovered: _recovered,
    GuardiansSet: _guarded,
    GuardianRecoveryBegun: _rescued,
    RecoveryCancelled: _cancelled,
    HandleSet: _named,
}
"""By event, what stands after it; all but the genesis and what takes effect by itself."""
