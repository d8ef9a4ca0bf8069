"""Reading again: ``crosswalk backfill`` and ``crosswalk run --full``, and re-mapping by a plan."""

from __future__ import annotations

from datetime import UTC, datetime

from console_kit import Folder
from sqlalchemy import func, select, update

from crosswalk.store import cursors
from crosswalk.store.tables import META, RECORD, RUN

STRETCH = ("backfill", "orders", "--since", "2026-09-01T00:00:00Z", "--until", "2026-11-01T00:00:00Z", "--bare")


def windows(folder: Folder) -> int:
    """How many runs of a window the store knows that went through."""
    with folder.house() as house, house.store.reading() as connection:
        query = select(func.count()).where(RUN.c.asked == "window", RUN.c.state.in_(("completed", "queued")))
        return int(connection.execute(query).scalar_one())


def test_a_backfill_goes_on_with_the_windows_that_are_left(folder: Folder) -> None:
    """Two months are three windows of local midnights; cut off in the second, the same command reads two; done, it
    reads all again; the cursor is never made."""
    folder.good("run", "customers", "--bare")
    listed = folder.good(*STRETCH, "--dry-run")
    assert listed.count("to be read") == 3 and "2026-09-30 22:00:00" in listed
    folder.good(*STRETCH[:6], "--by", "all", "--bare")
    assert windows(folder) == 1
    wrote = folder.writes()
    folder.control.add_fault("shopify", "status", contains="2026-10-31T23", status=403, body="{}")
    ran = folder.cw(*STRETCH)
    assert ran.code == 1 and "same command goes on" in ran.err, ran.text
    folder.control.clear_faults()
    done = windows(folder) - 1
    said = folder.good(*STRETCH)
    assert said.count("done before") == done and "all 3 windows are read" in said
    assert windows(folder) == 4 and folder.writes() == wrote
    assert "done before" not in folder.good(*STRETCH, "--dry-run")
    with folder.house() as house, house.store.reading() as connection:
        scope = house.settings.binding("orders").scope
        assert cursors.read(house.store, scope, "shopify.orders").value is None
        assert not list(connection.execute(select(META).where(META.c.name.startswith("backfill:"))))


def test_a_stretch_that_cannot_be_read_is_refused(folder: Folder) -> None:
    """In the future, backwards, before the binding's start, without a zone: told, and nothing is read."""
    later = datetime.now(UTC).replace(year=2200).isoformat()
    folder.cw("backfill", "orders", "--since", "2026-01-01T00:00:00Z", "--until", later).told("in the future", code=2)
    folder.cw("backfill", "orders", "--since", "2026-02-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z").told(
        "nothing of 'orders' lies between", code=2
    )
    folder.cw("backfill", "orders", "--since", "2026-02-01", "--until", "2026-03-01").told("no zone", code=2)
    folder.edit('integration = "shopify_orders_to_xero_invoices"', 'integration = "shopify_orders_to_xero_invoices"\n'
                'start = "2026-06-01T00:00:00Z"')  # fmt: skip
    folder.cw("backfill", "orders", "--since", "2026-01-01T00:00:00Z", "--until", "2026-05-01T00:00:00Z").told(
        "it starts at 2026-06-01", code=2
    )


def test_a_full_run_and_a_remapping_from_the_command_line(folder: Folder) -> None:
    """A full run writes nothing; records made with an older mapping stay until their plan is applied."""
    folder.good("run", "customers", "--bare")
    wrote = folder.writes()
    assert "23 unchanged" in folder.good("run", "customers", "--bare", "--full") and folder.writes() == wrote
    folder.cw("run", "customers", "--bare", "--full", "--ids", "1").told("full reads everything", code=2)
    folder.cw("plan", "orders-to-database", "--remap").told("do not tell with which rules", "--full", code=2)
    older = {"applied_digest": "m1:0", "wanted_digest": "m1:0", "applied_hash": "h1:0", "wanted_hash": "h1:0"}
    with folder.house() as house, house.store.transaction("test") as connection:
        mine = (RECORD.c.applied_hash != "", RECORD.c.key.startswith("gid:"))
        key = connection.execute(select(RECORD.c.key).where(*mine).order_by(RECORD.c.key).limit(1)).scalar_one()
        payload = '{"Name": "as it was"}'
        connection.execute(update(RECORD).where(RECORD.c.key == key).values(applied_payload=payload, **older))
    assert "23 unchanged" in folder.good("run", "customers", "--bare", "--full") and folder.writes() == wrote
    said = folder.good("plan", "customers", "--remap", "--personal")
    assert "1 updated" in said and "as it was becomes" in said and folder.writes() == wrote
    ran = folder.good("apply", said.split("crosswalk apply ")[1].split()[0])
    assert "1 updated" in ran and folder.writes() == wrote + 1
    assert "1 updated" not in folder.good("plan", "customers", "--remap")
