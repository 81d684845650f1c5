"""A handle is claimed in its own stream before the DID's operation takes it; who would be refused claims nothing."""

import time
from dataclasses import replace
from typing import Any, Final

from api.appending import imagine, settle
from api.did_operations import IDENTITY, catch_up
from api.intent import Intent, request_hash
from api.problems import ProblemError
from api.wiring import Api
from domain.identity.handle import CLAIM_MS, Claim, ClaimHandle
from log.fold import Overlay
from log.scope import command_id

CLAIM: Final = "claim of a handle"


async def with_claim(api: Api, intent: Intent, handle: str) -> Intent:
    """Claim the handle that an operation takes, and give its intent with the claim.

    Without one the decider refuses it for what stands against it first, and nothing is left behind. A claim that was
    made for an operation which is refused after all, or never comes, lapses when its time is over.
    Raises ``log_unavailable``, ``outcome_unknown``, ``not_caught_up``.
    """
    if not await _would_be_taken(api, intent):
        return intent
    claim = claim_of(intent, handle)
    (settled,) = await settle(api, [claim])
    if isinstance(settled, ProblemError):
        raise settled
    decided = settled.decided
    if decided is None or decided.decision.refusal is not None:
        return intent
    where = f"{IDENTITY}/{decided.partition}/{decided.offset}"
    return _claimed(intent, Claim(decided.payloads[0].until, where))


def claim_of(intent: Intent, handle: str) -> Intent:
    """Make the intent of a claim: a new one each time, since an earlier one may be over."""
    asked_hash = request_hash(CLAIM, {"handle": handle}, intent.payload.signed.hash)
    name = command_id(intent.actor, asked_hash)
    return Intent(name, handle, intent.actor, ClaimHandle(handle, intent.actor), asked_hash, None, None)


def imagined_claim(api: Api, intent: Intent, handle: str, state: Overlay) -> Intent:
    """Claim a handle as ``with_claim`` does, with nothing appended."""
    try:
        event, _ = imagine(api, claim_of(intent, handle), state)
    except ProblemError:
        return intent
    said: Any = event
    return _claimed(intent, Claim(said.until, ""))


def _claimed(intent: Intent, claim: Claim) -> Intent:
    return replace(intent, payload=replace(intent.payload, claim=claim))


async def _would_be_taken(api: Api, intent: Intent) -> bool:
    """Tell whether an operation would be decided for, were the handle free: by all that the log holds by now."""
    if _stands(api, intent):
        return True
    await catch_up(api)
    return _stands(api, intent)


def _stands(api: Api, intent: Intent) -> bool:
    supposed = Claim(time.time_ns() // 1_000_000 + CLAIM_MS, "")
    try:
        imagine(api, _claimed(intent, supposed))
    except ProblemError:
        return False
    return True
