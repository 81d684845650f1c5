"""Whether a session still stands by the log: nobody ended it, and the key that opened it still holds.

A token alone says neither, so it is asked of the mirror for every request and, while a stream is open, every second.
"""

from dataclasses import replace

from api.caller import Caller
from api.problems import ProblemError
from api.registered_keys import is_registered, registered_key
from domain.identity.key import AUTHENTICATION
from domain.identity.session import session_ended
from projections.mirror import Mirror


def standing(mirror: Mirror, caller: Caller) -> Caller | None:
    """Give a caller whose session stands, with the place on the log up to which its key was seen to hold.

    A registered DID's key is told by its id and itself: one that was replaced under its id is gone.
    """
    if session_ended(mirror.store, caller.did, caller.session_id):  # type: ignore[arg-type]  # only asked by key
        return None
    if not is_registered(caller.did):
        return caller
    proof = caller.proof
    if proof is None or proof.key_id is None:
        return None
    try:
        found = registered_key(mirror, caller.did, proof.key_id, AUTHENTICATION)
    except ProblemError:
        return None
    if found.multibase != proof.public_key:
        return None
    return replace(caller, proof=replace(proof, key_seen_at=found.seen_at))
