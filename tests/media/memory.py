"""How much memory this process holds, and held at most since it was asked last."""

from pathlib import Path

STATUS, PEAKS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_THE_PEAK = "5"


def _field(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def memory_now() -> int:
    """Give what this process holds (bytes), and begin to watch for the most that it will."""
    PEAKS.write_text(FORGET_THE_PEAK)
    return _field("VmRSS")


def peak_memory() -> int:
    """Give the most that this process held since ``memory_now`` (bytes)."""
    return _field("VmHWM")
