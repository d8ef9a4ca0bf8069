"""R25: a soak of everything there is; MINUTES= says how long."""

from __future__ import annotations

import os
import random
from pathlib import Path

from practising import Ground
from scenario import Result
from soak import Soak

TITLE = "every integration, for long, with one request in twenty failing, outages and kills"
LONG = 10**9


def run(folder: Path, whole: bool) -> Result:
    """MINUTES, 30 unless told, in the whole size; six rounds in the short one. SEED= repeats the edits and kills."""
    minutes = float(os.environ.get("MINUTES") or 30)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 16))
    ground = Ground(folder / "home", f"sqlite:///{folder / 'store.db'}")
    try:
        return Soak(ground, minutes * 60 if whole else LONG, LONG if whole else 6, seed).run()
    finally:
        ground.close()
        ground.control.clear_faults()
