"""The messages of identity by their names on the log."""

from collections.abc import Sequence

from domain.identity import completion, creation, guardian, handle, naming, recovery, rotation, session
from domain.message_type import MessageType, message_types

MESSAGES: Sequence[MessageType] = (
    *message_types(
        "identity", creation.CREATION, {"CreateDid": creation.CreateDid}, {"DidCreated": creation.DidCreated}
    ),
    *message_types(
        "identity",
        rotation.ROTATION,
        {"RotateKeys": rotation.RotateKeys, "RevokeKey": rotation.RevokeKey},
        {"KeysRotated": rotation.KeysRotated, "KeyRevoked": rotation.KeyRevoked},
    ),
    *message_types(
        "identity", recovery.RECOVERY, {"RecoverDid": recovery.RecoverDid}, {"DidRecovered": recovery.DidRecovered}
    ),
    *message_types(
        "identity",
        guardian.GUARDIAN,
        {
            "SetGuardians": guardian.SetGuardians,
            "RecoverByGuardians": guardian.RecoverByGuardians,
            "CancelRecovery": guardian.CancelRecovery,
        },
        {
            "GuardiansSet": guardian.GuardiansSet,
            "GuardianRecoveryBegun": guardian.GuardianRecoveryBegun,
            "RecoveryCancelled": guardian.RecoveryCancelled,
        },
    ),
    *message_types(
        "identity",
        completion.COMPLETION,
        {"CompleteRecovery": completion.CompleteRecovery},
        {"GuardianRecoveryCompleted": completion.GuardianRecoveryCompleted},
    ),
    *message_types(
        "identity",
        naming.NAMING,
        {"SetHandle": naming.SetHandle, "LapseClaim": naming.LapseClaim},
        {"HandleSet": naming.HandleSet, "ClaimLapsed": naming.ClaimLapsed},
    ),
    *message_types(
        "identity",
        handle.HANDLE,
        {
            "ClaimHandle": handle.ClaimHandle,
            "ConfirmHandle": handle.ConfirmHandle,
            "ReleaseHandle": handle.ReleaseHandle,
        },
        {
            "HandleClaimed": handle.HandleClaimed,
            "HandleConfirmed": handle.HandleConfirmed,
            "HandleReleased": handle.HandleReleased,
        },
    ),
    *message_types(
        "identity", session.SESSION, {"EndSession": session.EndSession}, {"SessionEnded": session.SessionEnded}
    ),
)
