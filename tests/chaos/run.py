"""Reliability scenarios, each printed as a line: ``python tests/chaos/run.py [R4 R11 ...] [--short]``.

With ``OUT=file.json`` the figures go there as well. Ends with 1 when one of them did not pass.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from scenario import Result, Scenario, known

HEAD = ("test", "faults", "lost", "doubled", "alerts", "sent", "recovered", "passed", "seconds")
FIELDS = ("passed", "faults", "lost", "doubled", "alerts_expected", "alerts_sent", "recovered")


def main() -> int:
    scenarios = known()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(scenarios)}; all by default")
    parser.add_argument("--short", action="store_true", help="the sizes of make test")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(scenarios))
    if unknown:
        parser.error(f"no scenario {', '.join(unknown)}; known: {', '.join(scenarios)}")
    chosen = [scenarios[name] for name in options.names or scenarios]
    print("  ".join(f"{word:>9}" for word in HEAD), flush=True)
    found = {one.name: _one(one, not options.short) for one in chosen}
    if os.environ.get("OUT"):
        tests = {name: {field: getattr(result, field) for field in FIELDS} for name, result in found.items()}
        Path(os.environ["OUT"]).write_text(json.dumps({"tests": tests}, indent=1))
    return 0 if all(result.passed for result in found.values()) else 1


def _one(scenario: Scenario, whole: bool) -> Result:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"chaos-{scenario.name}-", ignore_cleanup_errors=True) as folder:
        try:
            result = scenario.run(Path(folder), whole)
        except Exception:
            result = Result(recovered=False, wrong=[traceback.format_exc()])
    values: list[Any] = [
        scenario.name, result.faults, result.lost, result.doubled, result.alerts_expected, result.alerts_sent,
        "yes" if result.recovered else "no", "yes" if result.passed else "NO", f"{time.monotonic() - began:.0f}",
    ]  # fmt: skip
    print("  ".join(f"{value:>9}" for value in values) + f"  {scenario.title}", flush=True)
    for line in result.notes:
        print(f"           {line}", flush=True)
    for line in result.wrong:
        print(f"           WRONG: {line}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
