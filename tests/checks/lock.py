"""The lock is fresh, hashed and carries no addresses."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
COMPILE = [
    "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate", "--all-extras",
    "--group", "dev", "pyproject.toml",
]  # fmt: skip


def main() -> int:
    text = LOCK.read_text()
    if "://" in text:
        print("requirements.lock carries an address; make it again with `make lock`")
        return 1
    unhashed = [line for line in text.splitlines() if "==" in line and not line.rstrip().endswith("\\")]
    if unhashed:
        print(f"requirements.lock has entries without a hash: {unhashed[:3]}; make it again with `make lock`")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / "requirements.lock"
        again.write_text(text)  # resolving begins from what is locked, so that only the project's own changes count
        uv = Path(sys.executable).parent / "uv"
        done = subprocess.run([uv, *COMPILE, "-o", str(again)], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"the lock cannot be checked: {done.stderr.strip()[:400]}")
            return 1
        if again.read_text() != text:
            print("requirements.lock does not fit pyproject.toml; make it again with `make lock`")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
