"""One payload of each of identity's messages, written for ever."""

from typing import Any

from domain.identity import completion, creation, guardian, handle, naming, recovery, rotation, session
from domain.identity.identifier import Guardians
from domain.identity.key import Key, KeyWindow
from domain.identity.operation import SignedOperation

DID = "did:mun:ojsyfmvkybpbgwvdw6p3hkqyha"
FRIEND, OTHER_FRIEND = "did:mun:" + "b" * 26, "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
AT = 1_760_324_400_000
HERE = "identity/1/12"
ED25519, P256 = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv"
GENESIS = SignedOperation("sha256-" + "a" * 43, None, ED25519, '{"type":"create"}', "c2lnbmF0dXJl")
NEXT = SignedOperation("sha256-" + "b" * 43, GENESIS.hash, ED25519, '{"type":"rotate"}', "c2lnbmF0dXJl")
KEYS = (Key("main", "ed25519", ED25519, ("authentication", "assertion")), Key("phone", "p256", P256, ("assertion",)))
OPENED = (KeyWindow("main", "ed25519", ED25519, ("authentication", "assertion"), AT, None, None),)
ENDED = (KeyWindow("main", "ed25519", ED25519, ("authentication", "assertion"), AT, AT + 5, AT + 1), *OPENED)
FRIENDS = Guardians((FRIEND, OTHER_FRIEND), 2, 86_400)
APPROVALS = (
    guardian.Approval(FRIEND, "main", P256, "c2lnbmF0dXJl", HERE),
    guardian.Approval(OTHER_FRIEND, "", ED25519, "c2lnbmF0dXJl", ""),
)
CLAIM = handle.Claim(AT + 60_000, "identity/2/34")

IDENTITY_PAYLOADS: tuple[Any, ...] = (
    creation.CreateDid(DID, GENESIS, (ED25519, P256), KEYS, "ada", CLAIM),
    creation.DidCreated(DID, GENESIS, (ED25519, P256), "ada", OPENED),
    rotation.RotateKeys(DID, NEXT, KEYS, ("main",), 86_400_000),
    rotation.RevokeKey(DID, NEXT, "main", "compromised", AT + 1),
    rotation.KeysRotated(DID, NEXT, ENDED),
    rotation.KeyRevoked(DID, NEXT, "main", "compromised", AT + 1, ENDED),
    recovery.RecoverDid(DID, NEXT, (P256,), KEYS),
    recovery.DidRecovered(DID, NEXT, (P256,), "ada", FRIENDS, ("sha256-" + "c" * 43,), ENDED),
    guardian.SetGuardians(DID, NEXT, FRIENDS),
    guardian.RecoverByGuardians(DID, NEXT, (P256,), KEYS, APPROVALS),
    guardian.CancelRecovery(DID, NEXT, GENESIS.hash),
    guardian.GuardiansSet(DID, NEXT, FRIENDS),
    guardian.GuardianRecoveryBegun(DID, NEXT, (P256,), KEYS, APPROVALS, AT + 86_400_000),
    guardian.RecoveryCancelled(DID, NEXT, GENESIS.hash),
    completion.CompleteRecovery(DID, NEXT.hash),
    completion.GuardianRecoveryCompleted(DID, NEXT.hash, (P256,), ENDED),
    naming.SetHandle(DID, NEXT, "lovelace", CLAIM),
    naming.LapseClaim(DID, "lovelace", AT + 60_000),
    naming.HandleSet(DID, NEXT, "lovelace", "ada"),
    naming.ClaimLapsed(DID, "lovelace", AT + 60_000),
    handle.ClaimHandle("ada", DID),
    handle.ConfirmHandle("ada", DID, HERE),
    handle.ReleaseHandle("ada", DID, AT + 60_000, HERE),
    handle.HandleClaimed("ada", DID, AT + 60_000),
    handle.HandleConfirmed("ada", DID, HERE),
    handle.HandleReleased("ada", DID, AT + 90 * 86_400_000, HERE),
    session.EndSession(DID, "Hk2fJ0aTz1vXw3yQ", AT + 900_000),
    session.SessionEnded(DID, "Hk2fJ0aTz1vXw3yQ", AT + 900_000),
)
