"""The vendor's own SDK, in an environment of its own, against the practice Xero over a real socket."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sandbox.xero_client import Xero

pytestmark = [pytest.mark.contract, pytest.mark.timeout(300)]
SCRIPT = Path(__file__).parent / "sdk" / "xero_sdk.py"
SCOPES = "accounting.contacts accounting.invoices accounting.payments accounting.settings"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with xero-python, which is not among the project's dependencies."""
    folder = tmp_path_factory.mktemp("xero-python") / "venv"
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv, which makes the SDK's environment, is not beside this interpreter")
    for command in (
        ["venv", "-q", "--python", sys.executable, str(folder)],
        ["pip", "install", "-q", "--python", str(folder / "bin" / "python"), "xero-python==15.2.0"],
    ):
        done = subprocess.run([str(uv), *command], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"xero-python cannot be installed: {done.stderr.strip()[-200:]}")
    return folder / "bin" / "python"


@pytest.fixture
def xero() -> Xero:
    return Xero(scopes=SCOPES)


@pytest.fixture
def address(xero: Xero) -> Iterator[str]:
    """The practice Xero behind a real socket on loopback."""
    server = uvicorn.Server(uvicorn.Config(xero.app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def test_sdk(python: Path, xero: Xero, address: str) -> None:
    """xero-python reads and writes contacts, invoices, credit notes with allocations, and payments, in its own way."""
    done = subprocess.run(
        [str(python), str(SCRIPT), address, xero.org.tenant_id, xero.token],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout)
    assert (seen["tenant"], seen["organisation"]) == (xero.org.tenant_id, "Practice BV")
    assert seen["contacts"] == [["S1-1", False], [None, True]]
    assert "already assigned to another contact" in seen["contact message"]
    assert seen["contact read"] == ["Mei Ng", "Mei", 4, 2]
    assert seen["invoice again"] is True
    assert seen["invoice refused"] == [400, "Invoice # must be unique."]
    listed = ["S1-100", "order 100", "2026-11-20", "2026-11-23T09:00:00+00:00", 121.0]
    assert seen["invoices listed"] == [listed] and seen["pagination"] == 1
    assert seen["note read"] == [40.0, 20.5]
    assert seen["payments"] == [
        ["ACCRECPAYMENT", "tx-1", False],
        ["ARCREDITPAYMENT", "tx-2", False],
        [None, "tx-1", True],
    ]
    assert seen["invoice read"] == ["PAID", 0.0, ["tx-1"]]
    assert (seen["payment deleted"], seen["payments listed"]) == ("DELETED", 1)
    totals = xero.org.effects()["totals"]
    assert (totals["invoices"], totals["payments"], totals["refunds"], totals["allocations"]) == (
        Decimal("121.00"),
        Decimal("100.50"),
        Decimal("0.00"),
        Decimal("20.50"),
    )
