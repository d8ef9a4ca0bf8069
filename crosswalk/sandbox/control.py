"""Starts the practice systems and turns them, with the standard library alone.

with start(seed=7, orders=1000, minute=6, faults="default") as practice:
    practice.addresses["xero"], practice.control.effects()
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

_TIMEOUT = 60.0


class ControlError(Exception):
    """The control API refused a call, with its reason."""


class Control:
    """The control API at its base address. Amounts and days are text, instants ISO 8601."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def ask(self, verb: str, path: str, body: object = None, **params: object) -> Any:
        """One call; ControlError when it is refused, URLError when nobody answers."""
        query = urllib.parse.urlencode({k: v for k, v in params.items() if v is not None})
        url = f"{self.address}/_control/{path}" + (f"?{query}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=verb)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                text = refused.read().decode(errors="replace")
            raise ControlError(f"{verb} {path}: {text}") from None

    def about(self) -> dict[str, Any]:
        """pid, addresses, settings, the time, how many orders, lines and customers there are."""
        return dict(self.ask("GET", ""))

    def now(self) -> str:
        return str(self.ask("GET", "clock")["now"])

    def advance(self, seconds: float) -> str:
        """Move the shared clock on; returns the new time."""
        return str(self.ask("POST", "clock", {"advance": seconds})["now"])

    def move_to(self, now: str) -> str:
        """Set the shared clock to an ISO instant."""
        return str(self.ask("POST", "clock", {"now": now})["now"])

    def faults(self, system: str) -> list[dict[str, Any]]:
        """The rules with how often each matched and was applied."""
        return list(self.ask("GET", f"faults/{system}"))

    def use_faults(self, system: str, rules: Iterable[dict[str, Any]] = ()) -> None:
        """Replace the rules of a system (the fields of `faults.Rule`); none is none."""
        self.ask("PUT", f"faults/{system}", {"rules": list(rules)})

    def use_default_faults(self, system: str) -> None:
        self.ask("PUT", f"faults/{system}", {"default": True})

    def add_fault(self, system: str, kind: str, **rule: Any) -> None:
        """One more rule."""
        self.ask("POST", f"faults/{system}", {"kind": kind, **rule})

    def clear_faults(self) -> None:
        """No faults anywhere."""
        for system in ("shopify", "xero", "sink"):
            self.use_faults(system)

    def counts(self) -> dict[str, Any]:
        """For each system: total, and paths ("PUT /api.xro/2.0/Invoices" → how many)."""
        return dict(self.ask("GET", "counts"))

    def requests(self, system: str, since: int = 0) -> list[dict[str, Any]]:
        """The log of a system (the fields of `faults.Arrived`), after this number."""
        return list(self.ask("GET", f"requests/{system}", since=since))

    def forget_requests(self) -> None:
        self.ask("DELETE", "requests")

    def effects(self) -> dict[str, Any]:
        """What the practice Xero's books hold (`Organisation.effects`)."""
        return dict(self.ask("GET", "effects"))

    def expected(self) -> dict[str, Any]:
        """The oracle: counts, totals (cents), held, waits, skipped, database."""
        return dict(self.ask("GET", "expected"))

    def verdict(self, prefix: str) -> list[str]:
        """Where the books differ from the oracle; empty is agreement."""
        return list(self.ask("GET", "verdict", prefix=prefix))

    def connect(self) -> dict[str, Any]:
        """Credentials, with a refresh token as if a person had just consented."""
        return dict(self.ask("POST", "connect", {}))

    def changes(
        self, share: float = 0.01, seed: int = 1, at: str | None = None, kinds: Iterable[str] = ()
    ) -> list[dict[str, Any]]:
        """Change this share of the orders at the source; returns case, order and customer of each change."""
        return list(self.ask("POST", "changes", {"share": share, "seed": seed, "at": at, "kinds": list(kinds)}))

    def ids(self, collection: str) -> list[str]:
        """Every gid of orders, customers, products or variants."""
        return list(self.ask("GET", f"nodes/{collection}"))

    def node(self, collection: str, id_: str) -> dict[str, Any] | None:
        found = self.ask("GET", "node", collection=collection, id=id_)
        return None if found is None else dict(found)

    def put(self, collection: str, node: dict[str, Any]) -> str:
        """Put a whole node into the shop; returns its gid."""
        return str(self.ask("PUT", "node", node, collection=collection)["id"])

    def edit(self, collection: str, id_: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Merge fields into a node, as a person in the shop would; ``updatedAt`` becomes now."""
        return dict(self.ask("PATCH", "node", changes, collection=collection, id=id_))

    def delete(self, collection: str, id_: str) -> None:
        self.ask("DELETE", "node", collection=collection, id=id_)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a system's state: ``call("xero.archive_account", "4010")``."""
        return self.ask("POST", "call", {"name": name, "args": args, "kwargs": kwargs})

    def set(self, name: str, value: Any) -> None:
        """Turn a switch of a system: ``set("xero.limits.day", 100)``, ``set("shopify.switches.index_lag", 5)``."""
        self.ask("PUT", "setting", {"name": name, "value": value})

    def messages(self) -> list[dict[str, Any]]:
        """What the sink received: via, channel, ts, message, edits."""
        return list(self.ask("GET", "messages"))

    def clear_messages(self) -> None:
        self.ask("DELETE", "messages")

    def snapshot(self, name: str) -> None:
        """Remember what shop, books and sink hold."""
        self.ask("POST", f"snapshots/{name}", {})

    def restore(self, name: str) -> None:
        """Go back to a snapshot taken since the last reset; clock, faults, counts and Shopify tokens stay."""
        self.ask("POST", f"restore/{name}", {})

    def reset(self, **settings: Any) -> dict[str, Any]:
        """Start anew from the seed (settings: seed, orders, cases, minute, faults); `about` with new credentials."""
        return dict(self.ask("POST", "reset", settings))


class Started:
    """A running process of practice systems. ready: the line it printed."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, Any]) -> None:
        self.process, self.ready = process, ready
        self.addresses: dict[str, str] = dict(ready["addresses"])
        self.credentials: dict[str, dict[str, str]] = dict(ready["credentials"])
        self.control = Control(self.addresses["control"])

    def stop(self) -> None:
        """End it, gently first."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self) -> Started:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    *, seed: int = 1, orders: int = 1000, cases: Iterable[str] = (), minute: float = 60.0, faults: str = "none",
    clock: Path | None = None, ready: Path | None = None, keep: bool = False, timeout: float = 60.0,
) -> Started:  # fmt: skip
    """Start the practice systems in a process of their own and wait until they answer.

    keep: let them outlive this process. Raises RuntimeError when they do not come up in time; their standard error is
    ours.
    """
    command = [sys.executable, "-m", "crosswalk.sandbox.serve", "--seed", str(seed), "--orders", str(orders)]
    command += ["--minute", str(minute), "--faults", faults]
    for name, value in (("--cases", ",".join(cases)), ("--clock", clock), ("--ready", ready)):
        command += [name, str(value)] if value else []
    if not keep:
        command.append("--die-with-parent")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=keep)
    watchdog = threading.Timer(timeout, process.kill)
    watchdog.start()
    assert process.stdout is not None
    line = process.stdout.readline()
    watchdog.cancel()
    if not line:
        process.kill()
        raise RuntimeError(f"the practice systems did not come up within {timeout:g} s: exit code {process.wait()}")
    return Started(process, json.loads(line))
