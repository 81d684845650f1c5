"""Becomes a child of the supervisor that cannot outlive it: standard library only, run as a script by path.

Arguments: the supervisor's pid, the signal that the kernel sends when the supervisor is gone, `uid:gid` to become or
`-`, `traverse` or `-`, and the command. It replaces itself by the command, so the pid stays the same.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


def _prctl(option: int, *arguments: int) -> bool:
    """Calls prctl(2) and says whether it succeeded."""
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    return bool(ctypes.CDLL(None).prctl(option, *padded) == 0)


def _keep_capability(capability: int) -> bool:
    """Leaves this process with one capability that survives exec, and no other (capset(2), version 3)."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    return bool(ctypes.CDLL(None).capset(header, data) == 0) and _prctl(
        _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability
    )


def _become(user: str, traverse: str) -> None:
    """Gives up root for `uid:gid`; with `traverse` keeps only the right to pass through directories closed to it."""
    uid, gid = (int(part) for part in user.split(":"))
    if traverse == "traverse":
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if traverse == "traverse" and not _keep_capability(_CAP_DAC_READ_SEARCH):
        _keep_capability(_CAP_DAC_OVERRIDE)


def main(arguments: list[str]) -> None:
    """Ties this process to the supervisor, changes the user where asked, and becomes the command."""
    supervisor, death_signal, user, traverse, *command = arguments
    if user != "-":
        _become(user, traverse)
    if sys.platform == "linux":
        # After the change of user: a change of credentials clears the parent-death signal.
        _prctl(_PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != int(supervisor):
        sys.exit("the supervisor is gone")
    os.execvp(command[0], command)  # noqa: S606 - the command is the supervisor's own, no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
