"""One partition before the auditor: each command with its decision, in their order."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from domain.catalog import BY_CLASS
from domain.decider import Circumstances, Refusal
from domain.did import identity
from domain.facts.fact import FactIssued
from domain.facts.mark import FactKeyCleared, FactKeyCompromised
from domain.facts.signer import GENESIS
from domain.ruling import HALF, ID_PREFIX, UNDECODABLE, request_of, rule, scope_key
from log.avro import HEADER, UndecodableValue
from log.fold import Overlay, outcome_of
from log.message import Decision, Happening, Message, Refused
from log.released import codec
from log.store import MemoryStore, Store
from log.topic import commands as commands_topic
from log.topic import murmur2
from processors.audit_examining import Examined, payload_of
from processors.audit_fold import roles_after, signed_key
from processors.audit_names import Fault
from processors.audit_roles import Roles
from processors.audit_rules import RULES
from processors.audit_signing_keys import FactMark, SigningKeys
from processors.audit_verdict import Difference, Differs, Verdict

REMEMBERED_KEYS: Final = 65_536


class Pair(NamedTuple):
    """A command, what examining it found, and the decision that counts for it."""

    command: Message
    examined: Examined
    decision: Message


class Hearing:
    """Holds the fold of one partition and checks each decision against it."""

    def __init__(
        self,
        context: str,
        partition: int,
        partitions: int,
        *,
        store: Store | MemoryStore,
        roles: Roles,
        keys: SigningKeys,
        verdict: Verdict,
    ) -> None:
        self._context, self._partition, self._partitions = context, partition, partitions
        self._store, self._roles, self._keys, self._verdict = store, roles, keys, verdict
        self._rules, self._own_roles = RULES[context], roles.context == context
        self._state = Overlay(store)
        self._unwritten: dict[str, Any] = {}
        self._decisions = codec(context, "decision")
        self._cause, self._at = -1, 0

    @property
    def at(self) -> int:
        """Give the log's time at the last decision, in ms."""
        return self._at

    def hear(self, pair: Pair) -> Sequence[Any]:
        """Check one decision and give its events' payloads. Raises Differs."""
        place = f"{self._context}/{self._partition}/{pair.decision.offset}"
        try:
            return self._hear(pair, place)
        except Fault as fault:
            raise Differs(Difference(place, fault.rule, fault.detail)) from None

    def _hear(self, pair: Pair, place: str) -> Sequence[Any]:
        message, examined, held = pair
        self._check_keys(message, held)
        at = max(message.timestamp, self._at)
        payload = None if examined.undecodable is not None else payload_of(examined)
        decision = self._decision_by_the_rules(message, examined, payload, held, at)
        if self._decisions.encode(decision) != held.value:
            decision = self._another(decision, held, payload, examined)
        if examined.fault is not None:
            raise Fault(*examined.fault)
        events = [happening.payload for happening in decision.events]
        if examined.key is not None:
            self._keys.note(examined.key, place, at)
        self._fold(decision, events, payload, examined, place)
        self._cause, self._at = message.offset, at
        if self._own_roles:
            self._roles.heard(self._partition, held.offset)
        self._count(decision, events, examined, held.offset)
        return events

    def _check_keys(self, message: Message, held: Message) -> None:
        if message.offset != self._cause + 1:
            raise Fault("cause", f"the commands between {self._cause} and {message.offset} are missing")
        if message.key != held.key:
            raise Fault("key", "the decision lies under another key than its command")
        if message.key is None or _partition_of(message.key, self._partitions) != self._partition:
            raise Fault("key", "the key does not belong to this partition")

    def _decision_by_the_rules(
        self, message: Message, examined: Examined, payload: Any, held: Message, at: int
    ) -> Decision:
        """Decide the command again on the auditor's own fold."""
        prev = held.value[HEADER : HEADER + 32]  # the reading rule let it pass, so this is the chain's
        if examined.undecodable is not None:
            return Decision(prev, "", message.offset, at, (), Refused(UNDECODABLE, {"detail": examined.undecodable}))
        around = Circumstances(examined.actor, at, first=self._cause < 0, cause=message.offset)
        outcome = rule(self._state, examined.id, payload, around)
        if isinstance(outcome, Refusal):
            refused = Refused(outcome.code, dict(outcome.details))
            return Decision(prev, examined.id, message.offset, at, (), refused)
        happenings = tuple(Happening((entry := BY_CLASS[type(event)]).name, entry.version, event) for event in outcome)
        return Decision(prev, examined.id, message.offset, at, happenings, None)

    def _another(self, ruled: Decision, held: Message, payload: Any, examined: Examined) -> Decision:
        """Say how a decision that isn't the one by the rules differs; one in an older schema may say the same."""
        try:
            found: Decision = self._decisions.decode(held.value)
        except UndecodableValue as error:
            raise Fault("undecodable", str(error)) from None
        if found == ruled:
            if held.value[2:HEADER] != self._decisions.fingerprint:
                return found
            raise Fault("encoding", "the decision isn't written as its schema says")
        if found.cause != ruled.cause:
            raise Fault("cause", f"the decision's cause is {found.cause} and the next command is {ruled.cause}")
        if found.command_id != ruled.command_id:
            raise Fault(
                "command_id", f"the decision is of {found.command_id!r} and its command is {ruled.command_id!r}"
            )
        if found.at != ruled.at:
            raise Fault("at", f"the decision's time is {found.at} and the log's was {ruled.at}")
        raise self._explain(found, ruled, payload, examined)

    def _explain(self, found: Decision, ruled: Decision, payload: Any, examined: Examined) -> Fault:
        if examined.fault is not None:
            return Fault(*examined.fault)
        if payload is not None and found.refusal is None:
            state = Overlay(self._state)
            for happening in found.events:
                for change in self._rules.changes(state, happening.payload, payload, examined.actor, found.at):
                    state.put(change)
        return Fault("ruling", f"it says {_said(found)}, and by the rules it is {_said(ruled)}")

    def _fold(self, decision: Decision, events: Sequence[Any], payload: Any, examined: Examined, place: str) -> None:
        if examined.undecodable is not None:
            return
        scope = scope_key(examined.id)
        if self._state.get(scope) is None and examined.id.startswith(ID_PREFIX):
            self._put(scope, (request_of(examined.id), decision.cause))
        if not events:
            return
        self._check_authority(events[0], payload, examined.actor, place)
        for event in events:
            if isinstance(event, FactKeyCompromised | FactKeyCleared):
                self._note_mark(event, place)
            for key, entry in self._rules.changes(self._state, event, payload, examined.actor, decision.at):
                self._put(key, entry)
            for key, entry in self._rules.evolve(self._state, event, decision.at):
                self._put(key, entry)
            roles = roles_after(event)
            if roles is not None:
                self._roles.set(event.did, int(place.rpartition("/")[2]), roles)

    def _note_mark(self, event: FactKeyCompromised | FactKeyCleared, place: str) -> None:
        """Note what is said of a fact's key, for who has read identity."""
        signed = self._state.get(signed_key(event.fact_id))
        if signed is not None:
            marks = isinstance(event, FactKeyCompromised)
            said_by = event.compromised_by if isinstance(event, FactKeyCompromised) else event.cleared_by
            did, key_id, at = signed
            self._keys.note_mark(FactMark(place, did, key_id, at, said_by, marks))

    def _check_authority(self, event: Any, payload: Any, actor: str, place: str) -> None:
        """Check that the actor was allowed this where it says; an empty log is begun by the first signer."""
        needed = self._rules.roles_needed(payload)
        if not needed:
            return
        if payload.authority != GENESIS or type(event) is not self._rules.founds:
            self._roles.claim(place, actor, needed, payload.authority)
        elif self._own_roles:
            self._roles.first(place, payload.did)
            self._verdict.genesis = payload.did
        elif self._roles.genesis is None or identity(self._roles.genesis) != identity(actor):
            raise Fault("genesis", f"{actor} begins this log, and isn't the first signer")

    def _put(self, key: str, entry: Any) -> None:
        self._state.put((key, entry))
        self._unwritten[key] = entry

    def settle(self) -> None:
        """Write the fold to disk, so that memory holds no more of it than the latest batch."""
        self._store.write(self._unwritten.items(), {})
        self._unwritten.clear()
        self._state.drop()

    def _count(self, decision: Decision, events: Sequence[Any], examined: Examined, offset: int) -> None:
        verdict = self._verdict
        verdict.decisions += 1
        verdict.commands += 1
        verdict.events += len(events)
        verdict.signatures += examined.signatures
        verdict.undecodable += examined.undecodable is not None
        verdict.refusals += decision.refusal is not None
        verdict.facts += sum(isinstance(event, FactIssued) for event in events)
        verdict.positions[f"{self._context}/{self._partition}"] = offset

    def pending(self, message: Message, examined: Examined, stranded: Message | None) -> None:
        """Note a command without a decision; it is none yet, unless one lies there that does not count."""
        place = f"{commands_topic(self._context)}/{self._partition}/{message.offset}"
        if examined.fault is not None:
            raise Differs(Difference(place, *examined.fault))
        if stranded is not None and self._claims(stranded, message.offset):
            where = f"{self._context}/{self._partition}/{stranded.offset}"
            raise Differs(Difference(where, "chain", f"command {message.offset} was decided here, and nothing counts"))
        self._verdict.commands += 1
        self._verdict.signatures += examined.signatures
        self._verdict.pending += 1

    def _claims(self, stranded: Message, cause: int) -> bool:
        try:
            decision: Decision = self._decisions.decode(stranded.value)
        except (UndecodableValue, TypeError):
            return False
        return decision.cause >= cause

    def surplus(self, decision: Message) -> None:
        """Refuse a decision that no command caused."""
        place = f"{self._context}/{self._partition}/{decision.offset}"
        raise Differs(Difference(place, "cause", "the decision counts, and no command is left that caused it"))

    def close(self) -> None:
        """End the hearing: what others cite of this partition can be checked."""
        if self._own_roles:
            self._roles.partition_done(self._partition)


@lru_cache(maxsize=REMEMBERED_KEYS)
def _partition_of(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def _said(decision: Decision) -> str:
    outcome = outcome_of(decision)
    if isinstance(outcome, Refusal):
        details = ", ".join(f"{name} {value}" for name, value in sorted(outcome.details.items()))
        return f"refused as {outcome.code}" + (f" ({details})" if details else "")
    return "; ".join(str(event)[: HALF * 8] for event in outcome) or "nothing"
