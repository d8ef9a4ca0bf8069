"""The most memory this process ever had: VmHWM, since ru_maxrss is taken over from whoever started the process."""

from __future__ import annotations

from pathlib import Path


def report() -> dict[str, float]:
    """``peak_mb`` of this process."""
    status = Path("/proc/self/status").read_text()
    return {"peak_mb": int(status.partition("VmHWM:")[2].split()[0]) / 1024}
