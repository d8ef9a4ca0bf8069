"""The reliability scenarios of make chaos in the sizes that a test has time for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scenario import Scenario, known

ON_PREFECT = {"R22": [pytest.mark.prefect]}
TIMED = ("R5",)  # in real time; its short form is tests/http/test_http_limits_shared.py
SCENARIOS = [
    pytest.param(one, id=name, marks=ON_PREFECT.get(name, [])) for name, one in known().items() if name not in TIMED
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_passes(scenario: Scenario, tmp_path: Path) -> None:
    """What the scenario injects loses nothing, doubles nothing, is told of as often as it should, and is got over."""
    result = scenario.run(tmp_path, False)
    print(result)
    assert result.passed, result
