"""A DID by other means: every answer is counted anew from the list of operations that stand, and from nothing else."""

from dataclasses import dataclass, field
from typing import Any

HOURS_72, DAYS_30 = 72 * 3_600_000, 30 * 86_400_000


@dataclass
class Step:
    """One thing that happened: an operation, or (``hash`` empty) a guardians' recovery that took effect.

    ``order`` grows with each, also within a millisecond.
    """

    kind: str
    hash: str
    by: str
    at: int
    order: int
    said: dict[str, Any] = field(default_factory=dict)


@dataclass
class Then:
    """What stands after some steps. A window is a mutable ``[begins, ends, since]`` under (key id, begins)."""

    rotation: list[str] = field(default_factory=list)
    windows: dict[tuple[str, int], list[int | None]] = field(default_factory=dict)
    handle: str | None = None
    handle_at: int | None = None
    guardians: tuple[tuple[str, ...], int, int] | None = None

    def open(self, now: int) -> dict[str, tuple[str, int]]:
        """Give the names of the windows that hold, by key id."""
        return {name[0]: name for name, each in self.windows.items() if each[1] is None or now < each[1]}

    def end(self, name: tuple[str, int], at: int) -> None:
        known = self.windows[name][1]
        self.windows[name][1] = at if known is None else min(known, at)

    def begin(self, keys: tuple[str, ...], at: int) -> None:
        for key_id in keys:
            self.windows[key_id, at] = [at, None, None]

    def anew(self, step: Step) -> None:
        """End all, and begin with what a recovery names."""
        for name in self.open(step.at).values():
            self.end(name, step.at)
        self.rotation = list(step.said["rotation"])
        self.begin(step.said["keys"], step.at)


class PlainDid:
    """The steps that stand, those that don't, and the windows that never should have been."""

    def __init__(self, genesis: Step) -> None:
        self.steps = [genesis]
        self.lost: list[Step] = []
        self.cancelled: set[str] = set()
        self.ghosts: dict[tuple[str, int], tuple[int, list[int | None]]] = {}
        self.pending: Step | None = None

    def stands(self, steps: list[Step] | None = None) -> Then:
        """Count anew what stands after these steps, or after all."""
        then, haunted = Then(), sorted((order, name, each) for name, (order, each) in self.ghosts.items())
        for step in self.steps if steps is None else steps:
            said = step.said
            while haunted and haunted[0][0] < step.order:
                _, name, each = haunted.pop(0)
                then.windows[name] = list(each)
            if step.kind == "create":
                then.rotation, then.handle = list(said["rotation"]), said["handle"]
                then.handle_at = None if said["handle"] is None else step.at
                then.begin(said["keys"], step.at)
            elif step.kind == "rotate":
                for key_id in said["end"]:
                    then.end(then.open(step.at)[key_id], step.at + said["overlap"])
                then.begin(said["keys"], step.at)
            elif step.kind == "revoke":
                name = max((each for each in then.windows if each[0] == said["key_id"]), key=lambda each: each[1])
                then.end(name, step.at)
                if said["reason"] == "compromised":
                    known = then.windows[name][2]
                    then.windows[name][2] = said["since"] if known is None else min(known, said["since"])
            elif step.kind in ("recover", "completed"):
                then.anew(step)
            elif step.kind == "set_handle":
                then.handle, then.handle_at = said["handle"], step.at
            elif step.kind == "set_guardians":
                then.guardians = said["guardians"]
        then.windows |= {name: list(each) for _, name, each in haunted}
        return then

    @property
    def head(self) -> str:
        return next(step.hash for step in reversed(self.steps) if step.hash)

    def due(self, now: int, order: int) -> Step | None:
        """Give the effect of the guardians' recovery that is due."""
        if self.pending is None or self.pending.said["effective_at"] > now:
            return None
        return Step("completed", "", "", now, order, self.pending.said)

    def complete(self, done: Step) -> None:
        self.steps.append(done)
        self.pending = None

    def fault(self, kind: str, by: str, prev: str, now: int, said: dict[str, Any]) -> str | None:
        """Say why an operation can't be; nothing where it can. What is due was completed before."""
        if kind == "recover" and prev != self.head:
            return self.fork_fault(by, prev, now) or begun_now(self.stands(), said["keys"], now)
        if prev != self.head:
            return "stale_prev"
        then = self.stands()
        if kind == "guardian_recover":
            return self.approval_fault(then, said["approvals"])
        if by not in then.rotation:
            return "not_a_rotation_key"
        if kind == "rotate":
            holding = then.open(now)
            if not set(said["end"]) <= set(holding):
                return "unknown_key"
            return "key_in_use" if set(said["keys"]) & set(holding) else begun_now(then, said["keys"], now)
        if kind == "revoke":
            named = [each for each in then.windows if each[0] == said["key_id"]]
            over = bool(named) and said["key_id"] not in then.open(now)
            return "unknown_key" if not named or (over and said["reason"] != "compromised") else None
        if kind == "set_handle":
            if then.handle == said["handle"]:
                return "same_handle"
            return "handle_change_too_soon" if then.handle_at is not None and now < then.handle_at + DAYS_30 else None
        if kind == "recover":
            return begun_now(then, said["keys"], now)
        if kind == "cancel":
            return None if self.pending is not None and self.pending.hash == said["operation"] else "no_recovery"
        return None

    def place(self, prev: str) -> int | None:
        """Find where an operation's state begins: behind the guardians' recovery that took effect while it was head."""
        for index, step in enumerate(self.steps):
            if step.hash and step.hash == prev:
                completed = index + 1 < len(self.steps) and self.steps[index + 1].kind == "completed"
                return index + 1 if completed else index
        return None

    def fork_fault(self, by: str, prev: str, now: int) -> str | None:
        place = self.place(prev)
        if place is None or prev in self.cancelled:
            return "stale_prev"
        after = self.steps[place + 1 :]
        if any(step.kind == "completed" for step in after):
            return "guardians_decided"
        first, rotation = after[0], self.stands(self.steps[: place + 1]).rotation
        if now - first.at > HOURS_72:
            return "too_late"
        if by not in rotation:
            return "not_a_rotation_key"
        signer = first.by if first.kind != "guardian_recover" else ""
        below = rotation.index(signer) if signer in rotation else len(rotation)
        return None if rotation.index(by) < below else "not_higher"

    def approval_fault(self, then: Then, approvals: tuple[str, ...]) -> str | None:
        if then.guardians is None:
            return "no_guardians"
        if self.pending is not None:
            return "recovery_pending"
        if not set(approvals) <= set(then.guardians[0]):
            return "not_a_guardian"
        return "too_few_approvals" if len(set(approvals)) < then.guardians[1] else None

    def accept(self, step: Step, prev: str) -> None:
        """Let an operation that has no fault be part of the log."""
        if step.kind == "recover" and prev != self.head:
            self.go_back(step, prev)
        self.steps.append(step)
        if step.kind == "guardian_recover":
            guardians = self.stands().guardians
            assert guardians is not None
            step.said["effective_at"] = max(step.at + guardians[2] * 1000, step.at + 1)
            self.pending = step
        elif step.kind == "cancel":
            self.cancelled.add(step.said["operation"])
            self.pending = None

    def go_back(self, step: Step, prev: str) -> None:
        place = self.place(prev)
        assert place is not None
        kept, gone = self.steps[: place + 1], self.steps[place + 1 :]
        was = self.stands().windows
        for each in gone:
            for key_id in each.said.get("keys", ()) if each.kind != "guardian_recover" else ():
                begins, ends, since = was[key_id, each.at]
                ends = step.at if ends is None else min(ends, step.at)
                since = each.at if since is None else min(since, each.at)
                self.ghosts[key_id, each.at] = each.order, [begins, ends, since]
        self.steps, self.lost = kept, self.lost + gone
        if self.pending in gone:
            self.pending = None


def begun_now(then: Then, ids: tuple[str, ...], now: int) -> str | None:
    """Say that a key of the same id began in this very millisecond."""
    return "key_in_use" if any((key_id, now) in then.windows for key_id in ids) else None
