"""Running, planning, approving, looking at what is held, against the practice systems."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from console_kit import Folder, staging
from sqlalchemy import select, update

from crosswalk.store import runs
from crosswalk.store.tables import HELD, RECORD, RUN


def held_ids(folder: Folder, *arguments: str) -> list[str]:
    return re.findall(r"^ ([0-9a-f]{10}) ", folder.good("held", "list", *arguments), re.M)


def test_a_list_names_bindings_owner_promise_and_last_run(folder: Folder) -> None:
    """Before any run every binding says never; afterwards how and when it ended. A list makes no store."""
    store = folder.path / ".crosswalk" / "store.db"
    for end in ("", "-wal", "-shm"):
        Path(f"{store}{end}").unlink(missing_ok=True)
    before = folder.good("list")
    assert not store.exists()
    line = next(line for line in before.splitlines() if " orders " in line)
    assert re.search(r"orders +shopify_orders_to_xero_invoices +shop to books +finance +30 min +never", line), before
    folder.good("run", "orders-to-database", "--bare")
    after = folder.good("list")
    assert re.search(r"orders-to-database +shopify_orders_to_database .* 1 h +completed, 20\d\d-", after), after


def test_a_run_is_told_as_a_person_reads_it(folder: Folder) -> None:
    """The account has every fate, the reasons of held rows, what was left out by which rule, and the next command."""
    ran = folder.cw("run", "customers", "--bare")
    assert ran.code == 0 and "no Prefect server" not in ran.err.lower(), ran.text
    said = folder.good("run", "orders", "--bare")
    for part in (
        "orders: completed in", "24 read", "created", "2 held", "1 parked", "by 'no money came in'",
        "the target's answer", "period lock date", "Next: crosswalk held list orders",
    ):  # fmt: skip
        assert part in said, said
    again = folder.good("run", "orders", "--bare", "--since", "2026-01-01T00:00:00Z")
    assert "created" not in again and "unchanged" in again


def test_status_tells_how_a_binding_stands_and_what_is_wrong(folder: Folder) -> None:
    """Never run, well, failed, dead and out of date: each is said in words and in the exit code."""
    assert "Wrong: it has never run" in folder.cw("status", "orders").out
    folder.delivered()
    well = folder.good("status", "orders")
    for part in ("24 read", "applied", "parked", "read up to", "lease", "the target's answer", "held list orders"):
        assert part in well, well
    assert folder.cw("status").code == 1  # orders-to-database has never run
    with folder.house() as house:
        scope = house.settings.binding("orders").scope
        run = runs.last(house.store, scope).id
        with house.store.transaction("test") as connection:
            connection.execute(update(RUN).where(RUN.c.id == run).values(state="failed", error="Throttled: slow down"))
        failed = folder.cw("status", "orders")
        assert failed.code == 1 and "the last run failed: Throttled: slow down" in failed.out
        assert "failing since" in failed.out
        with house.store.transaction("test") as connection:
            connection.execute(update(RUN).where(RUN.c.id == run).values(state="running", ended_at=None))
        dead = folder.cw("status", "orders")
        assert dead.code == 1 and "its process is gone" in dead.out and "no run has completed yet" in dead.out
        old = datetime(2026, 1, 1, tzinfo=UTC)
        with house.store.transaction("test") as connection:
            connection.execute(update(RUN).where(RUN.c.id == run).values(state="completed", ended_at=old))
        late = folder.cw("status", "orders", "--json")
    assert late.code == 1
    (found,) = json.loads(late.out)
    assert found["binding"] == "orders" and "freshness promise of 30 min is broken" in found["wrong"][0]


def test_a_dry_run_shows_the_difference_and_writes_nothing(folder: Folder) -> None:
    """Field by field, without personal values unless asked for; nothing reaches the target and no cursor moves."""
    folder.good("run", "customers", "--bare")
    order = folder.control.ids("orders")[5]
    customer = folder.control.ids("customers")[3]
    name = folder.control.node("customers", customer)["displayName"]
    folder.control.edit("customers", customer, {"firstName": "Somebody", "lastName": "Else"})
    before = folder.writes()
    shown = folder.good("run", "customers", "--dry-run", "--ids", customer)
    assert "update xero.contacts" in shown and "Nothing was written" in shown
    assert re.search(r"Name +\[personal\] becomes \[personal\]", shown), shown
    assert name not in shown and "Somebody Else" not in shown
    asked = folder.good("run", "customers", "--dry-run", "--ids", customer, "--personal")
    assert re.search(rf"Name +{re.escape(name)}.* becomes Somebody Else", asked), asked
    new = folder.good("run", "orders", "--dry-run", "--ids", order)
    assert "create xero.invoices" in new and "waits until" in new and "was not looked up" in new
    assert folder.writes() == before
    with folder.house() as house, house.store.reading() as connection:
        scope = house.settings.binding("orders").scope
        assert list(connection.execute(select(RECORD.c.key).where(RECORD.c.scope == scope))) == []


def test_a_plan_is_kept_and_its_approval_runs_it(folder: Folder) -> None:
    """Outside the sandbox nothing is written before a plan was approved; then the run goes on as any other."""
    staging(folder)
    folder.cw("run", "customers", "--bare").told("has not been approved", "crosswalk plan customers")
    assert folder.writes() == 0
    said = folder.good("plan", "customers")
    assert "23 created" in said
    plan = re.search(r"crosswalk apply (\w+)", said)[1]
    applied = folder.good("apply", plan, "--bare")
    assert "is approved by" in applied and "23 created" in applied
    again = folder.good("apply", plan, "--bare")
    assert "is approved by" in again and "created" not in again
    with folder.house() as house:
        kept = runs.plan(house.store, plan)
    assert "Visser" not in kept.summary and json.loads(kept.summary)["counts"]["created"] == 23


def test_a_plan_that_no_longer_holds_is_refused(folder: Folder) -> None:
    """When a value table, or the account, has changed since the plan was shown, it is not approved."""
    folder.good("run", "customers", "--bare")
    plan = re.search(r"crosswalk apply (\w+)", folder.good("plan", "orders"))[1]
    tables = Path(__file__).parents[2] / "mappings" / "tables"
    shutil.copytree(tables, folder.path / "own")
    folder.edit('source = "shop"\ntarget = "books"\n\n[bindings.orders-to', 'source = "shop"\ntarget = "books"\n'
                'tables = "own"\n\n[bindings.orders-to')  # fmt: skip
    same = folder.cw("apply", plan, "--bare")
    assert same.code == 0, same.text  # the same tables in another folder are the same rules
    plan = re.search(r"crosswalk apply (\w+)", folder.good("plan", "orders"))[1]
    folder.edit("PENDING,AUTHORISED", "PENDING,DRAFT", "own/order_status.csv")
    folder.cw("apply", plan).told("have changed since the plan", "crosswalk plan orders")
    folder.edit("practice-shop.myshopify.com", "another-shop.myshopify.com")
    folder.cw("apply", plan).told("made for other accounts")
    folder.cw("apply", "nope").told("there is no plan 'nope'", code=2)


def test_a_held_row_is_shown_without_what_is_personal(folder: Folder) -> None:
    """Rule, field, reason, step, since and times stand there; personal and undeclared values only when asked for."""
    folder.delivered()
    listed = folder.good("held", "list", "orders", "--rule", "Status")
    assert "a person's decision" in listed and "locked" not in listed
    (name,) = held_ids(folder, "orders", "--rule", "Status")
    shown = folder.good("held", "show", name)
    with folder.house() as house, house.store.reading() as connection:
        row = connection.execute(select(HELD).where(HELD.c.rule == "Status")).one()
    order = folder.control.node("orders", row.key)
    for part in ("binding", row.key, "transform", "EXPIRED", "1", f"crosswalk held retry orders --key {row.key}"):
        assert part in shown, shown
    assert order["email"] not in shown and order["shippingAddress"]["address1"] not in shown
    assert '"email": "[personal]"' in shown and '"amount": "' in shown
    everything = folder.good("held", "show", name, "--personal")
    assert order["email"] in everything and order["shippingAddress"]["address1"] in everything
    refused = next(one for one in held_ids(folder, "orders") if one != name)
    assert "What would be sent as xero.invoices" in folder.good("held", "show", refused)


def test_a_reason_does_not_tell_what_the_record_hides(folder: Folder) -> None:
    """A personal value that stands in the reason or excerpt of a held row is hidden there as well."""
    folder.delivered()
    (name,) = held_ids(folder, "customers", "--rule", "Name")
    with folder.house() as house:
        with house.store.reading() as connection:
            row = connection.execute(select(HELD).where(HELD.c.rule == "Name")).one()
        long = folder.control.node("customers", row.key)["displayName"]
        with house.store.transaction("test") as connection:
            said = f"{long} is too long"
            connection.execute(update(HELD).where(HELD.c.id == row.id).values(reason=said, excerpt=long))
    shown = folder.good("held", "show", name)
    assert "[personal] is too long" in shown and long[:40] not in shown
    assert long[:40] in folder.good("held", "show", name, "--personal")


def test_a_held_row_is_tried_again_when_its_cause_is_mended(folder: Folder) -> None:
    """What the target refused is sent, what our rules refused is read afresh; what is not named stays held."""
    folder.delivered()
    with folder.house() as house, house.store.reading() as connection:
        key = connection.execute(select(HELD.c.key).where(HELD.c.rule == "Status")).scalar_one()
    folder.control.edit("orders", key, {"displayFinancialStatus": "PENDING"})
    assert "1 held rows will be tried again" in folder.good("held", "retry", "orders", "--rule", "Status")
    folder.good("run", "orders", "--bare")
    assert "No rows are held" in folder.good("held", "list", "orders", "--rule", "Status")
    assert len(held_ids(folder, "orders")) == 1
    assert "No such row is held" in folder.good("held", "retry", "orders", "--key", "nobody")


def test_a_held_row_that_is_not_there_is_named(folder: Folder) -> None:
    """An id that no row, or more than one, begins with is an error with the next command."""
    folder.delivered()
    folder.cw("held", "show", "zzzz").told("there is no held row 'zzzz'", "crosswalk held list", code=2)
    folder.cw("held", "show", "").told("several held rows begin with ''", code=2)


def test_the_journal_shows_requests_without_secrets(folder: Folder) -> None:
    """Requests of a run and failed ones can be picked out; tokens and secrets never show."""
    assert "No such request" in folder.good("journal")
    folder.good("run", "customers", "--bare")
    shown = folder.good("journal", "--limit", "200")
    assert "PUT /api.xro/2.0/Contacts" in shown and "POST /connect/token" in shown
    with folder.house() as house:
        run = runs.last(house.store, house.settings.binding("customers").scope).id
        token = house.around.tokens.read(house.settings.connection("books").key)
    assert token.access not in shown and token.refresh not in shown and "practice-xero-secret" not in shown
    mine = folder.good("journal", "--run", run[:8])
    assert run[:8] in mine and "PUT" in mine
    assert "No such request" in folder.good("journal", "--failed")
    folder.control.add_fault("shopify", "status", status=503, times=1)
    folder.good("run", "customers", "--bare")
    assert " 503 " in folder.good("journal", "--failed")


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_an_instant_needs_its_zone(folder: Folder, option: str) -> None:
    """An instant without a zone, or none at all, is refused before anything is asked."""
    before = folder.control.counts()["shopify"]["total"]
    folder.cw("run", "orders", "--bare", option, "2026-01-01").told("carries no zone", code=2)
    folder.cw("run", "orders", "--bare", option, "yesterday").told("is no instant", code=2)
    assert folder.control.counts()["shopify"]["total"] == before
