"""What the killed and recovered processes run: the main job, bare of Prefect, in forked children."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import houses
from sqlalchemy import create_engine, text

import mappings.shopify_customers_to_xero_contacts
import mappings.shopify_orders_to_xero_invoices  # noqa: F401 - the parent imports what its children run
from crosswalk import points
from crosswalk.clock import SharedClock
from crosswalk.runs import body
from crosswalk.runs.session import Request
from crosswalk.sandbox.control import Control
from crosswalk.store.engine import Store
from crosswalk.store.migrate import upgrade  # noqa: F401
from crosswalk.store.tables import METADATA
from crosswalk.store.vault import PRACTICE_KEY, Vault

BEGIN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
BINDINGS = ("customers", "orders")
CASES = (
    "refund_part", "refund_mixed", "refund_unpaid", "refund_two", "part_paid", "two_payments", "guest",
    "cancelled_refunded", "gift_card_whole", "locked", "product_mug", "edited_before", "pending", "authorised",
)  # fmt: skip
ORDERS = {1: len(CASES), 50: 24}
# Edits that come to the same whether the order was invoiced before them or not.
EDITS = (
    "change_edit_unpaid", "change_customer", "change_refund", "change_new", "change_paid", "change_cancel_paid",
)  # fmt: skip


@dataclass
class Place:
    """One worker's ground: its practice systems, clock and store, put back before every point."""

    folder: Path
    ready: dict[str, Any]
    control: Control
    clock: SharedClock
    store: str
    template: Path | None

    def fresh(self, batch: int, **settings: Any) -> None:
        """An empty ledger, an empty practice Xero, the seeded shop, and the beginning of time."""
        self.clock.move(BEGIN)
        about = self.control.reset(orders=ORDERS[batch], **settings)
        self.ready = {**self.ready, "credentials": about["credentials"]}
        shutil.rmtree(self.folder / "home", ignore_errors=True)
        if self.template is not None:
            for end in ("", "-wal", "-shm"):
                Path(str(self.folder / "store.db") + end).unlink(missing_ok=True)
            shutil.copy(self.template, self.folder / "store.db")
        else:
            _truncate(self.store)
        home = houses.write(self.folder / "home", self.started)
        file = home / "crosswalk.toml"
        file.write_text(file.read_text().replace('target = "books"', f'target = "books"\nbatch = {batch}'))
        self.house().close()

    @property
    def started(self) -> Any:
        return SimpleNamespace(ready=self.ready)

    def house(self) -> houses.House:
        return houses.house(self.folder / "home", self.started, self.clock, store=self.store)


def template(folder: Path) -> Path:
    """An empty, migrated SQLite store to copy from."""
    file = folder / "template.db"
    store = Store(f"sqlite:///{file}", clock=SharedClock(folder / "template.clock", BEGIN), vault=Vault(PRACTICE_KEY))
    store.open(migrate=True)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return file


def _truncate(url: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        names = ", ".join(f'"{t}"' for t in METADATA.tables)
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    engine.dispose()


def run(place: Place, passes: int = 1) -> None:
    """The main job, ``passes`` times; between two passes more time goes by than a window needs to settle."""
    house = place.house()
    for number in range(passes):
        if number:
            place.clock.advance(200)
        for binding in BINDINGS:
            body.run(house.session(binding, Request()))
    house.close()


def record(names: Path) -> Callable[[str], None]:
    """A hook that writes down every point."""
    file = names.open("w")

    def reached(name: str) -> None:
        file.write(name + "\n")
        file.flush()

    return reached


def kill_at(number: int) -> Callable[[str], None]:
    """A hook that kills this process at the point with this number, counted from 1."""
    seen = 0

    def reached(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


def child(work: Callable[[], None], hook: Callable[[str], None] | None, errors: Path) -> int:
    """Run something in a forked child; its exit status as ``os.waitstatus_to_exitcode`` gives it."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            points.install(hook)
            work()
            code = 0
        except BaseException:
            errors.write_text(traceback.format_exc())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
