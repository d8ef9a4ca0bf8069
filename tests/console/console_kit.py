"""The command as a person types it, in a user's folder of the test's own."""

from __future__ import annotations

import json
import os
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import houses
import pytest
from cryptography.fernet import Fernet

from crosswalk.console import main
from crosswalk.runs.wiring import House
from crosswalk.sandbox.control import Control, Started

CASES = ("locked", "status_expired", "refund_part", "guest", "pending")
ORDERS = 24
MINUTE = 0.2


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"

    def told(self, *parts: str, code: int = 1) -> None:
        """It ended with this code, and standard error tells all of this, with what is safe and what comes next."""
        assert self.code == code, self.text
        for part in (*parts, "Safe: ", "Next: "):
            assert part in self.err, self.text
        assert "Traceback" not in self.out + self.err, self.text


@dataclass
class Folder:
    """A user's folder, in which the tests stand."""

    path: Path
    practice: Started
    capsys: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    @property
    def control(self) -> Control:
        return self.practice.control

    def cw(self, *arguments: str) -> Ran:
        """Type ``crosswalk ...``."""
        self.capsys.readouterr()
        code = main.run(arguments)
        out, err = self.capsys.readouterr()
        return Ran(code, out, err)

    def elsewhere(self, *arguments: str) -> Ran:
        """Type ``crosswalk ...`` in a process of its own, which is gone when it ends."""
        file = self.path / "elsewhere.json"
        pid = os.fork()
        if pid == 0:
            try:
                ran = self.cw(*arguments)
                file.write_text(json.dumps([ran.code, ran.out, ran.err]))
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        return Ran(*json.loads(file.read_text()))

    def good(self, *arguments: str) -> str:
        """Type ``crosswalk ...``, which must end with 0; what it wrote."""
        ran = self.cw(*arguments)
        assert ran.code == 0, ran.text
        return ran.out

    def house(self) -> Any:
        return closing(House.here(self.path))

    def edit(self, old: str, new: str, file: str = "crosswalk.toml") -> None:
        """Change a file of the folder."""
        path = self.path / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {path}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def delivered(self) -> None:
        """Customers and orders have run once."""
        self.good("run", "customers", "--bare")
        self.good("run", "orders", "--bare")

    def writes(self) -> int:
        """How many writes have reached the practice Xero."""
        paths = self.control.counts()["xero"]["paths"]
        return sum(n for p, n in paths.items() if p.startswith(("PUT", "POST /api")))


def connected(folder: Folder) -> None:
    """The practice Xero's grant is kept in the store, as after a person's login."""
    with folder.house() as house:
        houses.consent(house, folder.practice)


def staging(folder: Folder) -> None:
    """The folder becomes one of staging, with a start, a store and a key."""
    text = (folder.path / "crosswalk.toml").read_text()
    text = re.sub(r"(account = .*)", r'\1\nenvironment = "staging"', text)
    text = re.sub(r"(target = .*)", r'\1\nstart = "2026-01-01T00:00:00Z"', text)
    (folder.path / "crosswalk.toml").write_text(text)
    patch = folder.patch
    patch.setenv("CROSSWALK_ENV", "staging")
    patch.setenv("CROSSWALK_STORE", f"sqlite:///{folder.path / 'staging.db'}")
    patch.setenv("CROSSWALK_KEY", Fernet.generate_key().decode())
    folder.good("store", "migrate")
    connected(folder)
