"""``make load``: what the receiver takes beside a bare endpoint, and how long an event takes to reach the target.

RATE=500 and SECONDS=10 bound the storm, PREFECT=1 runs the batches through a Prefect server of its own, OUT=file.json
keeps the figures. Both endpoints are asked the same in one run, one after the other, twice; ratios count, not the
machine's own figures.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "webhooks")]

import houses  # noqa: E402
import webhook_kit as kit  # noqa: E402

from crosswalk.clock import SystemClock  # noqa: E402
from crosswalk.connectors import shopify_webhooks  # noqa: E402
from crosswalk.runs import body  # noqa: E402
from crosswalk.runs.session import Request  # noqa: E402
from crosswalk.sandbox import control  # noqa: E402
from crosswalk.store import inbox_look  # noqa: E402

CLOCK = SystemClock()
CONNECTIONS = 32
EDITS = 20


class Bare:
    """The least that stores an event before it answers: no signature, no duplicates, one commit each."""

    def __init__(self, file: str) -> None:
        self.store = sqlite3.connect(file, isolation_level=None)
        self.store.execute("PRAGMA journal_mode=WAL")
        self.store.execute("PRAGMA synchronous=FULL")
        self.store.execute("CREATE TABLE IF NOT EXISTS event (id TEXT, topic TEXT, at REAL, body BLOB)")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        sent = b""
        while True:
            message = await receive()
            sent += message.get("body", b"")
            if not message.get("more_body"):
                break
        row = (str(uuid.uuid4()), scope["path"], CLOCK.boot(), sent)
        self.store.execute("INSERT INTO event VALUES (?, ?, ?, ?)", row)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def serve_bare(port: int, file: str) -> None:
    """The bare endpoint, in this process."""
    import uvicorn

    uvicorn.run(Bare(file), port=port, http="h11", lifespan="off", access_log=False, log_level="error")


def request(number: int) -> bytes:
    """A whole signed request."""
    sent = kit.order(number % 5_000, f"2026-11-24T10:00:00.{number:06d}Z")
    lines = ["POST /hooks/shop HTTP/1.1", "Host: load", f"Content-Length: {len(sent)}"]
    lines += [f"{name}: {value}" for name, value in kit.shopify_headers(sent).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + sent


async def storm(port: int, rate: float, seconds: float) -> dict[str, float]:
    """Send at an even rate (0: as fast as answers come) over kept connections; late answers delay nobody."""
    number = int(rate * seconds) or 4_000
    made = [request(n) for n in range(number)]
    waits: list[float] = []
    begin = CLOCK.boot()

    async def one(lane: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for at in range(lane, number, CONNECTIONS):
            due = begin + at / rate if rate else 0.0
            await asyncio.sleep(max(0.0, due - CLOCK.boot()))
            sent = max(due, begin) if rate else CLOCK.boot()
            writer.write(made[at])
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            waits.append(CLOCK.boot() - sent)
        writer.close()

    await asyncio.gather(*(one(lane) for lane in range(CONNECTIONS)))
    took = CLOCK.boot() - begin
    return {"events": number, "per_second": number / took, "p50_ms": at_share(waits, 0.5) * 1e3,
            "p99_ms": at_share(waits, 0.99) * 1e3}  # fmt: skip


def at_share(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@contextmanager
def running(command: list[str], folder: Path, port: int, environment: dict[str, str]) -> Iterator[None]:
    """A server in a process of its own, until it answers and as long as it is wanted."""
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        kit.until(lambda: _open(port), 60)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def free() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def compare(home: Path, rate: float, seconds: float) -> dict[str, Any]:
    """The receiver and the bare endpoint, in turns; the better of two of each."""
    ports = {"receiver": free(), "bare": free()}
    commands = {
        "receiver": [sys.executable, "-m", "crosswalk.console.main", "receive", "--port", str(ports["receiver"])],
        "bare": [sys.executable, str(Path(__file__).resolve()), "bare", str(ports["bare"]), str(home / "bare.db")],
    }
    found: dict[str, Any] = {}
    for pace in (rate, 0.0):
        for _ in range(2):
            for name, command in commands.items():
                with running(command, home, ports[name], {}):
                    asyncio.run(storm(ports[name], 50, 1))  # warm
                    figures = asyncio.run(storm(ports[name], pace, seconds))
                key = f"{name} at {pace:g}/s" if pace else f"{name} as fast as it can"
                better = key not in found or figures["p99_ms"] < found[key]["p99_ms"]
                found[key] = figures if better else found[key]
    fast = [found[f"{name} as fast as it can"]["per_second"] for name in ("receiver", "bare")]
    slow = [found[f"{name} at {rate:g}/s"]["p99_ms"] for name in ("receiver", "bare")]
    return {**found, "ratio of events/s": fast[0] / fast[1], "ratio of p99": slow[0] / slow[1]}


def latency(folder: Path, started: control.Started, environment: dict[str, str], *, backfill: bool) -> dict[str, Any]:
    """From the moment an event is stored to the moment its record stands in the practice Xero.

    environment: names a Prefect server, or nothing; then batches run without one.
    """
    started.ready["credentials"] = started.control.reset(orders=800 if backfill else 100, cases=None, seed=3)[
        "credentials"
    ]
    home = kit.home(folder, started)
    file = home / "crosswalk.toml"
    if backfill:  # one contact a request, so that the run goes on while events come
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace('target = "books"', 'target = "books"\nbatch = 1', 1), encoding="utf-8")
    house = houses.house(home, started, CLOCK)
    customers = started.control.ids("customers")[:EDITS]
    if not backfill:
        body.run(house.session("customers", Request()))
    else:
        body.run(house.session("customers", Request(ids=tuple(customers))))
    port = free()
    command = [sys.executable, "-m", "crosswalk.console.main", "receive", "--port", str(port), "--serve"]
    with running(command if environment else [*command, "--bare"], home, port, environment):
        shop = house.connector(house.settings.connection("shop"))
        for topic in ("CUSTOMERS_UPDATE", "CUSTOMERS_CREATE"):
            shopify_webhooks.subscribe(shop, topic, f"http://127.0.0.1:{port}/hooks/shop")
        started.control.edit("customers", customers[0], {"firstName": "First"})
        kit.until(lambda: "First" in first_names(started), 90)  # everything is imported now
        long = run_beside(home) if backfill else None
        if long is not None:
            kit.until(lambda: len(names(started)) > EDITS + 10, 90)
        waits = [edit(started, house.store, customers[n], f"Load{n}") for n in range(EDITS)]
        overlapped = long is not None and long.poll() is None
        if long is not None:
            long.wait(300)
    house.close()
    told = {
        "events": len(waits),
        "p50_s": at_share(waits, 0.5),
        "p95_s": at_share(waits, 0.95),
        "longest_s": max(waits),
    }
    return told | ({"run still going on at the end": overlapped} if backfill else {})


def run_beside(home: Path) -> subprocess.Popen[bytes]:
    """A run of the whole binding, in a process of its own."""
    command = [sys.executable, "-m", "crosswalk.console.main", "run", "customers", "--bare"]
    return subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def names(started: control.Started) -> set[str]:
    return {str(contact["name"]) for contact in started.control.effects()["contacts"]}


def first_names(started: control.Started) -> set[str]:
    return {name.partition(" ")[0] for name in names(started)}


def edit(started: control.Started, store: Any, customer: str, name: str) -> float:
    """Change a customer in the shop; seconds from the event's being stored to the contact's new name."""
    CLOCK.sleep(0.3)
    started.control.edit("customers", customer, {"firstName": name})
    kit.until(lambda: name in first_names(started), 60)
    seen = CLOCK.now()
    event = next(e for e in inbox_look.events(store, limit=20) if e.record == customer)
    return float((seen - event.received_at).total_seconds())


@contextmanager
def server(folder: Path) -> Iterator[dict[str, str]]:
    """A Prefect server of this measurement, where one is asked for; what names it to other processes."""
    if not os.environ.get("PREFECT"):
        yield {}
        return
    from crosswalk import prefect_server

    with prefect_server.start(folder / "prefect") as started:
        yield {"PREFECT_API_URL": started.api, "PREFECT_HOME": str(folder / "prefect")}


def show(found: dict[str, Any]) -> None:
    for name, value in found.items():
        told = value
        if isinstance(value, dict):
            told = ", ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in value.items())
        elif isinstance(value, float):
            told = f"{value:.2f}"
        print(f"{name:32} {told}", flush=True)


def main() -> None:
    rate = min(500.0, float(os.environ.get("RATE", "500")))
    seconds = min(60.0, float(os.environ.get("SECONDS", "10")))
    only = os.environ.get("ONLY", "storm latency").split()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="cw-load-") as folder, control.start(orders=0, minute=6) as started:
        if "storm" in only:
            found |= compare(kit.home(Path(folder) / "storm", started), rate, seconds)
            show(found)
        with server(Path(folder)) as environment:
            for name, backfill in (("idle machine", False), ("beside a run of the binding", True)):
                if "latency" in only:
                    place = Path(folder) / name.partition(" ")[0]
                    key = f"event to target, {name}"
                    found[key] = latency(place, started, environment, backfill=backfill)
                    show({key: found[key]})
    if os.environ.get("OUT"):
        Path(os.environ["OUT"]).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        serve_bare(int(sys.argv[2]), sys.argv[3])
    else:
        main()
