"""Connecting the practice Xero: as after a login at the start, and by the command that the alert names."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from crosswalk.console.demo.home import Home
from crosswalk.console.demo.processes import DemoError
from crosswalk.console.demo.services import crosswalk

if TYPE_CHECKING:
    from crosswalk.runs.wiring import House

BROWSER = Path(__file__).with_name("browser.py")
PATIENCE = 60


def consent(house: House, refresh: str) -> None:
    """Keep a refresh token, as after a person's login. Raises DemoError when one is kept already."""
    from crosswalk.http.protocols import Token

    now = house.clock.now()
    token = Token("", now, now - timedelta(seconds=1), refresh)
    if not house.around.tokens.save(house.settings.connection("books").key, token, 0):
        raise DemoError("the practice books are connected already")


def connect(home: Home) -> str:
    """``crosswalk connect books`` with a browser that says yes; returns what it said last. Raises DemoError."""
    # With the ampersand the command does not wait for its browser, as it would not for a person's.
    environment = home.environment() | {"BROWSER": f"{sys.executable} {BROWSER} %s &"}
    done = subprocess.run(
        crosswalk("connect", "books"), env=environment, cwd=home.folder, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DemoError(f"crosswalk connect books ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return (done.stdout.strip().splitlines() or [""])[-1]
